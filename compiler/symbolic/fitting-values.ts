// Values whose derived facts are what a satisfiable answer says: a solver knows a text, but not what SQL or a pattern
// makes of it.
import type { Derivation } from "#bundle";
import { compileMatcher } from "#facts";
import type { JsonValue } from "#std";
import { factSamples } from "../calls/fact-samples.ts";
import type { Comparison } from "../calls/policy-literals.ts";
import { matchingSamples, nearMisses } from "../calls/sample-pattern.ts";
import type { Model } from "./model.ts";

const MAX_VALUES = 24;

/** What is asked of a place: patterns with the answer, and derivations. */
export interface PlaceFacts {
  readonly derivations: readonly Derivation[];
  readonly comparisons: readonly Comparison[];
}

/** Values for a place, `own` first where it has the facts, those that disagree with fewest patterns first. */
export function fittingValues(
  model: Model,
  path: readonly string[],
  own: JsonValue,
  { derivations, comparisons }: PlaceFacts,
): readonly JsonValue[] {
  const patterns = patternsAt(model, path);
  const derived = derivations.filter((item) => item.path.join("\0") === path.join("\0"));
  const samples = [
    ...patterns.flatMap(({ pattern, holds }) => (holds ? matchingSamples(pattern) : nearMisses(pattern))),
    ...derived.flatMap((item) => factSamples(item, comparisons, Array.isArray(own) ? (own[0] ?? "x") : "x")),
  ];
  const alike = samples.filter(
    (value) => Array.isArray(value) === Array.isArray(own) && typeof value === typeof own,
  );
  const values = [own, ...alike].map((value) => ({ value, wrong: misses(patterns, value) }));
  const distinct = [...new Map(values.map((item) => [JSON.stringify(item.value), item])).values()];
  return distinct
    .toSorted((a, b) => a.wrong - b.wrong)
    .slice(0, MAX_VALUES)
    .map(({ value }) => value);
}

interface AskedPattern {
  readonly pattern: string;
  readonly holds: boolean;
}

function patternsAt(model: Model, path: readonly string[]): readonly AskedPattern[] {
  return model.symbols.keys("Bool", "matches").flatMap(([pattern = "", ...at]) => {
    const holds = at.join("\0") === path.join("\0") ? model.truth("matches", pattern, ...at) : undefined;
    return holds === undefined ? [] : [{ pattern, holds }];
  });
}

function misses(patterns: readonly AskedPattern[], value: JsonValue): number {
  if (typeof value !== "string") return 0;
  return patterns.filter(({ pattern, holds }) => matcherOf(pattern)(value) !== holds).length;
}

/** A pattern that does not compile matches nothing here: the call is decided by the gateway's code anyway. */
function matcherOf(pattern: string): (value: string) => boolean {
  try {
    return compileMatcher(pattern);
  } catch {
    return () => false;
  }
}
