// Which leaves a plan searches, and with which arguments.
import { canonicalJson } from "#bundle";
import type { LeafAction, LeafEntry, ServerEntry } from "#bundle";
import { callClasses } from "./call-classes.ts";
import type { CallClasses, LeafSide } from "./call-classes.ts";
import type { PlanSide } from "./plan-side.ts";
import { literalsOf, sliceOf } from "./policy-literals.ts";

/** Arguments tried on one leaf. */
const MAX_CALLS_PER_LEAF = 256;
/** Of a leaf, however large the repository. */
const MIN_CALLS_PER_LEAF = 8;
/** Decisions of both sides; where more would be made, leaves that are the same on both sides are left out. */
const SMALL_SEARCH = 60_000;
const MAX_DECISIONS = 1_000_000;

export interface LeafSearch {
  readonly action: LeafAction;
  readonly calls: CallClasses;
  /** Everything that decides a call of it is equal on both sides. */
  readonly isIdentical: boolean;
}

/** The leaves of both sides in order of action. */
export function leafSearches(base: PlanSide, head: PlanSide, principals: number): readonly LeafSearch[] {
  const before = indexLeaves(base);
  const after = indexLeaves(head);
  const known = [...head.calls, ...base.calls];
  const actions = [...new Set([...before.keys(), ...after.keys()])].sort();
  const share = Math.floor(MAX_DECISIONS / (2 * Math.max(1, principals) * Math.max(1, actions.length)));
  const maxCalls = Math.min(MAX_CALLS_PER_LEAF, Math.max(MIN_CALLS_PER_LEAF, share));
  const sameIssuers = canonicalJson(base.issuers) === canonicalJson(head.issuers);
  return actions.map((action) => {
    const sides = [after.get(action), before.get(action)].filter((side) => side !== undefined);
    const isIdentical =
      sameIssuers && sides.length === 2 && new Set(sides.map(({ fingerprint }) => fingerprint)).size === 1;
    return { action, calls: callClasses(action, sides, known, maxCalls), isIdentical };
  });
}

interface IndexedLeaf extends LeafSide {
  /** Equal where everything that decides a call is equal. */
  readonly fingerprint: string;
}

function indexLeaves(side: PlanSide): ReadonlyMap<LeafAction, IndexedLeaf> {
  const entries = side.content.registry.servers.flatMap((server) =>
    server.leaves.map((leaf): [LeafAction, IndexedLeaf] => [leaf.action, indexed(side, server, leaf)]),
  );
  return new Map(entries);
}

function indexed(side: PlanSide, server: ServerEntry, leaf: LeafEntry): IndexedLeaf {
  const { content } = side;
  const slices = content.policies.slices.filter(({ action }) => action === leaf.action);
  const { id, tier, labels } = server;
  const { kind, name, argumentsProgram } = leaf;
  const fingerprint = canonicalJson([id, tier, labels, kind, name, argumentsProgram, slices]);
  const tenants = slices.map(({ tenant }) => literalsOf(content, sliceOf(content, tenant, leaf.action)));
  return {
    leaf,
    derivations: slices.flatMap(({ derivations }) => derivations),
    literals: {
      comparisons: tenants.flatMap(({ comparisons }) => comparisons),
      entities: tenants.flatMap(({ entities }) => entities),
    },
    fingerprint,
  };
}

/** The leaves to search: all of them, or in a large search only those that differ. */
export function worthSearching(
  all: readonly LeafSearch[],
  principals: number,
  identical: "auto" | "skip",
): readonly LeafSearch[] {
  const calls = all.reduce((sum, leaf) => sum + leaf.calls.arguments.length, 0);
  const isSmall = identical === "auto" && calls * principals * 2 <= SMALL_SEARCH;
  return isSmall ? all : all.filter((leaf) => !leaf.isIdentical);
}
