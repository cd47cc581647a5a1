// Decides the witnesses of a plan afresh, without the code that made them.
import type { BundleContent } from "#bundle";
import { UNKNOWN_REQUEST, createEvaluator } from "#pdp";
import type { Plan } from "#plan";

/** The effect of every witness, decided afresh. */
export async function witnessEffects(content: BundleContent, plan: Plan): Promise<readonly string[]> {
  const evaluator = await createEvaluator(content);
  try {
    const effects: string[] = [];
    for (const change of plan.changes) {
      if (change.evidence === "structural") continue;
      const { principal, arguments: args, request = UNKNOWN_REQUEST } = change.witness;
      const signal = AbortSignal.timeout(5_000);
      const prepared = await evaluator.prepare({
        tenant: principal.tenant,
        action: change.action,
        arguments: args,
        principal,
        request,
        signal,
      });
      effects.push(prepared.ok ? evaluator.decide(prepared.query).effect : "deny");
    }
    return effects;
  } finally {
    evaluator.dispose();
  }
}
