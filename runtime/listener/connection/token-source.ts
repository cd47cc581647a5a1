// The bearer token of a local server: from the environment, or from a file that may be renewed while the gateway runs.
import { readFileSync, statSync } from "node:fs";
import { MAX_TOKEN_LENGTH } from "#authn";
import type { TokenPlace } from "#config";

/** The token as it is now; undefined where there is none. Never throws. */
export type TokenSource = () => string | undefined;

export function createTokenSource(place: TokenPlace): TokenSource {
  if (place.kind === "env") return () => place.value;
  let known: { readonly version: string; readonly token: string | undefined } | undefined;
  return () => {
    try {
      const { mtimeMs, ctimeMs, size, ino } = statSync(place.path);
      const version = `${mtimeMs} ${ctimeMs} ${size} ${ino}`;
      if (known?.version !== version) known = { version, token: readToken(place.path, size) };
      return known.token;
    } catch {
      known = undefined;
      return undefined;
    }
  };
}

function readToken(path: string, size: number): string | undefined {
  if (size > 2 * MAX_TOKEN_LENGTH) return undefined;
  const token = readFileSync(path, "utf8").trim();
  return token === "" ? undefined : token;
}
