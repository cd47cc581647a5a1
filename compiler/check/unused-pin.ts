// A definition that was pinned and reviewed, that nobody can be granted and no policy speaks of.
import { primitiveOf } from "#bundle";
import type { LeafAction } from "#bundle";
import { targetsIn, visitExprs } from "../cedar/index.ts";
import type { PinnedLeaf } from "../lower/registry.ts";
import type { CheckContext, CheckRule } from "./context.ts";
import { grantedActions } from "./not-granted.ts";

const MAX_NAMES = 5;

export const unusedPin: CheckRule = {
  name: "unused-pin",
  run: (context) => {
    const granted = grantedActions(context, true);
    // Before the first permit nothing is granted, and nothing forgotten.
    if (![...context.registry.leaves.keys()].some((action) => granted.has(action))) return;
    const spoken = spokenOf(context);
    const targets = targetsOf(context);
    const routed = new Set(
      Object.values(context.routes.environments).flatMap(({ routes }) =>
        routes.flatMap(({ servers }) => servers),
      ),
    );
    const isUsed = ({ leaf }: PinnedLeaf): boolean =>
      granted.has(leaf.action) || spoken.has(leaf.action) || targets.has(leaf.name);
    const lists = Map.groupBy(
      [...context.registry.leaves.values()].filter(({ server }) => routed.has(server.entry.id)),
      ({ leaf, server }) => `${server.entry.id}\n${primitiveOf(leaf.kind)}`,
    );
    for (const list of lists.values()) {
      const leaves = list.filter((leaf) => !isUsed(leaf));
      const [first] = leaves;
      // A list of which nobody uses anything is one that nobody has opened, not one with something forgotten.
      if (first === undefined || leaves.length === list.length) continue;
      const names = leaves.slice(0, MAX_NAMES).map(({ leaf }) => leaf.name);
      const more = leaves.length > MAX_NAMES ? `, and ${leaves.length - MAX_NAMES} more` : "";
      const message = `nobody is granted these definitions of ${first.server.entry.id}, and no policy names them: ${names.join(", ")}${more}`;
      context.sink.report("PIN_UNUSED", first.at, message);
    }
  },
};

/** What documents and the scopes of policies name, and what an exposure list closes. */
function spokenOf({ lowered, parsed }: CheckContext): ReadonlySet<LeafAction> {
  return new Set([
    ...lowered.uses.map(({ action }) => action),
    ...lowered.closed.keys(),
    ...parsed.flatMap(({ scoped }) => [...(scoped.actions ?? [])]),
  ]);
}

function targetsOf({ parsed }: CheckContext): ReadonlySet<string> {
  const targets = new Set<string>();
  for (const { authored, est } of parsed) {
    if (authored) visitExprs(est, (expr) => targetsIn(expr).forEach((target) => targets.add(target)));
  }
  return targets;
}
