// Whether a list shows a definition to a caller: the list answers of the gateway and tests of visibility ask here.
import type { LeafAction, PrincipalFacts, RequestFacts, TenantId } from "#bundle";
import type { Evaluator } from "./evaluator.ts";

/** Who asks for a list; `missingAttributes` are the required attributes that no claim gave. */
export interface ListCaller {
  readonly facts: PrincipalFacts;
  readonly missingAttributes: readonly string[];
}

/** True where some call of the caller could reach the definition. A caller without a required attribute sees nothing. */
export function isListed(
  evaluator: Pick<Evaluator, "visible">,
  tenant: TenantId,
  { facts, missingAttributes }: ListCaller,
  request: RequestFacts,
  action: LeafAction,
): boolean {
  return missingAttributes.length === 0 && evaluator.visible(tenant, action, facts, request);
}
