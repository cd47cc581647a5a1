// Which policies two versions of a repository compile differently.
import { canonicalJson } from "#bundle";
import type { BundleContent, PolicyId } from "#bundle";

/**
 * Policies of `head` that do something else, or somewhere else, than any policy of `base`. A policy that only moved
 * within its file, or to another one, is not among them.
 */
export function changedPolicies(base: BundleContent, head: BundleContent): ReadonlySet<PolicyId> {
  const before = new Set([...meanings(base).values()].map((meaning) => canonicalJson(meaning.toSorted())));
  const changed = [...meanings(head)].filter(([, meaning]) => !before.has(canonicalJson(meaning.toSorted())));
  return new Set(changed.map(([id]) => id));
}

/** Where each policy stands, and what it is there. */
function meanings(content: BundleContent): ReadonlyMap<PolicyId, readonly string[]> {
  const found = new Map<PolicyId, string[]>();
  const add = (id: PolicyId, meaning: unknown): void => {
    const known = found.get(id) ?? [];
    known.push(canonicalJson(meaning));
    found.set(id, known);
  };
  for (const { tenant, action, call, shadow } of content.policies.slices) {
    for (const { id, residual } of call) add(id, [tenant, action, residual, "enforce"]);
    for (const { id, residual } of shadow) add(id, [tenant, action, residual, "shadow"]);
  }
  for (const { tenant, action, request, response } of content.transforms.transforms) {
    for (const [direction, operations] of Object.entries({ request, response })) {
      for (const { policy, ...operation } of operations) add(policy, [tenant, action, direction, operation]);
    }
  }
  return found;
}
