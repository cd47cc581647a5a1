// Cedar's Long: 64 bits, every overflow an error. A number while that is exact, else a bigint, so that each integer has
// one form and `===` is equality.

/** A Cedar evaluation error: the policy that raised it is neither satisfied nor unsatisfied. */
export class EvaluationError extends Error {}

export type Long = number | bigint;

const MIN_LONG = -(2n ** 63n);
const MAX_LONG = 2n ** 63n - 1n;

/** The one form of an integer. @throws {EvaluationError} outside 64 bits */
export function toLong(value: bigint): Long {
  if (value < MIN_LONG || value > MAX_LONG) throw new EvaluationError("integer overflow");
  const asNumber = Number(value);
  return Number.isSafeInteger(asNumber) ? asNumber : value;
}

// A result that is a safe integer is exact: the rounding of a larger one never lands among the safe integers. Adding
// zero turns −0 into 0.

/** @throws {EvaluationError} on overflow */
export function add(left: Long, right: Long): Long {
  if (typeof left === "number" && typeof right === "number") {
    const sum = left + right;
    if (Number.isSafeInteger(sum)) return sum;
  }
  return toLong(BigInt(left) + BigInt(right));
}

/** @throws {EvaluationError} on overflow */
export function subtract(left: Long, right: Long): Long {
  if (typeof left === "number" && typeof right === "number") {
    const difference = left - right;
    if (Number.isSafeInteger(difference)) return difference;
  }
  return toLong(BigInt(left) - BigInt(right));
}

/** @throws {EvaluationError} on overflow */
export function multiply(left: Long, right: Long): Long {
  if (typeof left === "number" && typeof right === "number") {
    const product = left * right;
    if (Number.isSafeInteger(product)) return product + 0;
  }
  return toLong(BigInt(left) * BigInt(right));
}

/** @throws {EvaluationError} on overflow */
export function negate(value: Long): Long {
  return subtract(0, value);
}

/** Quotient rounded toward zero, as Rust's `/`. `divisor` is a positive safe integer. */
export function divideTruncating(value: Long, divisor: number): Long {
  if (typeof value === "number") return (value - (value % divisor)) / divisor + 0;
  return toLong(value / BigInt(divisor));
}

/** Remainder in [0, divisor), as Rust's `rem_euclid`. `divisor` is a positive safe integer. */
export function remainderEuclidean(value: Long, divisor: number): number {
  const remainder = typeof value === "number" ? value % divisor : Number(value % BigInt(divisor));
  return remainder < 0 ? remainder + divisor : remainder + 0;
}

const LEADING_ZEROS = /^0+(?=[0-9])/u;
/** Digits of the largest Long. */
const maxDigits = 19;

/** An unsigned integer in text, not yet a Long: it may be one too large. @throws {EvaluationError} where it is far larger */
export function integerOf(digits: string): bigint {
  const significant = digits.replace(LEADING_ZEROS, "");
  // Reading digits takes time that grows faster than their number.
  if (significant.length > maxDigits) throw new EvaluationError("integer overflow");
  return BigInt(significant);
}

const DIGITS = /^-?[0-9]+$/u;

/** A JSON number of a policy as cedar-wasm reads it: by its shortest text. Undefined where that is no Long. */
export function longOfJson(value: number): Long | undefined {
  if (Number.isSafeInteger(value)) return value + 0;
  const text = String(value);
  if (!DIGITS.test(text)) return undefined;
  const exact = BigInt(text);
  return exact < MIN_LONG || exact > MAX_LONG ? undefined : exact;
}
