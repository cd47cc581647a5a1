// A plan with what a solver said of it.
import { planSide } from "../calls/plan-side.ts";
import type { PlanInput } from "../calls/plan-side.ts";
import { planSources } from "#plan";
import type { Plan, PlanChange } from "#plan";
import type { SymbolicResult } from "./prove.ts";

/**
 * The plan of the two sides with the solver's rows behind the newly allowed ones that were found before. Throws Error
 * where a side does not compile.
 */
export function withSymbolic(plan: Plan, result: SymbolicResult, base: PlanInput, head: PlanInput): Plan {
  const { symbolic, changes: found } = result;
  if (found.length === 0) return { ...plan, symbolic };
  const isNewlyAllowed = (change: PlanChange): boolean => change.kind === "newly-allowed";
  const before = plan.changes.filter(isNewlyAllowed);
  const after = plan.changes.filter((change) => !isNewlyAllowed(change));
  const changes = [...before, ...found, ...after];
  const sides = { base: planSide(base, "base"), head: planSide(head, "head") };
  return {
    ...plan,
    summary: { ...plan.summary, newlyAllowed: plan.summary.newlyAllowed + found.length },
    changes,
    sources: planSources(sides, changes),
    symbolic,
  };
}
