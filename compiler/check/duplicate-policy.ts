// Two policies that say the same: whoever changes one believes to have changed the rule.
import { canonicalJson } from "#bundle";
import type { JsonObject } from "#std";
import type { ParsedPolicy } from "../cedar/index.ts";
import type { CheckRule } from "./context.ts";
import { lineOf, placeOf } from "./policy-place.ts";

export const duplicatePolicy: CheckRule = {
  name: "duplicate-policy",
  run: ({ parsed, sink }) => {
    const first = new Map<string, ParsedPolicy>();
    for (const policy of [...parsed].sort((a, b) => (a.source.file < b.source.file ? -1 : 1))) {
      const key = meaningOf(policy);
      const earlier = first.get(key);
      if (earlier === undefined) first.set(key, policy);
      else sink.report("POLICY_DUPLICATE", placeOf(policy), `${lineOf(earlier)} says the same already`);
    }
  },
};

/** What makes two policies one: annotations do not, the tenant and the mode do. */
function meaningOf({ est, tenant, shadow }: ParsedPolicy): string {
  const { annotations: _annotations, ...meaning } = est;
  return canonicalJson({ tenant, shadow, ...meaning } as unknown as JsonObject);
}
