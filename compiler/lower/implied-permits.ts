// What follows from a permitted definition: completing its arguments, watching it, setting log levels, asking for the
// state of its tasks. One permit for all of it, so that a forbid can take it away.
import { METHODS_OF_KIND } from "#bundle";
import type { PolicyId } from "#bundle";
import { startOf } from "../diagnostics/index.ts";
import { cedarString } from "./cedar-text.ts";
import { IMPLIED_KINDS } from "./method-leaves.ts";
import type { GeneratedPolicy } from "./policies.ts";

/** Id of the permit that no document wrote. */
export const IMPLIED_PERMIT: PolicyId = "aegis.yaml#implied";

export function impliedPermit(tenant: string): GeneratedPolicy {
  const methods = IMPLIED_KINDS.flatMap((kind) => [...METHODS_OF_KIND[kind]]).sort();
  const actions = methods.map((method) => `Action::${cedarString(method)}`).join(", ");
  return {
    id: IMPLIED_PERMIT,
    text: `permit (principal, action in [${actions}], resource);`,
    source: startOf("aegis.yaml"),
    reason: "follows from what the caller may use",
    tenant,
    derivations: [],
  };
}
