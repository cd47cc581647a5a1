// Door #authn: who is calling.
export type { Principal } from "./principal.ts";
export { createTokenVerifier } from "./jwt-verifier.ts";
export type { TokenVerifier, TokenVerifierOptions } from "./jwt-verifier.ts";
export { MAX_TOKEN_LENGTH } from "./bearer-token.ts";
export {
  challengeFor,
  resourceMetadata,
  resourceMetadataPath,
  resourceMetadataUrl,
} from "./resource-metadata.ts";
