// Where bearer tokens come from, as the transport sees it.
import { BridgeError } from "./bridge-error.ts";

/** What a 401 or 403 said (RFC 6750, RFC 9728). */
export interface Challenge {
  readonly resourceMetadataUrl: URL | undefined;
  readonly scope: string | undefined;
}

export type Renewal = "refreshed" | "logged-in";

export interface TokenSource {
  /** A token that is good for now; undefined where there is none yet. Refreshes one that is about to expire. */
  readonly current: () => Promise<string | undefined>;
  /**
   * Another token in the place of one that was refused (undefined: none was sent). `logged-in` says that no better one
   * can be had. @throws {BridgeError} LOGIN_FAILED
   */
  readonly renew: (refused: RefusedToken) => Promise<Renewal>;
}

export interface RefusedToken {
  readonly token: string | undefined;
  readonly challenge: Challenge;
  /** The token is good, and allows too little. */
  readonly needsScope: boolean;
}

/** A token that is read again whenever it is needed, such as one in a file that something else rotates. */
export function givenToken(read: () => string): TokenSource {
  const readToken = (): string => {
    try {
      return read();
    } catch (cause) {
      throw new BridgeError("LOGIN_FAILED", "the token cannot be read", (cause as Error).message, { cause });
    }
  };
  return {
    current: () => Promise.resolve(readToken()),
    renew: ({ token }) => {
      if (readToken() !== token) return Promise.resolve("refreshed");
      throw new BridgeError(
        "LOGIN_FAILED",
        "the gateway refuses the token of --token",
        "put a new token there, or leave --token out to log in",
      );
    },
  };
}
