// JSON carried inside a string, read and written without losing a digit.
import { isJsonObject, rawNumber } from "#std";
import type { JsonValue } from "#std";

interface ReviverContext {
  readonly source?: string;
}

/**
 * Found in every text with a number that a double may not carry: sixteen digits or more, an exponent, a negative zero.
 * Fifteen significant digits always survive.
 */
const MAY_LOSE_A_NUMBER = /[\d.]{16}|\d[eE]|-0(?![1-9])/;

/** The value of a JSON text; undefined where the text is not JSON. Numbers a double cannot carry stay lossless. */
export function parseJsonText(text: string): JsonValue | undefined {
  try {
    if (!MAY_LOSE_A_NUMBER.test(text)) return JSON.parse(text) as JsonValue;
    return JSON.parse(text, numberKeeper() as (key: string, value: unknown) => unknown) as JsonValue;
  } catch {
    return undefined;
  }
}

/** More numbers that a double cannot carry than this are not looked at: the text is then not taken for JSON. */
const MAX_LOSSY_NUMBERS = 50_000;

// JSON.parse passes the source text of a primitive as third argument (ECMAScript proposal, V8 since 11.4).
function numberKeeper(): (key: string, value: unknown, context: ReviverContext) => unknown {
  let kept = 0;
  return (_key, value, { source }) => {
    if (typeof value !== "number" || source === undefined || String(value) === source) return value;
    if (isExact(value, source)) return value;
    if (++kept > MAX_LOSSY_NUMBERS) throw new RangeError("too many numbers that a double cannot carry");
    return rawNumber(source);
  };
}

const NUMBER_SOURCE = /^(-?)(\d+)(?:\.(\d+))?(?:[eE]([+-]?\d+))?$/;
/** A longer spelling of a number is kept as it is rather than compared. */
const MAX_NUMBER_LENGTH = 400;

/** Significant digits and exponent, the same for every spelling of one number. */
function normalForm(source: string): string {
  const match = NUMBER_SOURCE.exec(source);
  if (match === null) return source;
  const [, sign = "", whole = "", fraction = "", exponent = "0"] = match;
  const digits = whole + fraction;
  const significant = digits.replace(/0+$/, "");
  const scale = Number(exponent) - fraction.length + (digits.length - significant.length);
  const stripped = significant.replace(/^0+/, "");
  return stripped === "" ? `${sign}0` : `${sign}${stripped}e${scale}`;
}

function isExact(value: number, source: string): boolean {
  // JSON.stringify writes a negative zero without its sign.
  if (!Number.isFinite(value) || Object.is(value, -0) || source.length > MAX_NUMBER_LENGTH) return false;
  return normalForm(String(value)) === normalForm(source);
}

/** The object or list a text holds; undefined for prose and for a bare JSON scalar. */
export function parseJsonContainer(text: string): JsonValue | undefined {
  const start = text.trimStart().charAt(0);
  if (start !== "{" && start !== "[") return undefined;
  const value = parseJsonText(text);
  return isJsonObject(value) || Array.isArray(value) ? value : undefined;
}
