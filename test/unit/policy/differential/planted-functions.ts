// A wrong implementation, as a mistake would make it, of each function of the extension types; at least one for each.
import {
  DateTimeValue,
  DurationValue,
  parseDateTime,
  parseDuration,
} from "../../../../runtime/policy/interpreter/date-time.ts";
import { DecimalValue, parseDecimal } from "../../../../runtime/policy/interpreter/decimal.ts";
import { IpValue, isInRange, parseIp } from "../../../../runtime/policy/interpreter/ip-address.ts";
import { EvaluationError } from "../../../../runtime/policy/interpreter/long.ts";
import { boolOf, keyOf, longOf, textOf } from "../../../../runtime/policy/interpreter/values.ts";
import type { Value } from "../../../../runtime/policy/interpreter/values.ts";
import { NO_FRAME, method, msOf, other, right, sound, wide } from "./plant.ts";
import type { PlantedBug } from "./plant.ts";

/** The method with another's implementation. */
const swapped = (name: string, instead: string): PlantedBug => {
  const { apply } = sound(right.functions, instead);
  return method(name, `is ${instead}`, apply as (receiver: Value, argument: Value) => Value);
};
const inverted = (name: string): PlantedBug => {
  const apply = sound(right.functions, name).apply as (receiver: Value, argument: Value) => Value;
  return method(name, "inverted", (receiver, argument) => !boolOf(apply(receiver, argument)));
};
/** The error of the sound implementation becomes a value. */
const lenient = (name: string, fallback: (argument: Value) => Value): PlantedBug => {
  const apply = sound(right.functions, name).apply as (receiver: Value, argument: Value) => Value;
  return method(name, "no error", (receiver, argument) => {
    try {
      return apply(receiver, argument);
    } catch (fault) {
      if (fault instanceof EvaluationError) return fallback(receiver);
      throw fault;
    }
  });
};
const flooring = (name: string, unitMs: bigint): PlantedBug =>
  method(name, "rounds down", (duration) => {
    if (!(duration instanceof DurationValue)) throw new EvaluationError("type error");
    const ms = BigInt(duration.ms);
    return Number(ms >= 0n ? ms / unitMs : -((-ms + unitMs - 1n) / unitMs));
  });

