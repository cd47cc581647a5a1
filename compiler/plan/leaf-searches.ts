// Which leaves a plan searches, and with which arguments.
import { canonicalJson, isMethodKind } from "#bundle";
import type { LeafAction, LeafEntry, ServerEntry, ServerId, Slice, TransformEntry } from "#bundle";
import { IMPLIED_PERMIT } from "#compiler";
import { callClasses } from "../calls/call-classes.ts";
import type { CallClasses, LeafSide } from "../calls/call-classes.ts";
import type { KnownCall, PlanSide } from "../calls/plan-side.ts";
import { literalsOf } from "../calls/policy-literals.ts";
import type { PolicyLiterals } from "../calls/policy-literals.ts";
import { requestClasses } from "../calls/request-classes.ts";
import type { RequestClasses } from "../calls/request-classes.ts";
import { isResourceKind } from "../calls/resource-calls.ts";

/** Arguments tried on one leaf. */
const MAX_CALLS_PER_LEAF = 256;
/** Of a leaf, however large the repository. */
const MIN_CALLS_PER_LEAF = 8;
/** Requests that one caller makes of a leaf, each with every one of its arguments. */
const MAX_REQUESTS_PER_LEAF = 32;
/** Of a leaf, however large the repository, so that conditions on two facts are crossed. */
const MIN_REQUESTS_PER_LEAF = 8;
/** Decisions of both sides; where more would be made, leaves that are the same on both sides are left out. */
const SMALL_SEARCH = 60_000;
const MAX_DECISIONS = 1_000_000;

export interface LeafSearch {
  readonly action: LeafAction;
  readonly calls: CallClasses;
  readonly requests: RequestClasses;
  /** The server of a leaf whose calls are reads of a URI: a rule of the other side may stand for the same one. */
  readonly resourcesOf: ServerId | undefined;
}

/** What one caller tries on a leaf. */
export function callsOf({ calls, requests }: LeafSearch): number {
  return calls.arguments.length * requests.changes.length;
}

/** One leaf with the calls to try, at most `maxCalls` for each caller. */
export function leafSearch(
  action: LeafAction,
  sides: readonly LeafSide[],
  known: readonly KnownCall[],
  maxCalls: number,
): LeafSearch {
  const maxRequests = Math.max(
    MIN_REQUESTS_PER_LEAF,
    Math.min(MAX_REQUESTS_PER_LEAF, Math.floor(maxCalls / 4)),
  );
  const requests = requestClasses(
    sides.map(({ literals }) => literals),
    sides.flatMap(({ derivations }) => derivations),
    maxRequests,
  );
  const share = Math.floor(maxCalls / requests.changes.length);
  const most = Math.min(MAX_CALLS_PER_LEAF, Math.max(MIN_CALLS_PER_LEAF, share));
  const resource = sides.find(({ leaf }) => isResourceKind(leaf.kind));
  return {
    action,
    calls: callClasses(action, sides, known, most),
    requests,
    resourcesOf: resource?.server,
  };
}

export interface LeafSearches {
  /** Leaves to search, in order of action. */
  readonly leaves: readonly LeafSearch[];
  /** Identical leaves that are left out. */
  readonly identicalLeaves: number;
}

/** The leaves to search: all of them, or in a large search (or where asked to skip) only those that differ. */
export function leafSearches(
  base: PlanSide,
  head: PlanSide,
  principals: number,
  identical: "auto" | "skip",
): LeafSearches {
  const pairs = pairLeaves(base, head);
  const known = [...head.calls, ...base.calls];
  const share = Math.floor(MAX_DECISIONS / (2 * Math.max(1, principals) * Math.max(1, pairs.length)));
  const maxCalls = Math.min(MAX_CALLS_PER_LEAF * MIN_REQUESTS_PER_LEAF, share);
  const search = ({ action, sides }: LeafPair): LeafSearch => leafSearch(action, sides, known, maxCalls);
  const different = pairs.filter(({ isIdentical }) => !isIdentical).map(search);
  const others = pairs.filter(({ isIdentical }) => isIdentical);
  let room = SMALL_SEARCH - decisions(different, principals);
  const added: LeafSearch[] = [];
  for (const pair of identical === "skip" ? [] : others) {
    const leaf = search(pair);
    room -= decisions([leaf], principals);
    if (room < 0) break;
    added.push(leaf);
  }
  // All of the identical leaves or none: half of them would say nothing about the rest.
  const leaves = added.length === others.length ? [...different, ...added] : different;
  return {
    leaves: leaves.toSorted((a, b) => (a.action < b.action ? -1 : 1)),
    identicalLeaves: pairs.length - leaves.length,
  };
}

