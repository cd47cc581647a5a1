// What a document opens or constrains, but nobody may call: usually a missing permit or a wrong role.
import { DEFAULT_TENANT } from "#bundle";
import type { LeafAction, TenantId } from "#bundle";
import { layerOf } from "../documents/layer.ts";
import type { CheckContext, CheckRule } from "./context.ts";

/**
 * Leaves that some permit can allow, to callers of `tenant` where it is given; `withShadow`: once the documents in
 * shadow mode are enforced.
 */
export function grantedActions(
  context: Pick<CheckContext, "policies" | "sources">,
  withShadow = false,
  tenant?: TenantId,
): ReadonlySet<LeafAction> {
  const { policies, sources } = context;
  const permits = policies.slices.filter(
    (slice) =>
      (tenant ?? slice.tenant) === slice.tenant &&
      [...slice.call, ...(withShadow ? slice.shadow : [])].some(
        (policy) => sources.policies[policy.id]?.effect === "permit",
      ),
  );
  return new Set(permits.map((slice) => slice.action));
}

export const notGranted: CheckRule = {
  name: "not-granted",
  run: (context) => {
    const known = new Map<string, ReadonlySet<LeafAction>>();
    const grantedIn = (file: string, withShadow: boolean): ReadonlySet<LeafAction> => {
      const { tenant } = layerOf(file);
      const key = `${tenant} ${String(withShadow)}`;
      // What the platform opens may be granted by any tenant; what a tenant opens is for its own callers.
      const own = tenant === DEFAULT_TENANT ? undefined : tenant;
      const granted = known.get(key) ?? grantedActions(context, withShadow, own);
      known.set(key, granted);
      return granted;
    };
    for (const { action, at, file, use, shadow } of context.lowered.uses) {
      if (grantedIn(file, shadow === true).has(action)) continue;
      if (use === "expose") {
        const help =
          "allow without scope.principals only exposes; add a permit, or scope.principals to this document";
        context.sink.report("EXPOSED_NOT_GRANTED", at, `nobody is granted ${action}`, help);
      } else if (use === "constrain") {
        const help = "a constraint only restricts; add a permit";
        context.sink.report("CONSTRAINT_WITHOUT_PERMIT", at, `nobody is granted ${action}`, help);
      }
    }
  },
};
