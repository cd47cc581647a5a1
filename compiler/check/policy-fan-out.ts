// Policies without a scope stand in the slice of every definition; many of them over many definitions make a bundle
// that no gateway takes. The report names who contributes most, which BUNDLE_TOO_LARGE alone does not.
import type { PolicyId } from "#bundle";
import type { CheckRule } from "./context.ts";
import { lineOf, placeOf } from "./policy-place.ts";

/** Entries of slices that a bundle holds with ease. */
const MANY_ENTRIES = 100_000;
const MAX_NAMED = 3;

export const policyFanOut: CheckRule = {
  name: "policy-fan-out",
  run: ({ parsed, policies, sink }) => {
    let total = 0;
    const counts = new Map<PolicyId, number>();
    for (const { call, shadow } of policies.slices) {
      for (const { id } of [...call, ...shadow]) {
        counts.set(id, (counts.get(id) ?? 0) + 1);
        total += 1;
      }
    }
    if (total <= MANY_ENTRIES) return;
    const byId = new Map(parsed.map((policy) => [policy.id, policy] as const));
    const largest = [...counts]
      .sort(([a, x], [b, y]) => y - x || (a < b ? -1 : 1))
      .flatMap(([id, count]) => {
        const policy = byId.get(id);
        return policy === undefined ? [] : [{ policy, count }];
      });
    const [first] = largest;
    if (first === undefined) return;
    const wide = largest.filter(({ count }) => count === first.count).length;
    const named = largest.slice(0, MAX_NAMED).map(({ policy, count }) => `${lineOf(policy)} (${count})`);
    const message = `${counts.size} policies stand ${total} times in the bundle, once for each definition they can decide; ${wide} of them in ${first.count} each, e.g. ${named.join(", ")}`;
    sink.report("POLICY_FAN_OUT", placeOf(first.policy), message);
  },
};
