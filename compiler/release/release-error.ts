// What the release tools refuse to do. Trust failures proper are TrustError of #errors.

export const RELEASE_TOOL_CODES = {
  CHANNEL_CONFLICT: "another release of this channel is under way or came first",
  CHANNEL_INVALID: "the channel directory does not hold what a channel holds",
  KEY_ALREADY_SIGNED: "the document carries the signature of this key and waits for another",
  KEY_EXISTS: "a key file is never overwritten",
  KEY_INVALID: "the file is not a usable signing or public key",
  KEY_NOT_AUTHORIZED: "the root gives the key no role that may sign this",
  KEY_UNSAFE: "the private key is readable by others",
  RELEASE_INPUT_INVALID: "the release cannot be made from this input",
  SIGNER_FAILED: "the external signer gave no valid signature",
} as const;

export type ReleaseToolCode = keyof typeof RELEASE_TOOL_CODES;

const TRUST_FAILURES: ReadonlySet<string> = new Set<ReleaseToolCode>([
  "CHANNEL_CONFLICT",
  "KEY_ALREADY_SIGNED",
  "KEY_NOT_AUTHORIZED",
]);

/** Match on `code`. */
export class ReleaseToolError extends Error {
  readonly code: ReleaseToolCode;
  readonly detail: string;
  /** For the exit code: a matter of trust, not an error of use. */
  readonly isTrustFailure: boolean;
  constructor(code: ReleaseToolCode, detail: string, options?: { cause?: unknown }) {
    super(`${code}: ${detail}`, options);
    this.name = "ReleaseToolError";
    this.code = code;
    this.detail = detail;
    this.isTrustFailure = TRUST_FAILURES.has(code);
  }
}
