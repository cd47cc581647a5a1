// The operator table: everything the interpreter can do, one entry for each operator, function and clause of Cedar, with
// Cedar's type errors. The compiler of expressions only looks entries up; what is not here is unsupported.
import {
  DateTimeValue,
  DurationValue,
  WHOLE_UNITS,
  durationSince,
  offset,
  parseDateTime,
  parseDuration,
  toDate,
  toTime,
} from "./date-time.ts";
import { DecimalValue, parseDecimal } from "./decimal.ts";
import type { Evaluate, Frame, KnownEntity } from "./frame.ts";
import { IpValue, isInRange, isLoopback, isMulticast, parseIp } from "./ip-address.ts";
import { matchesPattern } from "./like.ts";
import type { Pattern } from "./like.ts";
import { EvaluationError, add, multiply, negate, subtract } from "./long.ts";
import type { Long } from "./long.ts";
import {
  EntityValue,
  RecordValue,
  SetValue,
  boolOf,
  entityOf,
  equals,
  longOf,
  setOf,
  textOf,
} from "./values.ts";
import type { Value } from "./values.ts";

export type UnaryOperator = (argument: Value) => Value;
export type BinaryOperator = (left: Value, right: Value, frame: Frame) => Value;
/** A method or constructor of an extension type; `arity` counts the receiver. */
export type ExtensionFunction =
  | { readonly arity: 1; readonly apply: UnaryOperator }
  | { readonly arity: 2; readonly apply: (receiver: Value, argument: Value) => Value };

export interface OperatorTable {
  /** Forms that do not evaluate all of their operands. */
  readonly lazy: {
    readonly "&&": (left: Evaluate, right: Evaluate) => Evaluate;
    readonly "||": (left: Evaluate, right: Evaluate) => Evaluate;
    readonly "if-then-else": (test: Evaluate, then: Evaluate, otherwise: Evaluate) => Evaluate;
  };
  readonly unary: Readonly<Record<string, UnaryOperator>>;
  readonly binary: Readonly<Record<string, BinaryOperator>>;
  readonly functions: Readonly<Record<string, ExtensionFunction>>;
  /** Operators whose right side is a name, a type or a pattern. */
  readonly named: {
    readonly ".": (target: Value, name: string, frame: Frame) => Value;
    readonly has: (target: Value, path: readonly string[], frame: Frame) => boolean;
    readonly is: (target: Value, type: string) => boolean;
    readonly like: (target: Value, pattern: Pattern) => boolean;
  };
  /** Whether a condition of this kind lets the policy apply. */
  readonly clauses: { readonly when: UnaryOperator; readonly unless: UnaryOperator };
  /** Cedar's answer from the satisfied policies; a policy that errored is in neither list. */
  readonly allows: (permits: readonly string[], forbids: readonly string[]) => boolean;
}

const NO_ENTITY: KnownEntity = { attributes: new Map(), tags: new Map(), ancestors: new Set() };

