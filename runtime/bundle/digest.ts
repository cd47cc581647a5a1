// Content addresses: every digest in Aegis is lower-case hex sha-256.
import { createHash, hash } from "node:crypto";
import type { JsonObject } from "#std";
import { canonicalJson } from "./canonical-json.ts";
import type { Digest } from "./sections.ts";

/** Lower-case hex sha-256 of bytes, or of the UTF-8 form of a string. */
export function sha256Hex(data: Uint8Array | string): Digest {
  return hash("sha256", data, "hex");
}

/** Bytes hashed between two steps: some milliseconds at most. */
const HASH_STEP_BYTES = 1_048_576;

/** `sha256Hex` of bytes in steps, each a place where other work may run. */
export function* sha256Steps(data: Uint8Array): Generator<undefined, Digest> {
  const running = createHash("sha256");
  for (let start = 0; start < data.length; start += HASH_STEP_BYTES) {
    running.update(data.subarray(start, start + HASH_STEP_BYTES));
    yield;
  }
  return running.digest("hex");
}

/** Address of one approved definition: sha-256 of its canonical JSON, every member included. */
export function definitionDigest(definition: JsonObject): Digest {
  return sha256Hex(canonicalJson(definition));
}

/** Address of a bundle: sha-256 of the exact `.aegis` bytes, so that `sha256sum` prints the same. */
export function bundleDigest(bytes: Uint8Array): Digest {
  return sha256Hex(bytes);
}

/** True for 64 lower-case hex digits. */
export function isDigest(value: unknown): value is Digest {
  return typeof value === "string" && /^[0-9a-f]{64}$/.test(value);
}
