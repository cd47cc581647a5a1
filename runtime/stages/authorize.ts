// Stage 7, authorize: the policy decision. The only place that mints `Permitted`.
import type { PolicyId } from "#bundle";
import type { Decision } from "#pdp";
import type { JsonObject } from "#std";
import type { Permitted, Projected } from "../pipeline/exchange.ts";
import type { Stage } from "../pipeline/pipeline.ts";
import { deny, proceed } from "../pipeline/verdict.ts";
import type { Denial } from "../pipeline/verdict.ts";
import type { Snapshot } from "../snapshot/snapshot.ts";

export function createAuthorizeStage(): Stage<Projected, Permitted> {
  return {
    name: "authorize",
    run: (exchange) => {
      const { target, principal, snapshot, route, query } = exchange;
      // Authentication admits to the endpoint itself; what a list shows is decided leaf by leaf when it is answered.
      if (target.kind === "server") {
        if (exchange.method.handling !== "forward" || seesAnyLeaf(exchange))
          return proceed({ ...exchange, decision: undefined } as Permitted);
        return deny({ code: "POLICY_DENIED", detail: "nothing of the server is visible", reason: NO_PERMIT });
      }
      if (principal.missingAttributes.length > 0) {
        const names = principal.missingAttributes.join(", ");
        return deny({
          code: "PRINCIPAL_ATTRIBUTE_MISSING",
          detail: names,
          reason: `token has no claim for ${names}`,
        });
      }
      if (target.mode === "visibility") {
        const visible = snapshot.evaluator.visible(route.entry.tenant, target.action, principal.facts);
        if (!visible) return deny({ code: "POLICY_DENIED", detail: "not visible", reason: NO_PERMIT });
        return proceed({
          ...exchange,
          decision: { effect: "allow", reasons: [], errors: [] },
        } as unknown as Permitted);
      }
      if (query === undefined) return deny({ code: "STAGE_FAULT", detail: "a leaf call without a query" });
      const decision = snapshot.evaluator.decide(query);
      if (decision.effect !== "allow" || decision.errors.length > 0 || decision.reasons.length === 0) {
        return deny(explainDenial(decision, snapshot));
      }
      return proceed({ ...exchange, decision } as unknown as Permitted);
    },
  };
}

const NO_PERMIT = "no policy permits this call";

/** A caller whom no policy lets use anything of a server must not open a session or start a process of it either. */
function seesAnyLeaf({ principal, snapshot, route }: Projected): boolean {
  return (
    principal.missingAttributes.length === 0 &&
    route.server.entry.leaves.some((leaf) =>
      snapshot.evaluator.visible(route.entry.tenant, leaf.action, principal.facts),
    )
  );
}

/** What the caller is told: the deciding policies and their stated reasons, never the facts they read. */
function explainDenial(decision: Decision, snapshot: Snapshot): Denial {
  if (decision.errors.length > 0) {
    const errors = decision.errors.map((error) => `${error.policy}: ${error.message}`).join("; ");
    const policies = decision.errors.map((error) => error.policy);
    return { code: "POLICY_ERROR", detail: errors, data: { policies } };
  }
  if (decision.reasons.length === 0) {
    return { code: "POLICY_DENIED", detail: NO_PERMIT, reason: NO_PERMIT, data: { policies: [] } };
  }
  const reason = decision.reasons.map((id) => describePolicy(id, snapshot)).join("; ");
  const data: JsonObject = { policies: [...decision.reasons] };
  return { code: "POLICY_DENIED", detail: reason, reason, data };
}

function describePolicy(id: PolicyId, snapshot: Snapshot): string {
  const stated = snapshot.sources.get(id)?.reason;
  return stated === undefined ? `forbidden by ${id}` : `${stated} (${id})`;
}
