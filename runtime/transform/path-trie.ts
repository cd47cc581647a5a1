// The operations of one direction as a trie of path segments: one walk applies all of them at their original places.
import type { DetectorName, PathSegment, TransformOperation } from "#bundle";
import { TrustError } from "#errors";
import type { JsonValue } from "#std";

export type Path = readonly PathSegment[];

/** Bits of the detectors, so that sets of them are one number. */
export const DETECTOR_BITS: Readonly<Record<DetectorName, number>> = { email: 1, card: 2, key: 4 };

/** What is done to every text at and below a place. */
export interface TextActs {
  readonly hash: boolean;
  /** Unicode code points that stay; the least of several wins. */
  readonly truncate: number | undefined;
  /** Union of DETECTOR_BITS. */
  readonly detectors: number;
}

export const NO_ACTS: TextActs = { hash: false, truncate: undefined, detectors: 0 };

export function isIdle(acts: TextActs): boolean {
  return !acts.hash && acts.truncate === undefined && acts.detectors === 0;
}

export function joinActs(a: TextActs, b: TextActs): TextActs {
  if (a === b || isIdle(b)) return a;
  if (isIdle(a)) return b;
  const lengths = [a.truncate, b.truncate].filter((length) => length !== undefined);
  return {
    hash: a.hash || b.hash,
    truncate: lengths.length === 0 ? undefined : Math.min(...lengths),
    detectors: a.detectors | b.detectors,
  };
}

/** What takes a whole value away; of several at one place the first of this list wins: remove, replace, redact. */
export type Strong =
  { readonly verb: "remove" | "redact" } | { readonly verb: "replace"; readonly value: JsonValue };

const STRENGTH: Readonly<Record<Strong["verb"], number>> = { remove: 3, replace: 2, redact: 1 };

/** The stronger of two; of two replacements the first. */
export function stronger(a: Strong | undefined, b: Strong | undefined): Strong | undefined {
  if (a === undefined || b === undefined) return a ?? b;
  return STRENGTH[b.verb] > STRENGTH[a.verb] ? b : a;
}

export interface PathNode {
  readonly strong: Strong | undefined;
  readonly acts: TextActs;
  readonly names: ReadonlyMap<string, PathNode>;
  readonly indexes: ReadonlyMap<number, PathNode>;
  readonly wildcard: PathNode | undefined;
  /** Something further down hides a value: a scalar here is redacted, as it may hold that value. */
  readonly hidesBelow: boolean;
  /** Text acts further down that apply to a scalar here. */
  readonly actsBelow: TextActs;
  /** The same for what only an index reaches. */
  readonly hidesByIndex: boolean;
  readonly actsByIndex: TextActs;
  /** This node without its own acts, indexes and wildcard: a name reaches into the elements of a list. */
  readonly namesOnly: PathNode | undefined;
}

interface Draft {
  strong: Strong | undefined;
  acts: TextActs;
  readonly names: Map<string, Draft>;
  readonly indexes: Map<number, Draft>;
  wildcard: Draft | undefined;
}

function draft(): Draft {
  return { strong: undefined, acts: NO_ACTS, names: new Map(), indexes: new Map(), wildcard: undefined };
}

function obtain<Key>(map: Map<Key, Draft>, key: Key): Draft {
  const found = map.get(key) ?? draft();
  map.set(key, found);
  return found;
}

function step(node: Draft, segment: PathSegment): Draft {
  switch (segment.kind) {
    case "name":
      return obtain(node.names, segment.name);
    case "index":
      return obtain(node.indexes, segment.index);
    case "wildcard":
      return (node.wildcard ??= draft());
  }
}

function addTo(node: Draft, operation: TransformOperation): void {
  switch (operation.verb) {
    case "redact":
    case "remove":
      node.strong = stronger(node.strong, { verb: operation.verb });
      return;
    case "replace":
      node.strong = stronger(node.strong, { verb: "replace", value: operation.value });
      return;
    case "hash":
      node.acts = joinActs(node.acts, { ...NO_ACTS, hash: true });
      return;
    case "truncate":
      node.acts = joinActs(node.acts, { ...NO_ACTS, truncate: operation.length });
      return;
    case "detect":
      node.acts = joinActs(node.acts, { ...NO_ACTS, detectors: bitsOf(operation.detectors) });
      return;
    default:
      throw new TrustError("BUNDLE_INVALID", "transform operation is not understood");
  }
}

function bitsOf(detectors: readonly DetectorName[]): number {
  const bits = detectors.map((name) => DETECTOR_BITS[name] as number | undefined);
  if (bits.length === 0 || bits.includes(undefined))
    throw new TrustError("BUNDLE_INVALID", "transform detector is not understood");
  return bits.reduce<number>((all, bit) => all | (bit ?? 0), 0);
}

const hides = (nodes: readonly PathNode[]): boolean =>
  nodes.some((node) => node.strong !== undefined || node.acts.hash || node.hidesBelow);

const actsOf = (nodes: readonly PathNode[]): TextActs =>
  nodes.map((node) => joinActs(node.acts, node.actsBelow)).reduce(joinActs, NO_ACTS);

function finish(node: Draft): PathNode {
  const names = new Map([...node.names].map(([name, child]) => [name, finish(child)]));
  const indexes = new Map([...node.indexes].map(([index, child]) => [index, finish(child)]));
  const wildcard = node.wildcard === undefined ? undefined : finish(node.wildcard);
  const byName = [...names.values()];
  const byIndex = [...indexes.values()];
  const all = [...byName, ...byIndex, ...(wildcard === undefined ? [] : [wildcard])];
  const bare = {
    strong: undefined,
    acts: NO_ACTS,
    names,
    indexes: new Map<number, PathNode>(),
    wildcard: undefined,
    hidesBelow: hides(byName),
    actsBelow: actsOf(byName),
    hidesByIndex: false,
    actsByIndex: NO_ACTS,
  };
  const namesOnly: PathNode | undefined = names.size === 0 ? undefined : { ...bare, namesOnly: undefined };
  return {
    strong: node.strong,
    acts: node.acts,
    names,
    indexes,
    wildcard,
    hidesBelow: hides(all),
    actsBelow: actsOf(all),
    hidesByIndex: hides(byIndex),
    actsByIndex: actsOf(byIndex),
    namesOnly,
  };
}

/** @throws TrustError BUNDLE_INVALID where an operation is unknown or has no path: it must not be skipped. */
export function buildTrie(operations: readonly TransformOperation[]): PathNode {
  const root = draft();
  for (const operation of operations) {
    if (operation.paths.length === 0)
      throw new TrustError("BUNDLE_INVALID", "transform operation is not understood");
    for (const path of operation.paths) addTo(path.reduce(step, root), operation);
  }
  return finish(root);
}
