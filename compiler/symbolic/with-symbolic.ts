// A plan with what a solver said of it.
import type { Plan, PlanChange } from "../plan/plan-types.ts";
import type { SymbolicResult } from "./prove.ts";

/** Rows of the solver stand behind the newly allowed ones that the search found. */
export function withSymbolic(plan: Plan, { symbolic, changes }: SymbolicResult): Plan {
  const isNewlyAllowed = (change: PlanChange): boolean => change.kind === "newly-allowed";
  const before = plan.changes.filter(isNewlyAllowed);
  const after = plan.changes.filter((change) => !isNewlyAllowed(change));
  return {
    ...plan,
    summary: { ...plan.summary, newlyAllowed: plan.summary.newlyAllowed + changes.length },
    changes: [...before, ...changes, ...after],
    symbolic,
  };
}
