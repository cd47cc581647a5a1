// Cedar's operators where an operand may be unknown: strong Kleene logic over the interpreter's own table. An answer is
// known only where every value of the unknown gives it, an error among the possible outcomes.
import { EntityValue, EvaluationError, OPERATORS, RecordValue, SetValue } from "#pdp";
import type { Evaluate, ExtensionFunction, Frame, OperatorTable, Value } from "#pdp";
import { UnknownReached, UnknownValue, isUnknown, unknownOf } from "./unknown-value.ts";

/** A frame in which the groups or roles of the caller may be unknown, by entity type. */
export interface PartialFrame extends Frame {
  readonly unknownParents: ReadonlyMap<string, UnknownValue>;
}

/** Operators that can fail on values of the right types: overflow, malformed text, absent tags. */
const FALLIBLE: ReadonlySet<string> = new Set([
  ...["+", "-", "*", "neg", "getTag"],
  ...["decimal", "ip", "datetime", "duration", "offset", "durationSince"],
]);

/** Evaluates. What no operator could judge is unknown, and might have been an error. */
export function evaluatePartly(evaluate: Evaluate, frame: Frame): Value {
  try {
    return evaluate(frame);
  } catch (fault) {
    if (fault instanceof UnknownReached) return unknownOf([fault.unknown], true);
    throw fault;
  }
}

/** What is evaluated only if an unknown turns out so: undefined for an error, which is then one possibility. */
function suppose(evaluate: Evaluate, frame: Frame): Value | undefined {
  try {
    return evaluatePartly(evaluate, frame);
  } catch (fault) {
    if (fault instanceof EvaluationError) return undefined;
    throw fault;
  }
}

/** `decisive` is the value of one side that settles the answer: false for `&&`, true for `||`. */
function junction(operator: "&&" | "||", decisive: boolean): OperatorTable["lazy"]["&&"] {
  const known = OPERATORS.lazy[operator];
  return (left, right) => (frame) => {
    const first = evaluatePartly(left, frame);
    if (!isUnknown(first)) {
      if (first === decisive) return decisive;
      const second = evaluatePartly(right, frame);
      return isUnknown(second)
        ? second
        : known(
            () => first,
            () => second,
          )(frame);
    }
    const second = suppose(right, frame);
    if (second === undefined) return unknownOf([first], true);
    if (isUnknown(second)) return unknownOf([first, second]);
    return second === decisive && !first.mayErr ? decisive : first;
  };
}

const ifThenElse: OperatorTable["lazy"]["if-then-else"] = (test, then, otherwise) => (frame) => {
  const condition = evaluatePartly(test, frame);
  if (!isUnknown(condition))
    return OPERATORS.lazy["if-then-else"](
      () => condition,
      (inner) => evaluatePartly(then, inner),
      (inner) => evaluatePartly(otherwise, inner),
    )(frame);
  const [yes, no] = [suppose(then, frame), suppose(otherwise, frame)];
  if (yes === undefined || no === undefined) return unknownOf([condition], true);
  if (!isUnknown(yes) && yes === no && !condition.mayErr) return yes;
  return unknownOf([condition, ...[yes, no].filter(isUnknown)]);
};

function lifted<Operands extends readonly Value[]>(
  name: string,
  apply: (...operands: Operands) => Value,
): (...operands: Operands) => Value {
  return (...operands) => {
    const unknown = operands.filter(isUnknown);
    return unknown.length === 0 ? apply(...operands) : unknownOf(unknown, FALLIBLE.has(name));
  };
}

function liftedBinary(name: string, apply: OperatorTable["binary"][string]): OperatorTable["binary"][string] {
  return (left, right, frame) => {
    const unknown = [left, right].filter(isUnknown);
    return unknown.length === 0 ? apply(left, right, frame) : unknownOf(unknown, FALLIBLE.has(name));
  };
}

function liftedFunction(name: string, called: ExtensionFunction): ExtensionFunction {
  return called.arity === 1
    ? { arity: 1, apply: lifted(name, called.apply) }
    : { arity: 2, apply: lifted(name, called.apply) };
}

