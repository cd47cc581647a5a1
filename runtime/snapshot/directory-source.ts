// A channel in a local directory.
import { join, resolve } from "node:path";
import {
  FileTooLargeError,
  MAX_BUNDLE_BYTES,
  MAX_DOCUMENT_BYTES,
  RELEASE_FILE,
  bundleFile,
  readBounded,
  rootFile,
  sha256Hex,
} from "#bundle";
import { TrustError } from "#errors";
import { BUNDLE_READ, ROOT_READ, STATEMENT_READ } from "./read-codes.ts";
import type { ReadCodes } from "./read-codes.ts";
import type { ReleaseSource } from "./release-source.ts";

export function createDirectorySource(path: string): ReleaseSource {
  const directory = resolve(path);
  const read = async (name: string, maxBytes: number, codes: ReadCodes): Promise<Uint8Array | undefined> => {
    try {
      return await readBounded(join(directory, name), maxBytes);
    } catch (error) {
      const code = error instanceof FileTooLargeError ? codes.tooLarge : codes.unreadable;
      throw new TrustError(code, `${name}: ${error instanceof Error ? error.message : "unreadable"}`, {
        cause: error,
      });
    }
  };
  return {
    origin: `dir:${directory}`,
    poll: async (etag, signal) => {
      signal.throwIfAborted();
      const bytes = await read(RELEASE_FILE, MAX_DOCUMENT_BYTES, STATEMENT_READ);
      if (bytes === undefined)
        throw new TrustError("RELEASE_SOURCE_UNAVAILABLE", `no ${RELEASE_FILE} in ${directory}`);
      const current = sha256Hex(bytes);
      return current === etag ? { kind: "unchanged" } : { kind: "statement", bytes, etag: current };
    },
    fetchBundle: async (digest, signal) => {
      signal.throwIfAborted();
      const bytes = await read(bundleFile(digest), MAX_BUNDLE_BYTES, BUNDLE_READ);
      if (bytes === undefined)
        throw new TrustError("BUNDLE_UNREADABLE", `no ${bundleFile(digest)} in ${directory}`);
      return bytes;
    },
    fetchRoot: async (version, signal) => {
      signal.throwIfAborted();
      return read(rootFile(version), MAX_DOCUMENT_BYTES, ROOT_READ);
    },
    close: () => Promise.resolve(),
  };
}
