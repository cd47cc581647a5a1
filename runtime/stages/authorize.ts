// Stage 7, authorize: the policy decision. The only place that mints `Permitted`.
import { isMethodKind } from "#bundle";
import type { Decision, ShadowDecision } from "#pdp";
import { NO_PERMIT, explainDenial, isAllowed } from "../pipeline/explain-denial.ts";
import { learn } from "../pipeline/exchange.ts";
import type { Permitted, Projected } from "../pipeline/exchange.ts";
import { requestFactsOf } from "../pipeline/request-facts.ts";
import type { Stage } from "../pipeline/pipeline.ts";
import { deny, proceed } from "../pipeline/verdict.ts";
import type { Denial } from "../pipeline/verdict.ts";

/** What the policies in shadow mode would have changed. */
export type ShadowResult = "same" | "would_allow" | "would_deny" | "error";

/** `onShadow` must not throw: it is told of every decision of a slice that has policies in shadow mode. */
export function createAuthorizeStage(
  onShadow: (result: ShadowResult) => void = () => undefined,
): Stage<Projected, Permitted> {
  return {
    name: "authorize",
    run: (exchange) => {
      const { target, principal, snapshot, route, query } = exchange;
      // Authentication admits to the endpoint itself; what a list shows is decided leaf by leaf when it is answered.
      if (target.kind === "endpoint") {
        if (exchange.method.handling !== "forward" || seesAnyLeaf(exchange))
          return proceed(learn(exchange, { decision: undefined }) as Permitted);
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
        const visible = snapshot.evaluator.visible(
          route.entry.tenant,
          target.action,
          principal.facts,
          requestFactsOf(exchange),
        );
        if (!visible) return deny({ code: "POLICY_DENIED", detail: "not visible", reason: NO_PERMIT });
        const { refusal, shadow } = judgeMethod(exchange, onShadow);
        if (refusal !== undefined) return deny(refusal);
        const visibleOnly: Decision = { effect: "allow", reasons: [], errors: [] };
        return proceed(
          learn(exchange, {
            decision: shadow === undefined ? visibleOnly : { ...visibleOnly, shadow },
          }) as unknown as Permitted,
        );
      }
      if (query === undefined) return deny({ code: "STAGE_FAULT", detail: "a leaf call without a query" });
      const decision = snapshot.evaluator.decide(query);
      if (decision.shadow !== undefined) onShadow(shadowResult(decision, decision.shadow));
      if (!isAllowed(decision)) {
        return deny(withShadow(explainDenial(decision, snapshot), decision));
      }
      const { refusal, shadow: ofMethod } = judgeMethod(exchange, onShadow);
      if (refusal !== undefined) return deny(refusal);
      // Both must allow: where the target would be denied that is what would be told.
      const shadow = decision.shadow?.effect === "deny" ? decision.shadow : (ofMethod ?? decision.shadow);
      return proceed(
        learn(exchange, {
          decision: shadow === undefined ? decision : { ...decision, shadow },
        }) as unknown as Permitted,
      );
    },
  };
}

/**
 * The method beside the definition: a completion or a subscription may be forbidden where its target is not. And what
 * is implied by a permit on something is implied only where there is such a permit.
 */
function judgeMethod(exchange: Projected, onShadow: (result: ShadowResult) => void): MethodVerdict {
  const { target, gateQuery, snapshot } = exchange;
  const refused = (refusal: Denial): MethodVerdict => ({ refusal, shadow: undefined });
  if (target.kind !== "leaf") return { refusal: undefined, shadow: undefined };
  if (isMethodKind(target.leaf.kind) && !seesAnyLeaf(exchange))
    return refused({
      code: "POLICY_DENIED",
      detail: "nothing of the server is visible",
      reason: NO_PERMIT,
    });
  if (target.gate === undefined) return { refusal: undefined, shadow: undefined };
  if (gateQuery === undefined)
    return refused({ code: "STAGE_FAULT", detail: "a gated target without a query" });
  const decision = snapshot.evaluator.decide(gateQuery);
  if (decision.shadow !== undefined) onShadow(shadowResult(decision, decision.shadow));
  if (!isAllowed(decision)) return refused(withShadow(explainDenial(decision, snapshot), decision));
  return { refusal: undefined, shadow: decision.shadow };
}

interface MethodVerdict {
  readonly refusal: Denial | undefined;
  readonly shadow: ShadowDecision | undefined;
}

function withShadow(denial: Denial, { shadow }: Decision): Denial {
  return shadow === undefined ? denial : { ...denial, shadow };
}

/** `error`: a policy in shadow mode could not be evaluated, and would deny were it enforced. */
function shadowResult(decision: Decision, shadow: ShadowDecision): ShadowResult {
  const known = new Set(decision.errors.map((error) => error.policy));
  if (shadow.errors.some((error) => !known.has(error.policy))) return "error";
  if (shadow.effect === decision.effect) return "same";
  return shadow.effect === "allow" ? "would_allow" : "would_deny";
}

/** A caller whom no policy lets use anything of a server must not open a session or start a process of it either. */
function seesAnyLeaf(exchange: Projected): boolean {
  const { principal, snapshot, route, target } = exchange;
  const request = requestFactsOf(exchange);
  const servers = target.kind === "leaf" ? [target.server] : route.servers;
  return (
    principal.missingAttributes.length === 0 &&
    servers.some(({ entry }) =>
      entry.leaves.some(
        (leaf) =>
          !isMethodKind(leaf.kind) &&
          snapshot.evaluator.visible(route.entry.tenant, leaf.action, principal.facts, request),
      ),
    )
  );
}
