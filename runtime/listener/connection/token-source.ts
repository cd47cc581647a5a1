// The bearer token of a local server: from the environment, or from a file that may be renewed while the gateway runs.
import { readFileSync, statSync } from "node:fs";
import { MAX_TOKEN_LENGTH } from "#authn";
import type { TokenPlace } from "#config";

/** The token as it is now; undefined where there is none, or one that other users can take. Never throws. */
export type TokenSource = () => string | undefined;

/**
 * `onRefused` hears why a file is refused that had a token before, once for each change of it.
 * @throws Error where other users may read or write the file
 */
export function createTokenSource(
  place: TokenPlace,
  onRefused: (reason: string) => void = () => undefined,
): TokenSource {
  if (place.kind === "env") return () => place.value;
  const { path } = place;
  const exposed = `stdio.token: ${path} can be read or written by other users; run chmod 600 on it`;
  let known: { readonly version: string; readonly token: string | undefined } | undefined;
  const current = (refuse: (reason: string) => void): string | undefined => {
    try {
      const { mtimeMs, ctimeMs, size, ino, mode } = statSync(path);
      const version = `${mtimeMs} ${ctimeMs} ${size} ${ino} ${mode}`;
      if (known?.version === version) return known.token;
      const isExposed = process.platform !== "win32" && (mode & 0o077) !== 0;
      known = { version, token: isExposed ? undefined : readToken(path, size) };
      if (isExposed) refuse(exposed);
      return known.token;
    } catch {
      known = undefined;
      return undefined;
    }
  };
  let isRefused = false;
  current(() => (isRefused = true));
  if (isRefused) throw new Error(exposed);
  return () => current(onRefused);
}

function readToken(path: string, size: number): string | undefined {
  if (size > 2 * MAX_TOKEN_LENGTH) return undefined;
  const token = readFileSync(path, "utf8").trim();
  return token === "" ? undefined : token;
}
