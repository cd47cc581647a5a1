// The value encoding of mirrored headers (MCP 2026-07-28, Streamable HTTP, value encoding) in both directions.
import { AegisError } from "#errors";
import { isRawNumber } from "#std";
import type { JsonValue } from "#std";

const SENTINEL_PREFIX = "=?base64?";
const SENTINEL_SUFFIX = "?=";
/** Printable ASCII with inner tabs, no white space at the edges, not empty. */
const PLAIN_VALUE = /^[\x21-\x7e](?:[\t\x20-\x7e]*[\x21-\x7e])?$/;
const CANONICAL_BASE64 = /^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$/;
const utf8 = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

/**
 * The header form of a string: as is where it is plain ASCII without edge white space and control characters, else
 * `=?base64?<base64 of UTF-8>?=`. A value that looks encoded is encoded again.
 */
export function encodeHeaderValue(value: string): string {
  if (PLAIN_VALUE.test(value) && !value.includes("\t") && !looksEncoded(value)) return value;
  return SENTINEL_PREFIX + Buffer.from(value, "utf8").toString("base64") + SENTINEL_SUFFIX;
}

/**
 * The string a received header value stands for.
 * @throws {AegisError} HEADER_MISMATCH for characters outside plain ASCII, bad or non-canonical base64, bad UTF-8
 */
export function decodeHeaderValue(name: string, value: string): string {
  if (!PLAIN_VALUE.test(value)) throw mismatch(`${name} is not plain ASCII`);
  if (!looksEncoded(value)) return value;
  const encoded = value.slice(SENTINEL_PREFIX.length, -SENTINEL_SUFFIX.length);
  if (!CANONICAL_BASE64.test(encoded)) throw mismatch(`${name} is not canonical base64`);
  const bytes = Buffer.from(encoded, "base64");
  // Bits after the last whole byte must be zero, or one value has several spellings.
  if (bytes.toString("base64") !== encoded) throw mismatch(`${name} is not canonical base64`);
  try {
    return utf8.decode(bytes);
  } catch (cause) {
    throw new AegisError("HEADER_MISMATCH", `${name} is not UTF-8`, { cause });
  }
}

/**
 * The text of an argument that a header mirrors: strings as they are, integers in decimal, booleans by name.
 * Undefined where there is nothing to mirror: null, absent, fractions, unsafe integers, structures.
 */
export function headerTextOf(value: JsonValue | undefined): string | undefined {
  if (typeof value === "string") return value;
  if (typeof value === "boolean") return value ? "true" : "false";
  if (typeof value === "number" && Number.isSafeInteger(value)) return String(value);
  return undefined;
}

const DECIMAL = /^-?(?:0|[1-9]\d*)(?:\.0+)?$/;

/** True if a decoded header value equals the argument. Integers are compared as numbers. */
export function headerEquals(decoded: string, value: JsonValue): boolean {
  if (isRawNumber(value)) return decoded === value.rawJSON;
  if (typeof value === "number") return DECIMAL.test(decoded) && Number(decoded) === value;
  return decoded === headerTextOf(value);
}

function looksEncoded(value: string): boolean {
  const long = value.length >= SENTINEL_PREFIX.length + SENTINEL_SUFFIX.length;
  return long && value.startsWith(SENTINEL_PREFIX) && value.endsWith(SENTINEL_SUFFIX);
}

function mismatch(detail: string): AegisError {
  return new AegisError("HEADER_MISMATCH", detail);
}
