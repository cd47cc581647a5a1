// Binary operators and methods of Cedar that the interpreter has, with Cedar's type errors.
import type { Frame } from "./frame.ts";
import {
  DecimalValue,
  EntityValue,
  EvaluationError,
  SetValue,
  equals,
  isLong,
  keyOf,
  normalLong,
} from "./values.ts";
import type { Value } from "./values.ts";

export type BinaryOperator = (left: Value, right: Value, frame: Frame) => Value;

export const BINARY: Readonly<Record<string, BinaryOperator>> = {
  "==": (left, right) => equals(left, right),
  "!=": (left, right) => !equals(left, right),
  "<": (left, right) => compareLongs(left, right, (a, b) => a < b),
  "<=": (left, right) => compareLongs(left, right, (a, b) => a <= b),
  ">": (left, right) => compareLongs(left, right, (a, b) => a > b),
  ">=": (left, right) => compareLongs(left, right, (a, b) => a >= b),
  "+": (left, right) => arithmetic(left, right, (a, b) => a + b),
  "-": (left, right) => arithmetic(left, right, (a, b) => a - b),
  "*": (left, right) => arithmetic(left, right, (a, b) => a * b),
  in: (left, right, frame) => isIn(left, right, frame),
  contains: (left, right) => setOf(left).members.has(keyOf(right)),
  containsAll: (left, right) => {
    const members = setOf(left).members;
    return [...setOf(right).members.keys()].every((key) => members.has(key));
  },
  containsAny: (left, right) => {
    const members = setOf(left).members;
    return [...setOf(right).members.keys()].some((key) => members.has(key));
  },
  lessThan: (left, right) => decimalOf(left) < decimalOf(right),
  lessThanOrEqual: (left, right) => decimalOf(left) <= decimalOf(right),
  greaterThan: (left, right) => decimalOf(left) > decimalOf(right),
  greaterThanOrEqual: (left, right) => decimalOf(left) >= decimalOf(right),
};

function compareLongs(
  left: Value,
  right: Value,
  holds: (a: number | bigint, b: number | bigint) => boolean,
): boolean {
  if (!isLong(left) || !isLong(right)) throw new EvaluationError("type error: expected long");
  return holds(left, right);
}

function arithmetic(left: Value, right: Value, apply: (a: bigint, b: bigint) => bigint): Value {
  if (!isLong(left) || !isLong(right)) throw new EvaluationError("type error: expected long");
  return normalLong(apply(BigInt(left), BigInt(right)));
}

function setOf(value: Value): SetValue {
  if (!(value instanceof SetValue)) throw new EvaluationError("type error: expected set");
  return value;
}

function decimalOf(value: Value): bigint {
  if (!(value instanceof DecimalValue)) throw new EvaluationError("type error: expected decimal");
  return value.units;
}

/** Reflexive and transitive; the right side is an entity or a set of entities. */
function isIn(left: Value, right: Value, frame: Frame): boolean {
  if (!(left instanceof EntityValue)) throw new EvaluationError("type error: expected entity");
  if (right instanceof EntityValue) return isDescendant(left, right, frame);
  if (!(right instanceof SetValue)) throw new EvaluationError("type error: expected entity or set");
  const groups = [...right.members.values()].map((member) => {
    if (!(member instanceof EntityValue)) throw new EvaluationError("type error: expected entity");
    return member;
  });
  return groups.some((group) => isDescendant(left, group, frame));
}

export function isDescendant(entity: EntityValue, group: EntityValue, frame: Frame): boolean {
  return entity.key === group.key || frame.entities.get(entity.key)?.ancestors.has(group.key) === true;
}
