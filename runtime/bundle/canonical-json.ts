// One text for one JSON value (RFC 8785, JCS): the bytes that digests and signatures are computed over.
import { isRawNumber } from "#std";

/** Deepest nesting that a canonical text may have. Deeper input is refused, never recursed into. */
export const MAX_JSON_DEPTH = 200;

/**
 * RFC 8785 text of `value`: members sorted by UTF-16 code units, shortest round-trip numbers, no white space.
 * A lossless number (`RawNumber`) is written by its mathematical value, so that its spelling does not matter: as a
 * double where a double carries it, else as `<digits>` or `<digits>e<exponent>`.
 *
 * Throws TypeError for what JSON cannot carry: undefined, functions, NaN, infinities, bigint, lone surrogates,
 * nesting deeper than `MAX_JSON_DEPTH`. Nothing is ever dropped silently.
 */
export function canonicalJson(value: unknown): string {
  return write(value, 0);
}

function write(value: unknown, depth: number): string {
  if (depth > MAX_JSON_DEPTH) throw new TypeError(`nesting is deeper than ${String(MAX_JSON_DEPTH)}`);
  switch (typeof value) {
    case "string":
      return writeString(value);
    case "number":
      if (!Number.isFinite(value)) throw new TypeError(`${String(value)} is not a JSON number`);
      return JSON.stringify(value);
    case "boolean":
      return value ? "true" : "false";
    case "object":
      if (value === null) return "null";
      if (isRawNumber(value)) return canonicalNumber(value.rawJSON);
      if (Array.isArray(value)) return writeArray(value, depth);
      return writeObject(value as Readonly<Record<string, unknown>>, depth);
    default:
      throw new TypeError(`a value of type ${typeof value} is not JSON`);
  }
}

function writeString(value: string): string {
  // RFC 8785 section 3.2.2.2: text that is not well-formed Unicode has no canonical form.
  if (!value.isWellFormed()) throw new TypeError("a string contains a lone surrogate");
  return JSON.stringify(value);
}

function writeArray(items: readonly unknown[], depth: number): string {
  let text = "[";
  for (let index = 0; index < items.length; index++) {
    if (index > 0) text += ",";
    text += write(items[index], depth + 1);
  }
  return `${text}]`;
}

function writeObject(members: Readonly<Record<string, unknown>>, depth: number): string {
  let text = "{";
  let separator = "";
  for (const name of Object.keys(members).sort()) {
    text += `${separator}${writeString(name)}:${write(members[name], depth + 1)}`;
    separator = ",";
  }
  return `${text}}`;
}

/** Decimal value of a number's source text: `digits * 10^exponent`, digits without leading or trailing zeros. */
function decimalOf(source: string): string {
  const match = /^(-?)(\d+)(?:\.(\d+))?(?:[eE]([+-]?\d{1,9}))?$/.exec(source);
  if (match === null) throw new TypeError("a number has no canonical form");
  const [, sign = "", whole = "", fraction = "", exponentText = "0"] = match;
  const digits = `${whole}${fraction}`.replace(/^0+/, "");
  if (digits === "") return "0";
  const significant = digits.replace(/0+$/, "");
  const exponent = Number(exponentText) - fraction.length + (digits.length - significant.length);
  if (exponent === 0) return sign + significant;
  // Whole numbers of a usual length keep their usual look.
  if (exponent > 0 && exponent <= 40) return sign + significant + "0".repeat(exponent);
  return `${sign}${significant}e${String(exponent)}`;
}

/** Canonical text of a number given by its source text. */
export function canonicalNumber(source: string): string {
  const asDouble = Number(source);
  const decimal = decimalOf(source);
  if (Number.isFinite(asDouble) && decimalOf(String(asDouble)) === decimal) return JSON.stringify(asDouble);
  return decimal;
}