/** `in` where groups are unknown: known to be true it stays, otherwise one of the unknown groups might make it so. */
const isIn: OperatorTable["binary"][string] = (left, right, frame) => {
  const { unknownParents } = frame as PartialFrame;
  const answer = liftedBinary("in", OPERATORS.binary["in"] ?? NEVER)(left, right, frame);
  if (answer !== false || !(left instanceof EntityValue) || left.key !== frame.principal.key) return answer;
  const targets = right instanceof SetValue ? right.entities() : [right];
  const open = targets.flatMap((target) => {
    const unknown = target instanceof EntityValue ? unknownParents.get(target.type) : undefined;
    return unknown === undefined ? [] : [unknown];
  });
  return open.length === 0 ? answer : unknownOf(open);
};

/** Every set contains all of no members and none contains any of them, whatever is in it. */
function ofNothing(
  operator: "containsAll" | "containsAny",
  answer: boolean,
): OperatorTable["binary"][string] {
  const known = liftedBinary(operator, OPERATORS.binary[operator] ?? NEVER);
  return (left, right, frame) => {
    const isSettled = isKnownToBe(left) && right instanceof SetValue && right.size === 0;
    return isSettled ? answer : known(left, right, frame);
  };
}

/** There is such a value, of the type that the schema gives it: only which one is not known. */
function isKnownToBe(value: Value): value is UnknownValue {
  return isUnknown(value) && value.isPresent && !value.mayErr;
}

/** Every text matches a pattern of nothing but wildcards: what stands before a derived fact of a text. */
function like(target: Value, pattern: Parameters<OperatorTable["named"]["like"]>[1]): Value {
  if (!isUnknown(target)) return OPERATORS.named.like(target, pattern);
  const matchesAll = pattern.length > 1 && pattern.every((literal) => literal === "");
  return matchesAll && isKnownToBe(target) ? true : unknownOf([target]);
}

/** Whether an unknown value has a member is not known either. */
function memberOfUnknown({ facts, mayErr }: UnknownValue): UnknownValue {
  return new UnknownValue(facts, { mayErr, isPresent: false });
}

const NEVER = (): never => {
  throw new Error("the interpreter has no such operator");
};

function memberOf(target: Value, name: string, frame: Frame): Value | undefined {
  if (target instanceof EntityValue) return frame.entities.get(target.key)?.attributes.get(name);
  return target instanceof RecordValue ? target.get(name) : undefined;
}

/** Of a value that is not known, the presence may still be. */
function has(target: Value, path: readonly string[], frame: Frame): Value {
  let current = target;
  for (const [index, name] of path.entries()) {
    if (isUnknown(current)) return unknownOf([current]);
    const next = memberOf(current, name, frame);
    if (next === undefined) return OPERATORS.named.has(target, path, frame);
    if (isUnknown(next) && !next.isPresent) return unknownOf([next]);
    if (isUnknown(next) && index < path.length - 1) return unknownOf([next]);
    current = next;
  }
  return true;
}

function mapped<T>(
  entries: Readonly<Record<string, T>>,
  lift: (name: string, entry: T) => T,
): Record<string, T> {
  return Object.fromEntries(Object.entries(entries).map(([name, entry]) => [name, lift(name, entry)]));
}

/** The interpreter's operators, each with what it says of unknown operands. */
export const PARTIAL_OPERATORS: OperatorTable = {
  lazy: { "&&": junction("&&", false), "||": junction("||", true), "if-then-else": ifThenElse },
  unary: mapped(OPERATORS.unary, lifted),
  binary: {
    ...mapped(OPERATORS.binary, liftedBinary),
    in: isIn,
    containsAll: ofNothing("containsAll", true),
    containsAny: ofNothing("containsAny", false),
  },
  functions: mapped(OPERATORS.functions, liftedFunction),
  named: {
    ".": (target, name, frame) =>
      isUnknown(target) ? memberOfUnknown(target) : OPERATORS.named["."](target, name, frame),
    // The compiler of expressions hands on what these return as a value: an unknown passes.
    has: has as OperatorTable["named"]["has"],
    is: (target, type) =>
      isUnknown(target) ? (unknownOf([target]) as unknown as boolean) : OPERATORS.named.is(target, type),
    like: like as OperatorTable["named"]["like"],
  },
  clauses: OPERATORS.clauses,
  allows: OPERATORS.allows,
};
