// Planted bugs: for each entry of the operator table at least one wrong implementation, as a mistake would make it. The
// differential test must see every one of them.
import {
  DateTimeValue,
  DurationValue,
  parseDateTime,
  parseDuration,
} from "../../../../runtime/policy/interpreter/date-time.ts";
import { DecimalValue, parseDecimal } from "../../../../runtime/policy/interpreter/decimal.ts";
import type { Evaluate } from "../../../../runtime/policy/interpreter/frame.ts";
import { IpValue, isInRange, parseIp } from "../../../../runtime/policy/interpreter/ip-address.ts";
import { matchesPattern } from "../../../../runtime/policy/interpreter/like.ts";
import { EvaluationError } from "../../../../runtime/policy/interpreter/long.ts";
import type { Long } from "../../../../runtime/policy/interpreter/long.ts";
import { OPERATORS } from "../../../../runtime/policy/interpreter/operators.ts";
import type {
  BinaryOperator,
  ExtensionFunction,
  OperatorTable,
  UnaryOperator,
} from "../../../../runtime/policy/interpreter/operators.ts";
import {
  EntityValue,
  RecordValue,
  SetValue,
  boolOf,
  entityOf,
  keyOf,
  longOf,
  setOf,
  textOf,
} from "../../../../runtime/policy/interpreter/values.ts";
import type { Value } from "../../../../runtime/policy/interpreter/values.ts";

export interface PlantedBug {
  /** `group.entry`, as in the table. */
  readonly operator: string;
  readonly bug: string;
  readonly table: OperatorTable;
}

const right = OPERATORS;
const sound = <T>(entries: Readonly<Record<string, T>>, name: string): T => {
  const entry = entries[name];
  if (entry === undefined) throw new Error(`the operator table has no ${name}`);
  return entry;
};

const lazy = (
  name: keyof OperatorTable["lazy"],
  bug: string,
  entry: (...operands: readonly Evaluate[]) => Evaluate,
): PlantedBug => ({
  operator: `lazy.${name}`,
  bug,
  table: { ...right, lazy: { ...right.lazy, [name]: entry } },
});
const unary = (name: string, bug: string, entry: UnaryOperator): PlantedBug => ({
  operator: `unary.${name}`,
  bug,
  table: { ...right, unary: { ...right.unary, [name]: entry } },
});
const binary = (name: string, bug: string, entry: BinaryOperator): PlantedBug => ({
  operator: `binary.${name}`,
  bug,
  table: { ...right, binary: { ...right.binary, [name]: entry } },
});
const method = (
  name: string,
  bug: string,
  apply: (receiver: Value, argument: Value) => Value,
): PlantedBug => {
  const { arity } = sound(right.functions, name);
  const entry = { arity, apply } as ExtensionFunction;
  return {
    operator: `functions.${name}`,
    bug,
    table: { ...right, functions: { ...right.functions, [name]: entry } },
  };
};
const named = <K extends keyof OperatorTable["named"]>(
  name: K,
  bug: string,
  entry: OperatorTable["named"][K],
): PlantedBug => ({
  operator: `named.${name}`,
  bug,
  table: { ...right, named: { ...right.named, [name]: entry } },
});
const clause = (name: keyof OperatorTable["clauses"], bug: string, entry: UnaryOperator): PlantedBug => ({
  operator: `clauses.${name}`,
  bug,
  table: { ...right, clauses: { ...right.clauses, [name]: entry } },
});
const verdict = (bug: string, allows: OperatorTable["allows"]): PlantedBug => ({
  operator: "allows",
  bug,
  table: { ...right, allows },
});

const at = (operands: readonly Evaluate[], index: number): Evaluate => {
  const operand = operands[index];
  if (operand === undefined) throw new Error("too few operands");
  return operand;
};
const other = (name: string): BinaryOperator => sound(right.binary, name);
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
const wide =
  (apply: (left: bigint, other: bigint) => bigint): BinaryOperator =>
  (left, argument) => {
    const exact = apply(BigInt(longOf(left)), BigInt(longOf(argument)));
    const asNumber = Number(exact);
    return Number.isSafeInteger(asNumber) ? asNumber : exact;
  };
const rounded =
  (apply: (left: number, other: number) => number): BinaryOperator =>
  (left, argument) =>
    apply(Number(longOf(left)), Number(longOf(argument))) + 0;
const wrapped =
  (apply: (left: bigint, other: bigint) => bigint): BinaryOperator =>
  (left, argument) => {
    const exact = BigInt.asIntN(64, apply(BigInt(longOf(left)), BigInt(longOf(argument))));
    return Number.isSafeInteger(Number(exact)) ? Number(exact) : exact;
  };
