// What a document opens or constrains, but nobody may call: usually a missing permit or a wrong role.
import type { LeafAction } from "#bundle";
import type { CheckContext, CheckRule } from "./context.ts";

/** Leaves that some permit can allow; `withShadow`: once the documents in shadow mode are enforced. */
export function grantedActions(
  context: Pick<CheckContext, "policies" | "sources">,
  withShadow = false,
): ReadonlySet<LeafAction> {
  const { policies, sources } = context;
  const permits = policies.slices.filter((slice) =>
    [...slice.call, ...(withShadow ? slice.shadow : [])].some(
      (policy) => sources.policies[policy.id]?.effect === "permit",
    ),
  );
  return new Set(permits.map((slice) => slice.action));
}

export const notGranted: CheckRule = {
  name: "not-granted",
  run: (context) => {
    const granted = grantedActions(context);
    const grantedInShadow = grantedActions(context, true);
    for (const { action, at, use, shadow } of context.lowered.uses) {
      if ((shadow === true ? grantedInShadow : granted).has(action)) continue;
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
