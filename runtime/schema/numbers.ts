// Exact arithmetic on JSON numbers: integrality, multiples, and Cedar's four-place decimal.
import type { RawNumber } from "#std";

const NUMBER_SOURCE = /^(-?)(\d+)(?:\.(\d+))?(?:[eE]([+-]?\d+))?$/;
const DECIMAL_PLACES = 4;
const MAX_DECIMAL_UNITS = 2n ** 63n - 1n;
const MIN_DECIMAL_UNITS = -(2n ** 63n);

/** True where the source text denotes an integer, e.g. `9007199254740993` or `1e400`. */
export function isIntegralSource(number: RawNumber): boolean {
  const match = NUMBER_SOURCE.exec(number.rawJSON);
  if (match === null) return false;
  const [, , whole = "", fraction = "", exponent = "0"] = match;
  const digits = whole + fraction;
  // A loop, not a pattern: `/0+$/` is quadratic and the digits come from the caller.
  let end = digits.length;
  while (end > 0 && digits.charAt(end - 1) === "0") end -= 1;
  return end === 0 || Number(exponent) >= fraction.length - (digits.length - end);
}

function decimalParts(value: number): { readonly mantissa: bigint; readonly scale: number } {
  const match = NUMBER_SOURCE.exec(String(value));
  if (match === null) throw new RangeError("not a finite number");
  const [, sign = "", whole = "", fraction = "", exponent = "0"] = match;
  const mantissa = BigInt(`${sign}${whole}${fraction}`);
  const scale = fraction.length - Number(exponent);
  return scale >= 0 ? { mantissa, scale } : { mantissa: mantissa * 10n ** BigInt(-scale), scale: 0 };
}

/** Decides on the decimal numbers the text denotes, so that 0.3 is a multiple of 0.1. */
export function isMultipleOf(value: number, divisor: number): boolean {
  if (Number.isSafeInteger(value) && Number.isSafeInteger(divisor)) return value % divisor === 0;
  const a = decimalParts(value);
  const b = decimalParts(divisor);
  const scale = Math.max(a.scale, b.scale);
  return (a.mantissa * 10n ** BigInt(scale - a.scale)) % (b.mantissa * 10n ** BigInt(scale - b.scale)) === 0n;
}

/** The argument of Cedar's `decimal`, e.g. `"1.25"`; undefined where four places or its range do not hold the value. */
export function cedarDecimal(value: number): string | undefined {
  if (!Number.isFinite(value) || Object.is(value, -0) || Math.abs(value) >= 1e15) return undefined;
  const { mantissa, scale } = decimalParts(value);
  if (scale > DECIMAL_PLACES) return undefined;
  const units = mantissa * 10n ** BigInt(DECIMAL_PLACES - scale);
  if (units > MAX_DECIMAL_UNITS || units < MIN_DECIMAL_UNITS) return undefined;
  const text = String(value);
  return text.includes(".") ? text : `${text}.0`;
}
