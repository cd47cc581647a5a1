// Visibility: may some arguments be allowed now? Permits are over-approximated and forbids under-approximated, so that
// what a call could reach is never hidden. What is left reads the caller, the server and the request itself (when, from
// where, how authenticated); nothing of it reads an argument, hence none can cause an error.
import { REQUEST_MEMBERS } from "#pdp";
import {
  balanceChains,
  bodyOf,
  booleanLiteral,
  childrenOf,
  FALSE,
  isVar,
  open,
  operand,
  pathOf,
  TRUE,
} from "./est.ts";
import type { Clause, Expr, PolicyEst } from "./est.ts";

/** Which way an expression may be wrong: `over` = true too often, `under` = true too rarely. */
type Direction = "over" | "under";

// Extension functions that cannot fail once their literal arguments were validated.
const TOTAL_FUNCTIONS: ReadonlySet<string> = new Set([
  ...["decimal", "ip", "datetime", "duration"],
  ...["lessThan", "lessThanOrEqual", "greaterThan", "greaterThanOrEqual"],
  ...["isIpv4", "isIpv6", "isLoopback", "isMulticast", "isInRange"],
  ...["toTime", "toMilliseconds", "toSeconds", "toMinutes", "toHours", "toDays"],
]);

/**
 * The visibility residual of a call residual; undefined where it can never be satisfied for certain (a forbid that
 * depends on arguments) or at all.
 */
export function visibilityOf(residual: PolicyEst): PolicyEst | undefined {
  const direction: Direction = residual.effect === "permit" ? "over" : "under";
  const conditions: Clause[] = [];
  for (const clause of residual.conditions) {
    const body = approximate(clause.body, clause.kind === "when" ? direction : flip(direction));
    const value = booleanLiteral(body);
    if (value === undefined) conditions.push({ kind: clause.kind, body: balanceChains(body) });
    else if (value !== (clause.kind === "when")) return undefined;
  }
  return { ...residual, conditions };
}

/** The widest visibility of a policy: a permit whoever its conditions ask for, no forbid at all. */
export function widestVisibility(residual: PolicyEst): PolicyEst | undefined {
  return residual.effect === "permit" ? { ...residual, conditions: [] } : undefined;
}

function flip(direction: Direction): Direction {
  return direction === "over" ? "under" : "over";
}

/** True where the value depends on the arguments, or where evaluating it could fail. */
function isUncertain(expr: Expr): boolean {
  if (readsRequest(expr)) return false;
  const [operator, body] = open(expr);
  if (isVar(expr, "context")) return true;
  if (operator === "+" || operator === "-" || operator === "*" || operator === "neg") return true;
  if (operator !== "Set" && Array.isArray(body) && !TOTAL_FUNCTIONS.has(operator)) return true;
  return childrenOf(expr).some(isUncertain);
}

/** `context.auth.mfa` and `context has sourceIp`: known without the arguments. */
function readsRequest(expr: Expr): boolean {
  const [operator] = open(expr);
  const { attr } = bodyOf(expr);
  const isPresence = operator === "has" && isVar(operand(bodyOf(expr), "left"), "context");
  const [root, member] = isPresence ? ["context", attr] : (pathOf(expr) ?? []);
  return root === "context" && REQUEST_MEMBERS.some((name) => name === member);
}

function approximate(expr: Expr, direction: Direction): Expr {
  if (!isUncertain(expr)) return expr;
  const [operator] = open(expr);
  const body = bodyOf(expr);
  switch (operator) {
    case "&&":
      return and(
        approximate(operand(body, "left"), direction),
        approximate(operand(body, "right"), direction),
      );
    case "||":
      return or(
        approximate(operand(body, "left"), direction),
        approximate(operand(body, "right"), direction),
      );
    case "!":
      return not(approximate(operand(body, "arg"), flip(direction)));
    case "if-then-else":
      return approximateIf(operand(body, "if"), operand(body, "then"), operand(body, "else"), direction);
    default:
      return direction === "over" ? TRUE : FALSE;
  }
}

function approximateIf(condition: Expr, then: Expr, otherwise: Expr, direction: Direction): Expr {
  const whenTrue = approximate(then, direction);
  const whenFalse = approximate(otherwise, direction);
  if (!isUncertain(condition)) return { "if-then-else": { if: condition, then: whenTrue, else: whenFalse } };
  // Either branch may be the one. Approximating the condition as well would double the text at each nesting.
  return direction === "over" ? or(whenTrue, whenFalse) : and(whenTrue, whenFalse);
}

// No operand is left that could fail, so that both sides may fold.

function and(left: Expr, right: Expr): Expr {
  if (booleanLiteral(left) === false || booleanLiteral(right) === false) return FALSE;
  if (booleanLiteral(left) === true) return right;
  return booleanLiteral(right) === true ? left : { "&&": { left, right } };
}

function or(left: Expr, right: Expr): Expr {
  if (booleanLiteral(left) === true || booleanLiteral(right) === true) return TRUE;
  if (booleanLiteral(left) === false) return right;
  return booleanLiteral(right) === false ? left : { "||": { left, right } };
}

function not(arg: Expr): Expr {
  const value = booleanLiteral(arg);
  return value === undefined ? { "!": { arg } } : value ? FALSE : TRUE;
}
