// Why a release was refused. These reach operators through /status and the CLI, never an MCP client.

export const TRUST_CODES = {
  BUNDLE_DIGEST_MISMATCH: "the bundle's bytes do not hash to the digest in the statement",
  BUNDLE_INVALID: "the archive or a section of it is malformed",
  BUNDLE_PATH_UNSAFE: "an archive member has an unsafe name or type",
  BUNDLE_REQUIRES_NEWER: "the bundle needs a feature this gateway does not have",
  BUNDLE_TOO_LARGE: "the bundle exceeds a size or count limit",
  BUNDLE_UNREADABLE: "the bundle could not be read from its source",
  BUNDLE_VECTOR_FAILED: "a golden decision vector was not reproduced",
  RELEASE_BELOW_THRESHOLD: "too few distinct trusted keys signed the release",
  RELEASE_CHANNEL_MISMATCH: "the statement is for another channel",
  RELEASE_EQUIVOCATION: "the same sequence was released with another digest",
  RELEASE_EXPIRED: "the statement is past its expiry and grace",
  RELEASE_INVALID: "the statement is malformed",
  RELEASE_NOT_YET_VALID: "the statement was issued in the future",
  RELEASE_REVOKED: "the root revokes the digest the statement names",
  RELEASE_ROLLBACK: "the sequence or epoch is lower than the one already active",
  RELEASE_SIGNATURE_INVALID: "the signatures do not vouch for the statement",
  RELEASE_SOURCE_UNAVAILABLE: "the release source could not be read",
  RELEASE_UNSIGNED: "the statement carries no signature",
  ROOT_DIGEST_MISMATCH: "the first root does not hash to the configured digest",
  ROOT_EXPIRED: "the root is past its expiry",
  ROOT_INVALID: "a root document is malformed or not signed by the thresholds it needs",
  SNAPSHOT_FAULT: "the snapshot could not be built from the bundle",
  STATE_CORRUPT: "the persisted ratchet state is unreadable",
} as const;

export type TrustCode = keyof typeof TRUST_CODES;
