// `aegis verify`: the checks of a gateway that starts afresh, run by hand.
import {
  MAX_ROOT_STEPS,
  advanceRoot,
  decodeBundle,
  openPinnedRoot,
  openSelfSignedRoot,
  peekStatement,
  verifyRelease,
} from "#bundle";
import type { Digest, ReleaseStatement, TrustedRoot } from "#bundle";
import { TrustError, isTrustError } from "#errors";
import { openChannelDirectory } from "./channel-directory.ts";

/** Where a channel is read from; a gateway's release source has this shape. */
export interface ChannelReader {
  readonly readRelease: () => Promise<Uint8Array | undefined>;
  readonly readBundle: (digest: Digest) => Promise<Uint8Array | undefined>;
  readonly readRoot: (version: number) => Promise<Uint8Array | undefined>;
}

export interface VerifyRequest {
  readonly root: TrustedRoot;
  /** Absent: the channel the statement names. */
  readonly channel?: string;
  readonly nowMs: number;
}

export interface VerifyReport {
  readonly formatVersion: 1;
  readonly statement: ReleaseStatement;
  readonly keyIds: readonly string[];
  readonly rootVersion: number;
  readonly threshold: number;
}

/** Opens the root an operator names; with `sha256`, the pin of a gateway. Throws ROOT_DIGEST_MISMATCH, ROOT_INVALID. */
export function openTrustRoot(bytes: Uint8Array, sha256?: Digest): Promise<TrustedRoot> {
  return sha256 === undefined ? openSelfSignedRoot(bytes) : openPinnedRoot(bytes, sha256);
}

/** Verifies a channel directory. Throws what `verifyChannel` throws. */
export function verifyChannelDirectory(directory: string, request: VerifyRequest): Promise<VerifyReport> {
  return verifyChannel(openChannelDirectory(directory), request);
}

/** Roots, statement and bundle of a channel, in the order of a gateway. Throws TrustError with the code of the check. */
async function verifyChannel(reader: ChannelReader, request: VerifyRequest): Promise<VerifyReport> {
  const root = await newestRoot(reader, request.root);
  const bytes = await reader.readRelease();
  if (bytes === undefined) throw new TrustError("RELEASE_SOURCE_UNAVAILABLE", "the channel has no release");
  const channel = request.channel ?? peekStatement(bytes).channel;
  const { statement, keyIds } = await verifyRelease(bytes, { root, channel, nowMs: request.nowMs });
  const bundle = await reader.readBundle(statement.digest);
  if (bundle === undefined)
    throw new TrustError("BUNDLE_UNREADABLE", `the channel has no bundle ${statement.digest}`);
  const content = decodeBundle(bundle, statement.digest);
  if (!Object.hasOwn(content.routes.environments, channel)) {
    throw new TrustError("SNAPSHOT_FAULT", `the bundle has no environment ${statement.channel}`);
  }
  const { version, roles } = root.document;
  return { formatVersion: 1, statement, keyIds, rootVersion: version, threshold: roles.release.threshold };
}

/** Why gateways would refuse a release once they follow a root; undefined where they would not. */
export async function refusalUnder(
  root: TrustedRoot,
  release: Uint8Array,
  nowMs: number,
): Promise<TrustError | undefined> {
  try {
    await verifyRelease(release, { root, channel: peekStatement(release).channel, nowMs });
    return undefined;
  } catch (fault) {
    if (isTrustError(fault)) return fault;
    throw fault;
  }
}

async function newestRoot(reader: ChannelReader, trusted: TrustedRoot): Promise<TrustedRoot> {
  let root = trusted;
  for (let step = 0; step < MAX_ROOT_STEPS; step++) {
    const bytes = await reader.readRoot(root.document.version + 1);
    if (bytes === undefined) return root;
    root = await advanceRoot(root, bytes);
  }
  throw new TrustError("ROOT_INVALID", `more than ${String(MAX_ROOT_STEPS)} new roots`);
}
