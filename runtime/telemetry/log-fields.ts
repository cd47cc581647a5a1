// Makes a value safe to stand in a log line: bounded, without secrets, on one line in any viewer.
import { hash } from "node:crypto";
import { isRawNumber } from "#std";
import { Secret } from "./secret.ts";

/** A value after cleaning. */
export type LogValue =
  string | number | boolean | null | readonly LogValue[] | { readonly [key: string]: LogValue };

const MAX_TEXT_CHARS = 2_048;
const KEPT_TEXT_CHARS = 256;
const MAX_DEPTH = 6;
const MAX_ENTRIES = 64;
const MAX_KEY_CHARS = 128;
const MAX_CAUSES = 4;
const REDACTED = "[redacted]";

// Names that only ever carry credentials. Compared without case, dashes and underscores.
const SECRET_NAMES: ReadonlySet<string> = new Set([
  "accesstoken",
  "apikey",
  "assertion",
  "authorization",
  "clientassertion",
  "clientsecret",
  "cookie",
  "dpop",
  "idtoken",
  "password",
  "privatekey",
  "proxyauthorization",
  "refreshtoken",
  "samlresponse",
  "secret",
  "sessiontoken",
  "setcookie",
  "subjecttoken",
  "token",
  "xapikey",
]);
// A compact JWS or JWE, and what follows an HTTP authentication scheme, wherever they stand in a text.
const TOKEN_IN_TEXT = /\beyJ[\w-]{4,}(?:\.[\w-]*){1,4}/g;
const CREDENTIALS_IN_TEXT = /\b(bearer|basic|dpop)\s+[\w.~+/=-]{8,}/gi;
// A credential by its name in a form body, query or JSON text.
const NAMED_IN_TEXT =
  /\b((?:access_token|refresh_token|id_token|subject_token|client_secret|client_assertion|assertion|password|SAMLResponse)"?\s*[:=]\s*"?)[^\s"&,;}]+/gi;
// What JSON leaves raw but a terminal or viewer may act on: DEL, C1, line separators, bidirectional controls, zero-width BOM.
const UNSAFE = /[\u007f-\u009f\u2028\u2029\u200e\u200f\u202a-\u202e\u2066-\u2069\ufeff]/g;

/** Text without credentials; a long one becomes its start, length and SHA-256. */
export function cleanText(text: string): string {
  const whole = text.length <= MAX_TEXT_CHARS ? text : shorten(text);
  return whole
    .replace(TOKEN_IN_TEXT, REDACTED)
    .replace(CREDENTIALS_IN_TEXT, `$1 ${REDACTED}`)
    .replace(NAMED_IN_TEXT, `$1${REDACTED}`);
}

function shorten(text: string): string {
  // The cut could go through a token, whose rest would then no longer look like one.
  const kept = text.slice(0, KEPT_TEXT_CHARS).replace(/\S*$/, "");
  return `${kept}… [${String(text.length)} characters, sha256 ${hash("sha256", text, "hex")}]`;
}

function isSecretName(name: string): boolean {
  return SECRET_NAMES.has(name.toLowerCase().replace(/[-_]/g, ""));
}

function cleanError(fault: Error, depth: number, causes: number): LogValue {
  const cleaned: Record<string, LogValue> = {
    name: cleanText(fault.name),
    message: cleanText(fault.message),
  };
  if ("code" in fault && typeof fault.code === "string") cleaned["code"] = cleanText(fault.code);
  if (fault.stack !== undefined) cleaned["stack"] = cleanText(fault.stack);
  if (fault.cause instanceof Error && causes < MAX_CAUSES)
    cleaned["cause"] = cleanError(fault.cause, depth, causes + 1);
  return cleaned;
}

function cleanObject(value: object, depth: number): LogValue {
  const cleaned = Object.create(null) as Record<string, LogValue>;
  const entries = Object.entries(value);
  for (const [name, entry] of entries.slice(0, MAX_ENTRIES)) {
    const key = cleanText(name).slice(0, MAX_KEY_CHARS);
    cleaned[key] = isSecretName(name) ? REDACTED : cleanValue(entry, depth + 1);
  }
  if (entries.length > MAX_ENTRIES) cleaned["…"] = entries.length - MAX_ENTRIES;
  return cleaned;
}

/** Any value as a log value: never throws on data, never follows more than 6 levels or 64 entries. */
export function cleanValue(value: unknown, depth = 0): LogValue {
  switch (typeof value) {
    case "string":
      return cleanText(value);
    case "number":
      return Number.isFinite(value) ? value : String(value);
    case "boolean":
      return value;
    case "bigint":
      return String(value);
    case "object":
      break;
    default:
      return value === undefined ? null : `[${typeof value}]`;
  }
  if (value === null) return null;
  if (value instanceof Secret) return value.toJSON();
  if (value instanceof Error) return cleanError(value, depth, 0);
  if (isRawNumber(value)) return cleanText(value.rawJSON);
  if (value instanceof Date) return Number.isNaN(value.getTime()) ? null : value.toISOString();
  if (ArrayBuffer.isView(value)) return `[${String(value.byteLength)} bytes]`;
  if (depth >= MAX_DEPTH) return "[too deep]";
  if (!Array.isArray(value)) return cleanObject(value, depth);
  const items: LogValue[] = value.slice(0, MAX_ENTRIES).map((item: unknown) => cleanValue(item, depth + 1));
  if (value.length > MAX_ENTRIES) items.push(`[${String(value.length - MAX_ENTRIES)} more]`);
  return items;
}

/** One JSON line, safe for a terminal. */
export function logLine(value: LogValue): string {
  const json = JSON.stringify(value);
  return `${json.replace(UNSAFE, (char) => `\\u${char.charCodeAt(0).toString(16).padStart(4, "0")}`)}\n`;
}