const msOf = (value: Value): Long => (value as DateTimeValue | DurationValue).ms;
const flooring = (name: string, unitMs: bigint): PlantedBug =>
  method(name, "rounds down", (duration) => {
    if (!(duration instanceof DurationValue)) throw new EvaluationError("type error");
    const ms = BigInt(duration.ms);
    return Number(ms >= 0n ? ms / unitMs : -((-ms + unitMs - 1n) / unitMs));
  });
const orderSlip = (name: string, instead: string): PlantedBug =>
  binary(name, `is ${instead}`, other(instead));
const untypedOrder = (name: string, holds: (a: Long, b: Long) => boolean): PlantedBug =>
  binary(name, "compares a datetime with a duration", (left, argument) => {
    const isTime = (value: Value): boolean =>
      value instanceof DateTimeValue || value instanceof DurationValue;
    return isTime(left) && isTime(argument)
      ? holds(msOf(left), msOf(argument))
      : other(name)(left, argument, NO_FRAME);
  });
const NO_FRAME = {
  principal: new EntityValue("", ""),
  action: new EntityValue("", ""),
  resource: new EntityValue("", ""),
  context: new RecordValue(new Map()),
  entities: new Map(),
};

export const PLANTED_BUGS: readonly PlantedBug[] = [
  lazy("&&", "is ||", (...operands) => right.lazy["||"](at(operands, 0), at(operands, 1))),
  lazy("&&", "no short circuit", (...operands) => (frame) => {
    const [left, argument] = [boolOf(at(operands, 0)(frame)), boolOf(at(operands, 1)(frame))];
    return left && argument;
  }),
  lazy("&&", "right side first", (...operands) => right.lazy["&&"](at(operands, 1), at(operands, 0))),
  lazy(
    "&&",
    "right side of any type",
    (...operands) =>
      (frame) =>
        boolOf(at(operands, 0)(frame)) && at(operands, 1)(frame),
  ),
  lazy("||", "is &&", (...operands) => right.lazy["&&"](at(operands, 0), at(operands, 1))),
  lazy("||", "no short circuit", (...operands) => (frame) => {
    const [left, argument] = [boolOf(at(operands, 0)(frame)), boolOf(at(operands, 1)(frame))];
    return left || argument;
  }),
  lazy("||", "right side first", (...operands) => right.lazy["||"](at(operands, 1), at(operands, 0))),
  lazy("if-then-else", "branches swapped", (...operands) =>
    right.lazy["if-then-else"](at(operands, 0), at(operands, 2), at(operands, 1)),
  ),
  lazy("if-then-else", "both branches evaluated", (...operands) => (frame) => {
    const [test, then, otherwise] = operands.map((operand) => operand(frame));
    return boolOf(test as Value) ? (then as Value) : (otherwise as Value);
  }),
  unary("!", "identity", boolOf),
  unary("neg", "identity", longOf),
  unary("neg", "no overflow check", (value) => wide((a, b) => b - a)(value, 0, NO_FRAME)),
  unary("isEmpty", "inverted", (value) => setOf(value).size > 0),
  unary("isEmpty", "true for one member", (value) => setOf(value).size <= 1),
  binary("==", "always true", () => true),
  binary("==", "unequal types err", (left, argument, frame) => {
    if (typeof left !== typeof argument) throw new EvaluationError("type error");
    return other("==")(left, argument, frame);
  }),
  binary("==", "entities by id alone", (left, argument, frame) =>
    left instanceof EntityValue && argument instanceof EntityValue
      ? left.id === argument.id
      : other("==")(left, argument, frame),
  ),
  binary("==", "entities by type alone", (left, argument, frame) =>
    left instanceof EntityValue && argument instanceof EntityValue
      ? left.type === argument.type
      : other("==")(left, argument, frame),
  ),
  binary("==", "sets by size", (left, argument, frame) =>
    left instanceof SetValue && argument instanceof SetValue
      ? left.size === argument.size
      : other("==")(left, argument, frame),
  ),
  binary("==", "a set equals its superset", (left, argument, frame) =>
    left instanceof SetValue && argument instanceof SetValue
      ? argument.includes(left)
      : other("==")(left, argument, frame),
  ),
  binary("==", "records by names", (left, argument, frame) =>
    left instanceof RecordValue && argument instanceof RecordValue
      ? left.names().join() === argument.names().join()
      : other("==")(left, argument, frame),
  ),
  binary("==", "extension values by identity", (left, argument, frame) =>
    left instanceof IpValue ||
    left instanceof DecimalValue ||
    left instanceof DateTimeValue ||
    left instanceof DurationValue
      ? left === argument
      : other("==")(left, argument, frame),
  ),
  binary("==", "ranges by network", (left, argument, frame) =>
    left instanceof IpValue && argument instanceof IpValue
      ? isInRange(left, argument) && isInRange(argument, left)
      : other("==")(left, argument, frame),
  ),
  binary("==", "numbers rounded to doubles", (left, argument, frame) =>
    typeof left === "bigint" || typeof argument === "bigint"
      ? keyOf(left).startsWith("n") &&
        keyOf(argument).startsWith("n") &&
        Number(left as Long) === Number(argument as Long)
      : other("==")(left, argument, frame),
  ),
  binary("!=", "is ==", other("==")),
  ...(["<", "<=", ">", ">="] as const).flatMap((name) => {
    const near = { "<": "<=", "<=": "<", ">": ">=", ">=": ">" }[name];
    const far = { "<": ">", "<=": ">=", ">": "<", ">=": "<=" }[name];
    const holds = {
      "<": (a: Long, b: Long) => a < b,
      "<=": (a: Long, b: Long) => a <= b,
      ">": (a: Long, b: Long) => a > b,
      ">=": (a: Long, b: Long) => a >= b,
    }[name];
    return [
      orderSlip(name, near),
      orderSlip(name, far),
      untypedOrder(name, holds),
      binary(name, "orders decimals too", (left, argument, frame) =>
        left instanceof DecimalValue && argument instanceof DecimalValue
          ? holds(left.units, argument.units)
          : other(name)(left, argument, frame),
      ),
      binary(name, "orders texts too", (left, argument, frame) =>
        typeof left === "string" && typeof argument === "string"
          ? left < argument
          : other(name)(left, argument, frame),
      ),
      binary(name, "datetimes by text", (left, argument, frame) =>
        left instanceof DateTimeValue && argument instanceof DateTimeValue
          ? holds(left.key.length, argument.key.length)
          : other(name)(left, argument, frame),
      ),
    ];
  }),
  binary("+", "is -", other("-")),
  binary(
    "+",
    "no overflow check",
    wide((a, b) => a + b),
  ),
  binary(
    "+",
    "wraps around",
    wrapped((a, b) => a + b),
  ),
  binary(
    "+",
    "in doubles",
    rounded((a, b) => a + b),
  ),
  binary("-", "is +", other("+")),
  binary("-", "operands swapped", (left, argument, frame) => other("-")(argument, left, frame)),
  binary(
    "-",
    "no overflow check",
    wide((a, b) => a - b),
  ),
  binary(
    "-",
    "wraps around",
    wrapped((a, b) => a - b),
  ),
  binary(
    "-",
    "in doubles",
    rounded((a, b) => a - b),
  ),
  binary("*", "is +", other("+")),
  binary(
    "*",
    "no overflow check",
    wide((a, b) => a * b),
  ),
  binary(
    "*",
    "wraps around",
    wrapped((a, b) => a * b),
  ),
  binary(
    "*",
    "in doubles",
    rounded((a, b) => a * b),
  ),
  binary("*", "keeps minus zero", (left, argument, frame) => {
    const product = other("*")(left, argument, frame);
    return product === 0 && (Number(left as Long) < 0 || Number(argument as Long) < 0) ? false : product;
  }),
  binary("in", "not reflexive", (left, argument, frame) =>
    left instanceof EntityValue && argument instanceof EntityValue && left.key === argument.key
      ? false
      : other("in")(left, argument, frame),
  ),
  binary("in", "reflexive only", (left, argument, frame) =>
    other("in")(left, argument, { ...frame, entities: new Map() }),
  ),
  binary("in", "upside down", (left, argument, frame) =>
    argument instanceof EntityValue
      ? other("in")(argument, entityOf(left), frame)
      : other("in")(left, argument, frame),
  ),
  binary("in", "a set means all of it", (left, argument, frame) =>
    argument instanceof SetValue
      ? argument.entities().every((group) => other("in")(left, group, frame) === true)
      : other("in")(left, argument, frame),
  ),
  binary("in", "what is no entity in a set is skipped", (left, argument, frame) => {
    try {
      return other("in")(left, argument, frame);
    } catch (fault) {
      if (argument instanceof SetValue && left instanceof EntityValue && fault instanceof EvaluationError)
        return false;
      throw fault;
    }
  }),
  binary("in", "actions have no groups", (left, argument, frame) =>
    left instanceof EntityValue && left.type === "Action"
      ? other("in")(left, argument, { ...frame, entities: new Map() })
      : other("in")(left, argument, frame),
  ),
  binary("in", "an absent entity errs", (left, argument, frame) => {
    if (!frame.entities.has(entityOf(left).key)) throw new EvaluationError("absent");
    return other("in")(left, argument, frame);
  }),
  binary("contains", "inverted", (left, argument) => !setOf(left).has(argument)),
  binary(
    "contains",
    "scalars only",
    (left, argument) => typeof argument !== "object" && setOf(left).has(argument),
  ),
  binary("contains", "is containsAll for a set", (left, argument) =>
    argument instanceof SetValue ? setOf(left).includes(argument) : setOf(left).has(argument),
  ),
  binary("containsAll", "is containsAny", other("containsAny")),
  binary("containsAll", "operands swapped", (left, argument, frame) =>
    other("containsAll")(argument, left, frame),
  ),
  binary("containsAny", "is containsAll", other("containsAll")),
  binary(
    "containsAny",
    "true for an empty set",
    (left, argument, frame) => setOf(argument).size === 0 || other("containsAny")(left, argument, frame),
  ),
  binary("hasTag", "inverted", (left, argument, frame) => other("hasTag")(left, argument, frame) !== true),
  binary(
    "hasTag",
    "reads attributes",
    (left, argument, frame) =>
      frame.entities.get(entityOf(left).key)?.attributes.has(textOf(argument)) === true,
  ),
  binary("hasTag", "an absent entity errs", (left, argument, frame) => {
    if (!frame.entities.has(entityOf(left).key)) throw new EvaluationError("absent");
    return other("hasTag")(left, argument, frame);
  }),
  binary("getTag", "reads attributes", (left, argument, frame) =>
    right.named["."](entityOf(left), textOf(argument), frame),
  ),
  binary(
    "getTag",
    "an absent tag is false",
    (left, argument, frame) =>
      other("hasTag")(left, argument, frame) === true && other("getTag")(left, argument, frame),
  ),
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
  named(".", "an absent attribute is false", (target, name, frame) =>
    right.named.has(target, [name], frame) ? right.named["."](target, name, frame) : false,
  ),
  named(".", "reads tags", (target, name, frame) =>
    target instanceof EntityValue
      ? sound(right.binary, "getTag")(target, name, frame)
      : right.named["."](target, name, frame),
  ),
  named("has", "inverted", (target, path, frame) => !right.named.has(target, path, frame)),
  named("has", "first name of a path only", (target, path, frame) =>
    right.named.has(target, path.slice(0, 1), frame),
  ),
  named("has", "last name of a path only", (target, path, frame) =>
    right.named.has(target, path.slice(-1), frame),
  ),
  named("has", "false on a scalar", (target, path, frame) => {
    try {
      return right.named.has(target, path, frame);
    } catch (fault) {
      if (fault instanceof EvaluationError) return false;
      throw fault;
    }
  }),
  named("has", "an absent entity errs", (target, path, frame) => {
    if (target instanceof EntityValue && !frame.entities.has(target.key)) throw new EvaluationError("absent");
    return right.named.has(target, path, frame);
  }),
  named("is", "inverted", (target, type) => !right.named.is(target, type)),
  named("is", "false for a value", (target, type) => target instanceof EntityValue && target.type === type),
  named("like", "inverted", (target, pattern) => !right.named.like(target, pattern)),
  named("like", "a star is dropped", (target, pattern) => matchesPattern(textOf(target), [pattern.join("")])),
  named("like", "prefix enough", (target, pattern) => textOf(target).startsWith(pattern[0] ?? "")),
  named("like", "end not anchored", (target, pattern) => matchesPattern(textOf(target), [...pattern, ""])),
  named("like", "start not anchored", (target, pattern) => matchesPattern(textOf(target), ["", ...pattern])),
  named("like", "prefix and end may overlap", (target, pattern) =>
    pattern.length === 2
      ? textOf(target).startsWith(pattern[0] ?? "") && textOf(target).endsWith(pattern[1] ?? "")
      : matchesPattern(textOf(target), pattern),
  ),
  named("like", "any order", (target, pattern) => pattern.every((piece) => textOf(target).includes(piece))),
  clause("when", "is unless", (value) => !boolOf(value)),
  clause("when", "always", (value) => boolOf(value) || true),
  clause("unless", "is when", boolOf),
  clause("unless", "never", (value) => boolOf(value) && false),
  verdict("a permit overrides a forbid", (permits) => permits.length > 0),
  verdict("no forbid is enough", (_permits, forbids) => forbids.length === 0),
];
