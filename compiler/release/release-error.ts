// What the release tools refuse to do. Trust failures proper are TrustError of #errors.

export const RELEASE_TOOL_CODES = {
  CHANNEL_CONFLICT: "another release of this channel is under way or came first",
  CHANNEL_INVALID: "the channel directory does not hold what a channel holds",
  KEY_EXISTS: "a key file is never overwritten",
  KEY_INVALID: "the file is not a usable signing or public key",
  KEY_UNSAFE: "the private key is readable by others",
  RELEASE_INPUT_INVALID: "the release cannot be made from this input",
  SIGNER_FAILED: "the external signer gave no valid signature",
} as const;

export type ReleaseToolCode = keyof typeof RELEASE_TOOL_CODES;

/** Match on `code`. CHANNEL_CONFLICT is a trust failure for the exit code, the rest are errors of use. */
export class ReleaseToolError extends Error {
  readonly code: ReleaseToolCode;
  readonly detail: string;
  constructor(code: ReleaseToolCode, detail: string, options?: { cause?: unknown }) {
    super(`${code}: ${detail}`, options);
    this.name = "ReleaseToolError";
    this.code = code;
    this.detail = detail;
  }
}
