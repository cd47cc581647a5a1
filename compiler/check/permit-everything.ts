// A permit without any condition, for everyone and everything: every later restriction has to remember to forbid.
import { DEFAULT_TENANT } from "#bundle";
import { scopeEntities } from "../cedar/index.ts";
import type { ParsedPolicy } from "../cedar/index.ts";
import { isAlwaysTrue } from "./condition-truth.ts";
import type { CheckRule } from "./context.ts";
import { placeOf } from "./policy-place.ts";
import { holdsInTenant } from "./tenant-condition.ts";

/** Methods by which a client reaches what servers offer. */
const REACHING_METHODS: readonly string[] = ["prompts/get", "resources/read", "tools/call"];

export const permitEverything: CheckRule = {
  name: "permit-everything",
  run: ({ parsed, sink }) => {
    for (const policy of parsed) {
      const what = policy.authored && policy.est.effect === "permit" ? everything(policy) : undefined;
      if (what === undefined) continue;
      const who = policy.tenant === DEFAULT_TENANT ? "authenticated caller" : "caller of the tenant";
      const message = `every ${who} may ${what}`;
      sink.report("PERMIT_EVERYTHING", placeOf(policy), message);
    }
  },
};

/** What a policy permits to everyone, where that is too much to be meant. */
function everything(policy: ParsedPolicy): string | undefined {
  const { est, scoped, tenant } = policy;
  const { op, in: group } = est.principal;
  const isTenant =
    tenant !== DEFAULT_TENANT && scopeEntities(est.principal).some(({ type }) => type === "Tenant");
  const isForAll = op === "All" || isTenant || (op === "is" && group === undefined);
  const excludesNothing = est.conditions.every(
    (clause) => isAlwaysTrue(clause) || holdsInTenant(policy, clause) === true,
  );
  if (!isForAll || !excludesNothing) return undefined;
  const all = tenant === DEFAULT_TENANT ? "every server" : "every server of the tenant";
  const { actions, servers } = scoped;
  if (actions === undefined) {
    return servers === undefined ? `do everything on ${all}` : `do everything on ${list(servers)}`;
  }
  const methods = REACHING_METHODS.filter((method) => actions.has(method));
  return servers === undefined && methods.length > 0 ? `use ${methods.join(", ")} on ${all}` : undefined;
}

function list(names: ReadonlySet<string>): string {
  return [...names].sort().join(", ");
}