function decisions(leaves: readonly LeafSearch[], principals: number): number {
  return leaves.reduce((sum, leaf) => sum + callsOf(leaf), 0) * principals * 2;
}

interface LeafPair {
  readonly action: LeafAction;
  readonly sides: readonly LeafSide[];
  /** Everything that decides a call is equal on both sides. */
  readonly isIdentical: boolean;
}

function pairLeaves(base: PlanSide, head: PlanSide): readonly LeafPair[] {
  const before = indexLeaves(base);
  const after = indexLeaves(head);
  const sameIssuers = canonicalJson(base.issuers) === canonicalJson(head.issuers);
  const actions = [...new Set([...before.keys(), ...after.keys()])];
  return actions.map((action) => {
    const sides = [after.get(action), before.get(action)].filter((side) => side !== undefined);
    const isIdentical =
      sameIssuers && sides.length === 2 && new Set(sides.map(({ fingerprint }) => fingerprint)).size === 1;
    return { action, sides, isIdentical };
  });
}

/** True for a method that no document speaks of: what follows from other permits cannot change by itself. */
function isUngoverned(leaf: LeafEntry, slices: readonly Slice[]): boolean {
  if (!isMethodKind(leaf.kind)) return false;
  return slices.every(({ call }) => call.every(({ id }) => id === IMPLIED_PERMIT));
}

export interface IndexedLeaf extends LeafSide {
  readonly fingerprint: string;
}

/** The leaves of one side, with what is known of each: `governed` are those that a document speaks of. */
export function indexLeaves(
  side: PlanSide,
  which: "all" | "governed" = "governed",
): ReadonlyMap<LeafAction, IndexedLeaf> {
  const slices = Map.groupBy(side.content.policies.slices, ({ action }) => action);
  const transforms = Map.groupBy(side.content.transforms.transforms, ({ action }) => action);
  const entries = side.content.registry.servers.flatMap((server) => {
    const wide = server.leaves.filter(({ kind }) => kind === "resource-template" || kind === "resource-rule");
    return server.leaves.flatMap((leaf): readonly [LeafAction, IndexedLeaf][] => {
      const own = slices.get(leaf.action) ?? [];
      if (which === "governed" && isUngoverned(leaf, own)) return [];
      const around = isResourceKind(leaf.kind) ? wide : [];
      const found = { leaf, slices: own, wide: around, transforms: transforms.get(leaf.action) ?? [] };
      return [[leaf.action, indexed(side, server, found)]];
    });
  });
  return new Map(entries);
}

interface FoundLeaf {
  readonly leaf: LeafEntry;
  readonly slices: readonly Slice[];
  /** Templates and rules of the same server, where the leaf is one that a URI is read from. */
  readonly wide: readonly LeafEntry[];
  /** They decide nothing; a caller whom a lost one concerns is found by searching. */
  readonly transforms: readonly TransformEntry[];
}

function indexed(
  side: PlanSide,
  server: ServerEntry,
  { leaf, slices, wide, transforms }: FoundLeaf,
): IndexedLeaf {
  const { id, tier, labels } = server;
  const { kind, name, argumentsProgram } = leaf;
  const literals = slices.map((slice) => literalsOf(side.content, slice));
  const all = <T>(items: (literal: PolicyLiterals) => readonly T[]): readonly T[] => literals.flatMap(items);
  // Which leaf stands for a URI depends on the others of the server.
  const others = wide.map((item) => item.name);
  return {
    leaf,
    server: id,
    neighbours: wide.map((item) => item.name),
    derivations: slices.flatMap(({ derivations }) => derivations),
    literals: {
      comparisons: all(({ comparisons }) => comparisons),
      entities: all(({ entities }) => entities),
      types: [...new Set(all(({ types }) => types))],
      requestReads: [...new Set(all(({ requestReads }) => requestReads))].sort(),
    },
    fingerprint: canonicalJson([id, tier, labels, kind, name, argumentsProgram, slices, others, transforms]),
  };
}
