// Conditions on the tenant in a tenant's own layer, where every caller is one of the tenant.
import { DEFAULT_TENANT } from "#bundle";
import type { Clause, ParsedPolicy } from "../cedar/index.ts";
import { DIAGNOSTIC_CODES } from "../diagnostics/index.ts";
import type { CheckRule } from "./context.ts";
import { placeOf } from "./policy-place.ts";
import { truthFor } from "./tenant-attributes.ts";

/** Finds policies of a tenant's layer that its callers can never meet. */
export const tenantCondition: CheckRule = {
  name: "tenant-condition",
  run: ({ parsed, sink }) => {
    for (const policy of parsed) {
      if (!policy.authored || policy.tenant === DEFAULT_TENANT) continue;
      if (!policy.est.conditions.some((clause) => holdsInTenant(policy, clause) === false)) continue;
      const code = "CEDAR_NEVER_APPLIES";
      const message = `the policy can never apply: every caller it is asked for is in the tenant ${policy.tenant}`;
      const help = "Remove the condition on the tenant; policies of other tenants stand in their own layers.";
      sink.add({ code, severity: DIAGNOSTIC_CODES[code].severity, ...placeOf(policy), message, help });
    }
  },
};

/** Whether a clause holds for every caller of the policy's tenant, or for none; undefined = it depends. */
export function holdsInTenant({ tenant }: ParsedPolicy, { kind, body }: Clause): boolean | undefined {
  if (tenant === DEFAULT_TENANT) return undefined;
  const truth = truthFor(body, tenant);
  return truth === undefined ? undefined : truth === (kind === "when");
}
