// Planted bugs: an operator table with one entry replaced, and what the tables of bugs share.
import type { DateTimeValue, DurationValue } from "../../../../runtime/policy/interpreter/date-time.ts";
import type { Evaluate } from "../../../../runtime/policy/interpreter/frame.ts";
import type { Long } from "../../../../runtime/policy/interpreter/long.ts";
import { OPERATORS } from "../../../../runtime/policy/interpreter/operators.ts";
import type {
  BinaryOperator,
  ExtensionFunction,
  OperatorTable,
  UnaryOperator,
} from "../../../../runtime/policy/interpreter/operators.ts";
import { EntityValue, RecordValue, longOf } from "../../../../runtime/policy/interpreter/values.ts";
import type { Value } from "../../../../runtime/policy/interpreter/values.ts";

export interface PlantedBug {
  /** `group.entry`, as in the table. */
  readonly operator: string;
  readonly bug: string;
  readonly table: OperatorTable;
}

/** The sound table. */
export const right = OPERATORS;
export const sound = <T>(entries: Readonly<Record<string, T>>, name: string): T => {
  const entry = entries[name];
  if (entry === undefined) throw new Error(`the operator table has no ${name}`);
  return entry;
};

export const lazy = (
  name: keyof OperatorTable["lazy"],
  bug: string,
  entry: (...operands: readonly Evaluate[]) => Evaluate,
): PlantedBug => ({
  operator: `lazy.${name}`,
  bug,
  table: { ...right, lazy: { ...right.lazy, [name]: entry } },
});
export const unary = (name: string, bug: string, entry: UnaryOperator): PlantedBug => ({
  operator: `unary.${name}`,
  bug,
  table: { ...right, unary: { ...right.unary, [name]: entry } },
});
export const binary = (name: string, bug: string, entry: BinaryOperator): PlantedBug => ({
  operator: `binary.${name}`,
  bug,
  table: { ...right, binary: { ...right.binary, [name]: entry } },
});
export const method = (
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
export const named = <K extends keyof OperatorTable["named"]>(
  name: K,
  bug: string,
  entry: OperatorTable["named"][K],
): PlantedBug => ({
  operator: `named.${name}`,
  bug,
  table: { ...right, named: { ...right.named, [name]: entry } },
});
export const clause = (
  name: keyof OperatorTable["clauses"],
  bug: string,
  entry: UnaryOperator,
): PlantedBug => ({
  operator: `clauses.${name}`,
  bug,
  table: { ...right, clauses: { ...right.clauses, [name]: entry } },
});
export const verdict = (bug: string, allows: OperatorTable["allows"]): PlantedBug => ({
  operator: "allows",
  bug,
  table: { ...right, allows },
});

export const at = (operands: readonly Evaluate[], index: number): Evaluate => {
  const operand = operands[index];
  if (operand === undefined) throw new Error("too few operands");
  return operand;
};
export const other = (name: string): BinaryOperator => sound(right.binary, name);

export const wide =
  (apply: (left: bigint, other: bigint) => bigint): BinaryOperator =>
  (left, argument) => {
    const exact = apply(BigInt(longOf(left)), BigInt(longOf(argument)));
    const asNumber = Number(exact);
    return Number.isSafeInteger(asNumber) ? asNumber : exact;
  };

export const msOf = (value: Value): Long => (value as DateTimeValue | DurationValue).ms;

export const NO_FRAME = {
  principal: new EntityValue("", ""),
  action: new EntityValue("", ""),
  resource: new EntityValue("", ""),
  context: new RecordValue(new Map()),
  entities: new Map(),
};
