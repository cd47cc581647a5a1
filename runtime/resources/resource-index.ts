// From a resource URI to the leaf that stands for it on one server: the pinned resource, else the pinned template, else
// the most specific rule. A rule never stands for another spelling of what is pinned: that would lead around what was
// decided about it. The gateway and policy tests ask the same index.
import type { LeafEntry } from "#bundle";
import { compileMatcher } from "#facts";
import { canonicalSpelling, uriFault } from "./canonical-uri.ts";
import type { UriFault } from "./canonical-uri.ts";
import { bySpecificity, patternRegex } from "./uri-pattern.ts";
import { templateMatcher } from "./uri-template.ts";

export interface ResourceIndex {
  /**
   * Why a URI is refused, as `uriFault`. A pinned name may differ from canonical form as `canonicalSpelling` allows:
   * servers list and compare what they were written with.
   */
  readonly faultOf: (uri: string) => UriFault | undefined;
  /** Undefined for a URI that nothing on the server stands for. The URI must have no fault: see `faultOf`. */
  readonly leafOf: (uri: string) => LeafEntry | undefined;
  /** The pinned template or rule of this name. */
  readonly named: (name: string) => LeafEntry | undefined;
}

interface Matching {
  readonly leaf: LeafEntry;
  readonly matches: (uri: string) => boolean;
}

/** Throws RE2JSSyntaxException where a rule is no pattern. */
export function createResourceIndex(leaves: readonly LeafEntry[]): ResourceIndex {
  const ofKind = (kind: LeafEntry["kind"]): readonly LeafEntry[] =>
    leaves.filter((leaf) => leaf.kind === kind);
  const names = new Set(ofKind("resource").map(({ name }) => name));
  const resources = new Map(ofKind("resource").map((leaf) => [canonicalSpelling(leaf.name), leaf]));
  const templates = ofKind("resource-template").map((leaf): Matching => ({
    leaf,
    matches: templateMatcher(canonicalSpelling(leaf.name)),
  }));
  const rules = ofKind("resource-rule")
    .toSorted((a, b) => bySpecificity(a.name, b.name))
    .map((leaf): Matching => ({ leaf, matches: compileMatcher(patternRegex(leaf.name)) }));
  const pinned = (uri: string): LeafEntry | undefined =>
    resources.get(uri) ?? templates.find(({ matches }) => matches(uri))?.leaf;
  const byRule = (uri: string): LeafEntry | undefined => {
    const bare = uri.replace(/[?].*$/su, "").replace(/\/+$/u, "");
    if (bare !== uri && pinned(bare) !== undefined) return undefined;
    return rules.find(({ matches }) => matches(uri))?.leaf;
  };
  return {
    faultOf: (uri) => uriFault(names.has(uri) ? canonicalSpelling(uri) : uri),
    leafOf: (written) => {
      const uri = canonicalSpelling(written);
      return pinned(uri) ?? byRule(uri);
    },
    named: (name) => [...templates, ...rules].find(({ leaf }) => leaf.name === name)?.leaf,
  };
}
