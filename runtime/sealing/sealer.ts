// State that a client carries for the gateway: cursors, `requestState`, task ids. Sealed so that only this gateway (or a
// replica with the same key) can have made it, that nobody can read it, and that it serves only whom it was made for.
import { createCipheriv, createDecipheriv, hkdfSync, randomBytes } from "node:crypto";
import { isJsonObject } from "#std";
import type { JsonObject, JsonValue } from "#std";

/** What a sealed text is for. One made for another purpose does not open. */
export type SealPurpose = "cursor" | "request-state" | "task";

export interface Sealer {
  /**
   * @param binding whom and what the text is for, e.g. the caller's `bindingKey`; it must be given again to open it.
   * @param ttlMs how long it opens; at least 1.
   * @returns base64url text, without padding.
   */
  readonly seal: (purpose: SealPurpose, binding: string, payload: JsonObject, ttlMs: number) => string;
  /** The payload, or undefined for whatever was not sealed here, for this purpose and binding, or is too old. */
  readonly open: (purpose: SealPurpose, binding: string, sealed: string) => JsonObject | undefined;
}

export interface SealerOptions {
  /** At least 32 bytes. The same on every replica, so that a client may go on at another. */
  readonly key: Uint8Array;
  readonly nowMs: () => number;
}

export const SEALING_KEY_MIN_BYTES = 32;
/** UTF-16 code units of a sealed text that is looked at. */
const MAX_SEALED_CHARS = 131_072;
const IV_BYTES = 12;
const TAG_BYTES = 16;
const CIPHER = "aes-256-gcm";

/** AES-256-GCM under a key derived for each purpose (RFC 5869). @throws {RangeError} for a short key */
export function createSealer({ key, nowMs }: SealerOptions): Sealer {
  if (key.byteLength < SEALING_KEY_MIN_BYTES)
    throw new RangeError(`a sealing key has at least ${SEALING_KEY_MIN_BYTES} bytes`);
  const keys = new Map<SealPurpose, Buffer>();
  const keyFor = (purpose: SealPurpose): Buffer => {
    const known = keys.get(purpose);
    if (known !== undefined) return known;
    const derived = Buffer.from(
      hkdfSync("sha256", key, new Uint8Array(0), `aegis.sealing.v1.${purpose}`, 32),
    );
    keys.set(purpose, derived);
    return derived;
  };
  return {
    seal: (purpose, binding, payload, ttlMs) => {
      const iv = randomBytes(IV_BYTES);
      const cipher = createCipheriv(CIPHER, keyFor(purpose), iv);
      cipher.setAAD(Buffer.from(binding, "utf8"));
      const text = JSON.stringify({ until: nowMs() + Math.max(1, ttlMs), payload });
      const sealed = Buffer.concat([iv, cipher.update(text, "utf8"), cipher.final(), cipher.getAuthTag()]);
      return sealed.toString("base64url");
    },
    open: (purpose, binding, sealed) => {
      if (sealed.length > MAX_SEALED_CHARS || !/^[\w-]+$/u.test(sealed)) return undefined;
      const bytes = Buffer.from(sealed, "base64url");
      if (bytes.length <= IV_BYTES + TAG_BYTES || bytes.toString("base64url") !== sealed) return undefined;
      const read = decrypt(keyFor(purpose), binding, bytes);
      if (!isJsonObject(read)) return undefined;
      const { until, payload } = read;
      return typeof until === "number" && nowMs() < until && isJsonObject(payload) ? payload : undefined;
    },
  };
}

function decrypt(key: Buffer, binding: string, bytes: Buffer): JsonValue | undefined {
  try {
    const decipher = createDecipheriv(CIPHER, key, bytes.subarray(0, IV_BYTES));
    decipher.setAAD(Buffer.from(binding, "utf8"));
    decipher.setAuthTag(bytes.subarray(-TAG_BYTES));
    const text = Buffer.concat([decipher.update(bytes.subarray(IV_BYTES, -TAG_BYTES)), decipher.final()]);
    return JSON.parse(text.toString("utf8")) as JsonValue;
  } catch {
    return undefined;
  }
}
