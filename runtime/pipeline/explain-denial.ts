// When a decision allows, and what a caller is told where it does not: for calls and for what servers ask alike.
import type { PolicyId } from "#bundle";
import type { Decision } from "#pdp";
import type { JsonObject } from "#std";
import type { Snapshot } from "../snapshot/snapshot.ts";
import type { Denial } from "./verdict.ts";

export const NO_PERMIT = "no policy permits this call";

/** Allow ⇔ Cedar allows ∧ no policy errored ∧ at least one permit is named. */
export function isAllowed(decision: Decision): boolean {
  return decision.effect === "allow" && decision.errors.length === 0 && decision.reasons.length > 0;
}

/** What the caller is told: the deciding policies and their stated reasons, never the facts they read. */
export function explainDenial(decision: Decision, snapshot: Snapshot): Denial {
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
