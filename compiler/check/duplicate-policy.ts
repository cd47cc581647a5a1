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
      const kind = kindOf(policy);
      if (kind === undefined) continue;
      const key = meaningOf(policy, kind);
      const earlier = first.get(key);
      if (earlier === undefined) first.set(key, policy);
      else sink.report("POLICY_DUPLICATE", placeOf(policy), `${lineOf(earlier)} says the same already`);
    }
  },
};

/** What makes two policies one: annotations do not, the tenant, the mode and the kind of line do. */
function meaningOf({ est, tenant, shadow }: ParsedPolicy, kind: string): string {
  const { annotations: _annotations, ...meaning } = est;
  return canonicalJson({ tenant, shadow, kind, ...meaning } as unknown as JsonObject);
}

/** A line that names one definition to allow or deny it. */
const NAMING_LINE = /#\/(allow|deny)\/[a-z]+\/[0-9]+$/u;

/**
 * What can be left out where another says the same: a Cedar policy, or one name of a list. What an exposure list closes
 * and what a constraint forbids follows from more than one line; without the `deny` beside it, it may be closed no more.
 */
function kindOf({ authored, id }: ParsedPolicy): string | undefined {
  return authored ? "cedar" : NAMING_LINE.exec(id)?.[1];
}