export const PLANTED_FUNCTIONS: readonly PlantedBug[] = [
  ...(["lessThan", "lessThanOrEqual", "greaterThan", "greaterThanOrEqual"] as const).map(inverted),
  swapped("lessThan", "lessThanOrEqual"),
  swapped("lessThanOrEqual", "lessThan"),
  swapped("greaterThan", "greaterThanOrEqual"),
  swapped("greaterThanOrEqual", "greaterThan"),
  swapped("lessThan", "greaterThan"),
  swapped("greaterThanOrEqual", "lessThanOrEqual"),
  lenient("decimal", () => new DecimalValue(0)),
  method("decimal", "−0.5 is 0.5", (text) =>
    parseDecimal(textOf(text).startsWith("-0.") ? textOf(text).slice(1) : textOf(text)),
  ),
  method("decimal", "digits after the point not padded", (text) => {
    const { units } = parseDecimal(textOf(text));
    return textOf(text).split(".")[1]?.length === 1
      ? new DecimalValue(BigInt(units) / 10n)
      : new DecimalValue(units);
  }),
  method("decimal", "five digits cut to four", (text) =>
    parseDecimal(textOf(text).replace(/(\.[0-9]{4})[0-9]+$/u, "$1")),
  ),
  method("decimal", "plus sign", (text) => parseDecimal(textOf(text).replace(/^\+/u, ""))),
  method("decimal", "spaces", (text) => parseDecimal(textOf(text).trim())),
  inverted("isIpv4"),
  inverted("isIpv6"),
  inverted("isLoopback"),
  inverted("isMulticast"),
  inverted("isInRange"),
  method("isLoopback", "ignores the prefix", (ip) => {
    const { isV6, address } = ip as IpValue;
    if (isV6 === undefined) throw new EvaluationError("type error");
    return isV6 ? address === 1n : Math.floor(Number(address) / 2 ** 24) === 127;
  }),
  method(
    "isLoopback",
    "127.0.0.1 and ::1 only",
    (ip) =>
      ["i4:2130706433/32", "i6:1/128"].includes(keyOf(ip)) ||
      boolOf(sound(right.functions, "isIpv4").apply(ip, ip)) === undefined,
  ),
  method("isMulticast", "ignores the prefix", (ip) => {
    const { isV6, address } = ip as IpValue;
    if (isV6 === undefined) throw new EvaluationError("type error");
    return isV6 ? BigInt(address) >> 120n === 0xffn : Math.floor(Number(address) / 2 ** 28) === 14;
  }),
  method("isInRange", "operands swapped", (inner, outer) =>
    sound(right.functions, "isInRange").apply(outer, inner),
  ),
  method("isInRange", "inner prefix ignored", (inner, outer) => {
    const range = sound(right.functions, "isInRange").apply(inner, outer);
    if (!(inner instanceof IpValue) || !(outer instanceof IpValue)) return range;
    return isInRange(new IpValue(inner.isV6, inner.address, inner.isV6 ? 128 : 32), outer);
  }),
  method(
    "isInRange",
    "/0 holds nothing",
    (inner, outer) =>
      boolOf(sound(right.functions, "isInRange").apply(inner, outer)) && (outer as IpValue).prefix > 0,
  ),
  method(
    "isInRange",
    "::/0 holds IPv4",
    (inner, outer) =>
      boolOf(sound(right.functions, "isInRange").apply(inner, outer)) || keyOf(outer) === "i6:0/0",
  ),
  method("isInRange", "IPv4-mapped addresses are IPv4", (inner, outer) => {
    const mapped = (ip: Value): Value =>
      ip instanceof IpValue && ip.isV6 && BigInt(ip.address) >> 32n === 0xffffn && ip.prefix >= 96
        ? new IpValue(false, Number(BigInt(ip.address) & 0xffffffffn), ip.prefix - 96)
        : ip;
    return sound(right.functions, "isInRange").apply(mapped(inner), mapped(outer));
  }),
  lenient("ip", () => parseIp("10.1.2.3")),
  method("ip", "prefix dropped", (text) => parseIp(textOf(text).split("/")[0] ?? "")),
  method("ip", "host part dropped", (text) => {
    const { isV6, address, prefix } = parseIp(textOf(text));
    const host = BigInt((isV6 ? 128 : 32) - prefix);
    const network = (BigInt(address) >> host) << host;
    return new IpValue(isV6, isV6 ? network : Number(network), prefix);
  }),
  method("ip", "IPv4 in IPv6", (text) =>
    parseIp(textOf(text).replace(/^::ffff:10\.1\.2\.3$/u, "::ffff:a01:203")),
  ),
  method("ip", "leading zeros in a prefix", (text) => parseIp(textOf(text).replace(/\/0+([0-9])/u, "/$1"))),
  method("ip", "leading zeros in an octet", (text) => parseIp(textOf(text).replace(/^0+([1-9])/u, "$1"))),
  method("ip", "a zone", (text) => parseIp(textOf(text).replace(/%.*$/u, ""))),
  method("ip", ":: for no group", (text) => parseIp(textOf(text).replace(/^1:2:3:4::5/u, "1:2:3:4:5"))),
  lenient("datetime", () => new DateTimeValue(0)),
  method("datetime", "offset with the wrong sign", (text) => {
    const swap = textOf(text).replace(
      /([+-])([0-9]{4})$/u,
      (_all, sign: string, digits: string) => (sign === "+" ? "-" : "+") + digits,
    );
    return parseDateTime(/T.*[+-][0-9]{4}$/u.test(textOf(text)) ? swap : textOf(text));
  }),
  method("datetime", "offset ignored", (text) =>
    parseDateTime(textOf(text).replace(/(T.*)[+-][0-9]{4}$/u, "$1Z")),
  ),
  method("datetime", "milliseconds ignored", (text) =>
    parseDateTime(textOf(text).replace(/\.[0-9]{3}/u, "")),
  ),
  method("datetime", "as Date.parse", (text) => {
    const ms = Date.parse(textOf(text));
    if (Number.isNaN(ms)) throw new EvaluationError("not a datetime");
    return new DateTimeValue(ms);
  }),
  method("datetime", "29 February every year", (text) =>
    parseDateTime(textOf(text).replace(/^(?:2023|1900)-02-29/u, "2024-02-29")),
  ),
  method("datetime", "years of the 20th century", (text) => {
    const { ms } = parseDateTime(textOf(text));
    return new DateTimeValue(textOf(text).startsWith("00") ? Number(ms) + 59_958_144_000_000 : ms);
  }),
  method("datetime", "leap second", (text) => parseDateTime(textOf(text).replace(":60Z", ":59Z"))),
  method("offset", "subtracts", (time, by) => {
    sound(right.functions, "offset").apply(time, by);
    return new DateTimeValue(longOf(other("-")(msOf(time), msOf(by), NO_FRAME)));
  }),
  method("offset", "no overflow check", (time, by) => {
    if (!(time instanceof DateTimeValue) || !(by instanceof DurationValue))
      throw new EvaluationError("type error");
    return new DateTimeValue(longOf(wide((a, b) => a + b)(time.ms, by.ms, NO_FRAME)));
  }),
  method("durationSince", "operands swapped", (time, since) =>
    sound(right.functions, "durationSince").apply(since, time),
  ),
  method("durationSince", "absolute", (time, since) => {
    const { ms } = sound(right.functions, "durationSince").apply(time, since) as DurationValue;
    return new DurationValue(ms < 0 ? longOf(sound(right.unary, "neg")(ms)) : ms);
  }),
  method("toDate", "truncates toward zero", (time) => {
    if (!(time instanceof DateTimeValue)) throw new EvaluationError("type error");
    const ms = BigInt(time.ms);
    const date = ms - (ms % 86_400_000n);
    return new DateTimeValue(Number.isSafeInteger(Number(date)) ? Number(date) : date);
  }),
  method("toDate", "identity", (time) => {
    sound(right.functions, "toDate").apply(time, time);
    return time;
  }),
  method("toTime", "negative before 1970", (time) => {
    if (!(time instanceof DateTimeValue)) throw new EvaluationError("type error");
    return new DurationValue(Number(BigInt(time.ms) % 86_400_000n));
  }),
  method("toTime", "the whole time", (time) => {
    if (!(time instanceof DateTimeValue)) throw new EvaluationError("type error");
    return new DurationValue(time.ms);
  }),
  lenient("duration", () => new DurationValue(0)),
  method("duration", "sign ignored", (text) => {
    const { ms } = parseDuration(textOf(text));
    return new DurationValue(ms < 0 && ms > -1e15 ? 0 - Number(ms) : ms);
  }),
  method("duration", "m means month", (text) => {
    const { ms } = parseDuration(textOf(text));
    return new DurationValue(/[0-9]m(?!s)/u.test(textOf(text)) ? Number(ms) * 43_200 : ms);
  }),
  method("duration", "no overflow check", (text) => {
    try {
      return parseDuration(textOf(text));
    } catch (fault) {
      if (/^-?[0-9]+ms$/u.test(textOf(text))) return new DurationValue(BigInt(textOf(text).slice(0, -2)));
      throw fault;
    }
  }),
  method("duration", "empty is zero", (text) => parseDuration(textOf(text) === "" ? "0s" : textOf(text))),
  flooring("toSeconds", 1_000n),
  flooring("toMinutes", 60_000n),
  flooring("toHours", 3_600_000n),
  flooring("toDays", 86_400_000n),
  swapped("toMilliseconds", "toSeconds"),
  swapped("toSeconds", "toMilliseconds"),
  swapped("toMinutes", "toSeconds"),
  swapped("toHours", "toMinutes"),
  swapped("toDays", "toHours"),
];
