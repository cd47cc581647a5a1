// Where the policies that the rows of a plan name are written, with the lines a reviewer reads.
import type { PolicyId, SourcePosition } from "#bundle";
import { excerptReader } from "./policy-excerpt.ts";
import type { Excerpt } from "./policy-excerpt.ts";
import type { PlanSide } from "../calls/plan-side.ts";
import { policiesOf } from "./policy-changes.ts";
import type { PlanChange, PlanSource } from "./plan-types.ts";

/** Policies of both sides that some row names, in order of policy, the base first. */
export function planSources(
  sides: { readonly base: PlanSide; readonly head: PlanSide },
  changes: readonly PlanChange[],
): readonly PlanSource[] {
  const named = { base: new Set<PolicyId>(), head: new Set<PolicyId>() };
  for (const change of changes) {
    if (change.evidence === "structural") {
      const { base, head } = policiesOf(change);
      if (base !== undefined) named.base.add(base);
      if (head !== undefined) named.head.add(head);
      continue;
    }
    for (const id of change.before.reasons) named.base.add(id);
    for (const id of change.after.reasons) named.head.add(id);
  }
  const sources = (["base", "head"] as const).flatMap((side) => {
    const excerptOf = excerptsOf(sides[side]);
    return [...named[side]].flatMap((policy) => sourceOf(sides[side], side, policy, excerptOf) ?? []);
  });
  return sources.sort((a, b) => order(a.policy, b.policy) || order(a.side, b.side));
}

function order(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}

type ExcerptOf = (policy: PolicyId, at: SourcePosition) => Excerpt | undefined;

/** Reads each document once: one file may state hundreds of policies. */
function excerptsOf(side: PlanSide): ExcerptOf {
  const readers = new Map<string, ExcerptOf>();
  return (policy, at) => {
    const known = readers.get(at.file);
    if (known !== undefined) return known(policy, at);
    const text = side.textOf(at.file);
    const reader: ExcerptOf = text === undefined ? () => undefined : excerptReader(at.file, text);
    readers.set(at.file, reader);
    return reader(policy, at);
  };
}

/** Undefined for what no document states, such as a permit that follows from others. */
function sourceOf(
  side: PlanSide,
  name: "base" | "head",
  policy: PolicyId,
  excerptOf: ExcerptOf,
): PlanSource | undefined {
  const { policies } = side.content.sources;
  const found = Object.hasOwn(policies, policy) ? policies[policy] : undefined;
  if (found === undefined) return undefined;
  const { file, line, column, reason } = found;
  const excerpt = excerptOf(policy, found);
  return {
    ...{ policy, side: name, file, line, column },
    ...(reason === undefined ? {} : { reason }),
    ...(excerpt === undefined ? {} : { excerpt: excerpt.text, excerptLine: excerpt.line }),
  };
}
