// The texts of Cedar's extension types as numbers. A form that is not known here is outside of the fragment.
import { durationMsOf } from "../calls/request-values.ts";
import { OutsideFragment, integer } from "./terms.ts";
import { scalar } from "./symbolic-values.ts";
import type { SymbolicValue } from "./symbolic-values.ts";

const DECIMAL = /^(-?)([0-9]{1,14})\.([0-9]{1,4})$/u;
const UNITS = 10_000n;

/** The value of a constructor (`decimal`, `ip`, `datetime`, `duration`) on a literal. @throws {OutsideFragment} */
export function extensionLiteral(constructor: string, literal: string): SymbolicValue {
  switch (constructor) {
    case "decimal":
      return scalar("Decimal", integer(known(decimalUnits(literal), "this decimal")));
    case "datetime":
      return scalar("DateTime", integer(known(dateTimeMs(literal), "this datetime")));
    case "duration":
      return scalar("Duration", integer(known(durationMs(literal), "this duration")));
    case "ip":
      return ipLiteral(literal);
    default:
      throw new OutsideFragment(constructor);
  }
}

function known<T>(value: T | undefined, construct: string): T {
  if (value === undefined) throw new OutsideFragment(construct);
  return value;
}

/** Ten-thousandths. */
export function decimalUnits(literal: string): bigint | undefined {
  const match = DECIMAL.exec(literal);
  if (match === null) return undefined;
  const [, sign, whole = "", fraction = ""] = match;
  const units = BigInt(whole) * UNITS + BigInt(fraction.padEnd(4, "0"));
  return sign === "-" ? -units : units;
}

const DATE_TIME = /^[0-9]{4}-[0-9]{2}-[0-9]{2}(?:T[0-9]{2}:[0-9]{2}:[0-9]{2}(?:\.[0-9]{3})?Z)?$/u;

function dateTimeMs(literal: string): number | undefined {
  const ms = DATE_TIME.test(literal) ? Date.parse(literal) : Number.NaN;
  return Number.isNaN(ms) ? undefined : ms;
}

function durationMs(literal: string): number | undefined {
  const ms = literal === "" || literal === "-" ? undefined : durationMsOf(literal);
  return ms !== undefined && Number.isSafeInteger(ms) ? ms + 0 : undefined;
}

function ipLiteral(literal: string): SymbolicValue {
  const [host = "", prefix, ...more] = literal.split("/");
  const isV6 = host.includes(":");
  const bits = isV6 ? 128 : 32;
  const length = prefix === undefined ? bits : /^(?:0|[1-9][0-9]{0,2})$/u.test(prefix) ? Number(prefix) : -1;
  const address = more.length > 0 ? undefined : isV6 ? v6(host) : v4(host);
  if (address === undefined || length < 0 || length > bits) throw new OutsideFragment("this IP address");
  return { kind: "Ip", isV6: String(isV6), address: integer(address), prefix: integer(length) };
}

function v4(host: string): bigint | undefined {
  const octets = host.split(".");
  const isAddress =
    octets.length === 4 &&
    octets.every((octet) => /^(?:0|[1-9][0-9]{0,2})$/u.test(octet) && Number(octet) <= 255);
  return isAddress ? octets.reduce((sum, octet) => sum * 256n + BigInt(octet), 0n) : undefined;
}

function v6(host: string): bigint | undefined {
  const halves = host.split("::");
  if (halves.length > 2) return undefined;
  const [head = [], tail = []] = halves.map((half) => (half === "" ? [] : half.split(":")));
  const missing = 8 - head.length - tail.length;
  if (halves.length === 1 ? missing !== 0 : missing < 1) return undefined;
  const groups = [...head, ...new Array<string>(missing).fill("0"), ...tail];
  if (!groups.every((group) => /^[0-9a-fA-F]{1,4}$/u.test(group))) return undefined;
  return groups.reduce((sum, group) => sum * 65_536n + BigInt(`0x${group}`), 0n);
}
