// What a source reports for each kind of file it cannot give.
import type { TrustCode } from "#errors";

export interface ReadCodes {
  readonly unreadable: TrustCode;
  readonly tooLarge: TrustCode;
}

export const STATEMENT_READ: ReadCodes = {
  unreadable: "RELEASE_SOURCE_UNAVAILABLE",
  tooLarge: "RELEASE_INVALID",
};
export const ROOT_READ: ReadCodes = { unreadable: "RELEASE_SOURCE_UNAVAILABLE", tooLarge: "ROOT_INVALID" };
export const BUNDLE_READ: ReadCodes = { unreadable: "BUNDLE_UNREADABLE", tooLarge: "BUNDLE_TOO_LARGE" };
