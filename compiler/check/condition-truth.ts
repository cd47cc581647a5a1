// Conditions that hold whatever is asked: seen in the text alone, without any fact of a definition.
import { canonicalJson } from "#bundle";
import { bodyOf, open, operand } from "../cedar/index.ts";
import type { Clause, Expr } from "../cedar/index.ts";

/** Whether an expression is true, or false, in every request in which it does not err; undefined = it depends. */
function fixedTruth(expr: Expr): boolean | undefined {
  const [operator, value] = open(expr);
  const body = bodyOf(expr);
  const left = operand(body, "left");
  const right = operand(body, "right");
  switch (operator) {
    case "Value":
      return typeof value === "boolean" ? value : undefined;
    case "!":
      return negated(fixedTruth(operand(body, "arg")));
    case "&&":
      return truthOfBoth(left, right, false);
    case "||":
      return truthOfBoth(left, right, true);
    case "==":
    case "!=":
      return negatedIf(operator === "!=", truthOfEquality(left, right));
    case "<=":
    case ">=":
      return isSame(left, right) ? true : undefined;
    case "<":
    case ">":
      return isSame(left, right) ? false : undefined;
    case "like":
      return isOnlyStars(body["pattern"]) ? true : undefined;
    case "if-then-else":
      return truthOfChoice(expr);
    default:
      return undefined;
  }
}

/** True where a clause excludes nothing. */
export function isAlwaysTrue(clause: Clause): boolean {
  return fixedTruth(clause.body) === (clause.kind === "when");
}

function negated(value: boolean | undefined): boolean | undefined {
  return value === undefined ? undefined : !value;
}

function negatedIf(isNegated: boolean, value: boolean | undefined): boolean | undefined {
  return isNegated ? negated(value) : value;
}

/** `absorbing`: the value of one side that decides the whole. */
function truthOfBoth(left: Expr, right: Expr, absorbing: boolean): boolean | undefined {
  const a = fixedTruth(left);
  const b = fixedTruth(right);
  if (a === absorbing || b === absorbing) return absorbing;
  if (a !== undefined && b !== undefined) return !absorbing;
  // `x || !x`, `x && !x`
  return isNegationOf(left, right) || isNegationOf(right, left) ? absorbing : undefined;
}

function isNegationOf(expr: Expr, other: Expr): boolean {
  return open(expr)[0] === "!" && isSame(operand(bodyOf(expr), "arg"), other);
}

function truthOfEquality(left: Expr, right: Expr): boolean | undefined {
  if (isSame(left, right)) return true;
  const [a, b] = [left["Value"], right["Value"]];
  const areScalars = [a, b].every((value) => value !== undefined && typeof value !== "object");
  return areScalars && typeof a === typeof b ? false : undefined;
}

function truthOfChoice(expr: Expr): boolean | undefined {
  const body = bodyOf(expr);
  const condition = fixedTruth(operand(body, "if"));
  if (condition !== undefined) return fixedTruth(operand(body, condition ? "then" : "else"));
  const then = fixedTruth(operand(body, "then"));
  return then === fixedTruth(operand(body, "else")) ? then : undefined;
}

function isSame(left: Expr, right: Expr): boolean {
  return open(left)[0] === open(right)[0] && canonicalJson(left) === canonicalJson(right);
}

function isOnlyStars(pattern: unknown): boolean {
  return Array.isArray(pattern) && pattern.length > 0 && pattern.every((element) => element === "Wildcard");
}