/** What the gateway decides with. Nothing but a test of the tests ever decides with another table. */
export const OPERATORS: OperatorTable = deepFreeze({
  lazy: {
    "&&": (left, right) => (frame) => boolOf(left(frame)) && boolOf(right(frame)),
    "||": (left, right) => (frame) => boolOf(left(frame)) || boolOf(right(frame)),
    "if-then-else": (test, then, otherwise) => (frame) =>
      boolOf(test(frame)) ? then(frame) : otherwise(frame),
  },
  unary: {
    "!": (argument) => !boolOf(argument),
    neg: (argument) => negate(longOf(argument)),
    isEmpty: (argument) => setOf(argument).size === 0,
  },
  binary: {
    "==": equals,
    "!=": (left, right) => !equals(left, right),
    "<": (left, right) => {
      if (typeof left === "number" && typeof right === "number") return left < right;
      const [a, b] = ordered(left, right);
      return a < b;
    },
    "<=": (left, right) => {
      if (typeof left === "number" && typeof right === "number") return left <= right;
      const [a, b] = ordered(left, right);
      return a <= b;
    },
    ">": (left, right) => {
      if (typeof left === "number" && typeof right === "number") return left > right;
      const [a, b] = ordered(left, right);
      return a > b;
    },
    ">=": (left, right) => {
      if (typeof left === "number" && typeof right === "number") return left >= right;
      const [a, b] = ordered(left, right);
      return a >= b;
    },
    "+": (left, right) => add(longOf(left), longOf(right)),
    "-": (left, right) => subtract(longOf(left), longOf(right)),
    "*": (left, right) => multiply(longOf(left), longOf(right)),
    in: (left, right, frame) => isIn(entityOf(left), right, frame),
    contains: (left, right) => setOf(left).has(right),
    containsAll: (left, right) => setOf(left).includes(setOf(right)),
    containsAny: (left, right) => setOf(left).meets(setOf(right)),
    hasTag: (left, right, frame) => known(entityOf(left), frame).tags.has(textOf(right)),
    getTag: (left, right, frame) => {
      const tag = known(entityOf(left), frame).tags.get(textOf(right));
      if (tag === undefined) throw new EvaluationError("the tag is absent");
      return tag;
    },
  },
  functions: {
    decimal: unary((text) => parseDecimal(textOf(text))),
    lessThan: binary((a, b) => decimalOf(a).units < decimalOf(b).units),
    lessThanOrEqual: binary((a, b) => decimalOf(a).units <= decimalOf(b).units),
    greaterThan: binary((a, b) => decimalOf(a).units > decimalOf(b).units),
    greaterThanOrEqual: binary((a, b) => decimalOf(a).units >= decimalOf(b).units),
    ip: unary((text) => parseIp(textOf(text))),
    isIpv4: unary((ip) => !ipOf(ip).isV6),
    isIpv6: unary((ip) => ipOf(ip).isV6),
    isLoopback: unary((ip) => isLoopback(ipOf(ip))),
    isMulticast: unary((ip) => isMulticast(ipOf(ip))),
    isInRange: binary((inner, outer) => isInRange(ipOf(inner), ipOf(outer))),
    datetime: unary((text) => parseDateTime(textOf(text))),
    offset: binary((at, by) => offset(dateTimeOf(at), durationOf(by))),
    durationSince: binary((at, since) => durationSince(dateTimeOf(at), dateTimeOf(since))),
    toDate: unary((at) => toDate(dateTimeOf(at))),
    toTime: unary((at) => toTime(dateTimeOf(at))),
    duration: unary((text) => parseDuration(textOf(text))),
    toMilliseconds: unary((duration) => WHOLE_UNITS.toMilliseconds(durationOf(duration))),
    toSeconds: unary((duration) => WHOLE_UNITS.toSeconds(durationOf(duration))),
    toMinutes: unary((duration) => WHOLE_UNITS.toMinutes(durationOf(duration))),
    toHours: unary((duration) => WHOLE_UNITS.toHours(durationOf(duration))),
    toDays: unary((duration) => WHOLE_UNITS.toDays(durationOf(duration))),
  },
  named: {
    ".": (target, name, frame) => {
      const value = memberOf(target, name, frame);
      if (value === undefined) throw new EvaluationError(`attribute \`${name}\` is absent`);
      return value;
    },
    has: (target, path, frame) => {
      let current = target;
      for (const name of path) {
        const next = memberOf(current, name, frame);
        if (next === undefined) return false;
        current = next;
      }
      return true;
    },
    is: (target, type) => entityOf(target).type === type,
    like: (target, pattern) => matchesPattern(textOf(target), pattern),
  },
  clauses: { when: boolOf, unless: (value) => !boolOf(value) },
  allows: (permits, forbids) => permits.length > 0 && forbids.length === 0,
});

function unary(apply: UnaryOperator): ExtensionFunction {
  return { arity: 1, apply };
}

function binary(apply: (receiver: Value, argument: Value) => Value): ExtensionFunction {
  return { arity: 2, apply };
}

/** The operands of an order: two Longs, two datetimes or two durations. */
function ordered(left: Value, right: Value): readonly [Long, Long] {
  if (left instanceof DateTimeValue) return [left.ms, dateTimeOf(right).ms];
  if (left instanceof DurationValue) return [left.ms, durationOf(right).ms];
  return [longOf(left), longOf(right)];
}

function decimalOf(value: Value): DecimalValue {
  if (!(value instanceof DecimalValue)) throw new EvaluationError("type error: expected decimal");
  return value;
}

function ipOf(value: Value): IpValue {
  if (!(value instanceof IpValue)) throw new EvaluationError("type error: expected ipaddr");
  return value;
}

function dateTimeOf(value: Value): DateTimeValue {
  if (!(value instanceof DateTimeValue)) throw new EvaluationError("type error: expected datetime");
  return value;
}

function durationOf(value: Value): DurationValue {
  if (!(value instanceof DurationValue)) throw new EvaluationError("type error: expected duration");
  return value;
}

function known(entity: EntityValue, frame: Frame): KnownEntity {
  return frame.entities.get(entity.key) ?? NO_ENTITY;
}

function memberOf(target: Value, name: string, frame: Frame): Value | undefined {
  if (target instanceof RecordValue) return target.get(name);
  if (target instanceof EntityValue) return frame.entities.get(target.key)?.attributes.get(name);
  throw new EvaluationError("type error: expected record or entity");
}

/** Reflexive and transitive; the right side is an entity or a set of entities. */
function isIn(entity: EntityValue, right: Value, frame: Frame): boolean {
  if (right instanceof EntityValue) return isDescendant(entity, right, frame);
  if (!(right instanceof SetValue)) throw new EvaluationError("type error: expected entity or set");
  return right.entities().some((group) => isDescendant(entity, group, frame));
}

function isDescendant(entity: EntityValue, group: EntityValue, frame: Frame): boolean {
  return entity.key === group.key || known(entity, frame).ancestors.has(group.key);
}

function deepFreeze<T extends object>(table: T): T {
  for (const entry of Object.values(table) as readonly unknown[])
    if (typeof entry === "object" && entry !== null) deepFreeze(entry);
  return Object.freeze(table);
}
