// Cedar's decimal: four decimal places in 64 bits. https://docs.cedarpolicy.com/policies/syntax-datatypes.html#datatype-decimal
import { EvaluationError, integerOf, negate, toLong } from "./long.ts";
import type { Long } from "./long.ts";

/** A count of ten-thousandths. */
export class DecimalValue {
  readonly units: Long;
  constructor(units: Long) {
    this.units = units;
  }
  get key(): string {
    return `d${String(this.units)}`;
  }
}

const DECIMAL = /^(-?)([0-9]+)\.([0-9]{1,4})$/u;
const UNITS = 10_000;
/** Digits that a number holds exactly once it counts ten-thousandths. */
const SAFE_DIGITS = 11;

/** @throws {EvaluationError} for text that is not a Cedar decimal */
export function parseDecimal(text: string): DecimalValue {
  const match = DECIMAL.exec(text);
  if (match === null) throw new EvaluationError("not a decimal");
  const [, sign, whole = "", fraction = ""] = match;
  const places = Number(fraction.padEnd(4, "0"));
  if (whole.length <= SAFE_DIGITS) {
    const units = Number(whole) * UNITS + places;
    return new DecimalValue(sign === "-" ? negate(units) : units);
  }
  const units = integerOf(whole) * BigInt(UNITS) + BigInt(places);
  return new DecimalValue(toLong(sign === "-" ? -units : units));
}
