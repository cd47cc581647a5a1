// Takes a condition apart into the terms an author thinks in: the sides of its row, left to right.
import type { Derivation } from "#bundle";
import { bodyOf, open, operand, pathOf } from "./est.ts";
import type { Clause, Expr } from "./est.ts";

export interface ConditionTerm {
  readonly expr: Expr;
  /** Set where the term is shown as the author wrote it. */
  readonly text?: string;
}

export interface ConditionTerms {
  /** `any`: the condition is true as soon as one term is; `all`: false as soon as one is. */
  readonly combine: "all" | "any";
  /** In order of evaluation; at least one. */
  readonly terms: readonly ConditionTerm[];
}

/** The terms of one condition. `derivations`: those that its policy may read. */
export function conditionTerms(clause: Clause, derivations: readonly Derivation[]): ConditionTerms {
  // An `unless` is over as soon as one side of its `||` is true; everything else is a row of `&&`.
  const combine = clause.kind === "unless" && open(clause.body)[0] === "||" ? "any" : "all";
  const row = rowOf(clause.body, combine === "any" ? "||" : "&&");
  return { combine, terms: joinMatches(row, derivations) };
}

/** The terms of a row of one operator, left to right. */
function rowOf(expr: Expr, operator: string): readonly Expr[] {
  const terms: Expr[] = [];
  const pending: Expr[] = [expr];
  for (let next = pending.pop(); next !== undefined; next = pending.pop()) {
    if (open(next)[0] !== operator) {
      terms.push(next);
      continue;
    }
    const body = bodyOf(next);
    pending.push(operand(body, "right"), operand(body, "left"));
  }
  return terms;
}

/** `path like "*" && context._m.r_x` is what the compiler makes of `path.matches("…")`: one term again. */
function joinMatches(terms: readonly Expr[], derivations: readonly Derivation[]): readonly ConditionTerm[] {
  const joined: ConditionTerm[] = [];
  for (let index = 0; index < terms.length; index += 1) {
    const expr = terms[index];
    const next = terms[index + 1];
    if (expr === undefined) continue;
    const text = next === undefined ? undefined : matchesText(expr, next, derivations);
    if (text === undefined || next === undefined) {
      joined.push({ expr });
      continue;
    }
    joined.push({ expr: { "&&": { left: expr, right: next } }, text });
    index += 1;
  }
  return joined;
}

function matchesText(guard: Expr, fact: Expr, derivations: readonly Derivation[]): string | undefined {
  const path = pathOf(fact);
  if (open(guard)[0] !== "like" || path?.[0] !== "context" || path[1] !== "_m") return undefined;
  const derivation = derivations.find(({ kind, name }) => kind === "matches" && name === path[2]);
  if (derivation?.kind !== "matches") return undefined;
  return `${contextPath(derivation.path)}.matches(${JSON.stringify(derivation.pattern)})`;
}

/** The path of a derivation as Cedar writes it: principal paths start at the principal. */
export function contextPath(path: readonly string[]): string {
  const [root, ...rest] = path[0] === "principal" ? path : ["context", ...path];
  return [root ?? "context", ...rest].reduce((text, name) =>
    /^[A-Za-z_]\w*$/u.test(name) ? `${text}.${name}` : `${text}[${JSON.stringify(name)}]`,
  );
}
