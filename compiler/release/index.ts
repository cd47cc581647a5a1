// The release tools: keys, roots, releases, and their verification by hand.
export { openChannelDirectory } from "./channel-directory.ts";
export type { ChannelDirectory } from "./channel-directory.ts";
export { inspectBundle } from "./inspect.ts";
export type { BundleReport } from "./inspect.ts";
export { createKey, loadPublicKey, loadSigningKey } from "./keys.ts";
export type { PublicKey, SigningKey } from "./keys.ts";
export { RELEASE_TOOL_CODES, ReleaseToolError } from "./release-error.ts";
export type { ReleaseToolCode } from "./release-error.ts";
export { cosignRelease, releaseBundle, rollbackTo } from "./release.ts";
export type { ReleaseOutcome, ReleaseTarget, ReleaseTerms } from "./release.ts";
export { cosignRoot, initRoot, rotateRoot } from "./root.ts";
export type { RootChange, RootDraft, RootInit } from "./root.ts";
export { cosignDocument, signDocument } from "./sign.ts";
export { openTrustRoot, refusalUnder, verifyChannel, verifyChannelDirectory } from "./verify.ts";
export type { ChannelReader, VerifyReport, VerifyRequest } from "./verify.ts";
