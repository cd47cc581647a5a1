// A wrong implementation, as a mistake would make it, of each operator, clause and verdict; at least one for each.
import { DateTimeValue, DurationValue } from "../../../../runtime/policy/interpreter/date-time.ts";
import { DecimalValue } from "../../../../runtime/policy/interpreter/decimal.ts";
import { IpValue, isInRange } from "../../../../runtime/policy/interpreter/ip-address.ts";
import { matchesPattern } from "../../../../runtime/policy/interpreter/like.ts";
import { EvaluationError } from "../../../../runtime/policy/interpreter/long.ts";
import type { Long } from "../../../../runtime/policy/interpreter/long.ts";
import type { BinaryOperator } from "../../../../runtime/policy/interpreter/operators.ts";
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
import {
  NO_FRAME,
  at,
  binary,
  clause,
  lazy,
  msOf,
  named,
  other,
  right,
  sound,
  unary,
  verdict,
  wide,
} from "./plant.ts";
import type { PlantedBug } from "./plant.ts";

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

export const PLANTED_OPERATORS: readonly PlantedBug[] = [
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
    if (frame.entities.get(entityOf(left).key) === undefined) throw new EvaluationError("absent");
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
    if (frame.entities.get(entityOf(left).key) === undefined) throw new EvaluationError("absent");
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
    if (target instanceof EntityValue && frame.entities.get(target.key) === undefined)
      throw new EvaluationError("absent");
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
