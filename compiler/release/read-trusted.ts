// Reading what a channel holds, with the codes a gateway gives to a file that it cannot read or that is too large.
import { basename } from "node:path";
import { FileTooLargeError, MAX_BUNDLE_BYTES, MAX_DOCUMENT_BYTES, readBounded } from "#bundle";
import { TrustError } from "#errors";
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

/** Content of a regular file; undefined where there is none. Throws TrustError with one of `codes` for the rest. */
export async function readTrusted(
  path: string,
  maxBytes: number,
  codes: ReadCodes,
): Promise<Uint8Array | undefined> {
  try {
    return await readBounded(path, maxBytes);
  } catch (error) {
    const code = error instanceof FileTooLargeError ? codes.tooLarge : codes.unreadable;
    throw new TrustError(code, describe(path, error), { cause: error });
  }
}

/** A bundle that a person names. Undefined where there is no such file. Throws BUNDLE_UNREADABLE, BUNDLE_TOO_LARGE. */
export function readBundleFile(path: string): Promise<Uint8Array | undefined> {
  return readTrusted(path, MAX_BUNDLE_BYTES, BUNDLE_READ);
}

/** A root that a person names. Undefined where there is no such file. Throws ROOT_INVALID. */
export function readRootFile(path: string): Promise<Uint8Array | undefined> {
  return readTrusted(path, MAX_DOCUMENT_BYTES, { unreadable: "ROOT_INVALID", tooLarge: "ROOT_INVALID" });
}

function describe(path: string, error: unknown): string {
  const name = basename(path);
  const { code } = error as { readonly code?: unknown };
  if (code === "EACCES" || code === "EPERM") return `${name}: permission denied`;
  if (code === "ENOTDIR") return `${name}: a part of its path is not a directory`;
  if (typeof code === "string") return `${name}: ${code}`;
  return error instanceof Error ? error.message : `${name} cannot be read`;
}
