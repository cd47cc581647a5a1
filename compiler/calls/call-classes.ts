// The arguments that a plan tries on one leaf: calls of the tests, what the schema asks for, and the values at which
// the policies of either side turn.
import { canonicalJson } from "#bundle";
import type { Derivation, LeafAction, LeafEntry, SchemaNode, SchemaProgram, ServerId } from "#bundle";
import { isJsonObject } from "#std";
import type { JsonObject, JsonValue } from "#std";
import { canonicalSpelling } from "#resources";
import { validateAndProject } from "#schema";
import { factSamples } from "./fact-samples.ts";
import { coherentCall, methodStarts } from "./method-calls.ts";
import type { Comparison, PolicyLiterals } from "./policy-literals.ts";
import { isReadable, uriSamples } from "./resource-calls.ts";
import { argumentSamples, memberSamples } from "./sample-schema.ts";

/** What one side knows of a leaf; undefined members where it does not have it. */
export interface LeafSide {
  readonly leaf: LeafEntry;
  readonly server: ServerId;
  /** Names of the templates and rules of the same server: a URI may belong to any of them. */
  readonly neighbours: readonly string[];
  readonly derivations: readonly Derivation[];
  readonly literals: PolicyLiterals;
}

export interface CallClasses {
  readonly arguments: readonly JsonObject[];
  readonly truncated: boolean;
}

/** Known calls that other values are put into. */
const MAX_STARTS = 6;
const MAX_PAIR_VALUES = 6;

export interface Candidates {
  readonly path: readonly string[];
  readonly values: readonly JsonValue[];
}

/** Arguments that at least one side accepts, known calls first, without repetition. */
export function callClasses(
  action: LeafAction,
  sides: readonly LeafSide[],
  known: readonly { readonly action: LeafAction; readonly arguments: JsonObject }[],
  maxCalls: number,
): CallClasses {
  const own = known.filter((call) => call.action === action).map((call) => call.arguments);
  const kind = sides[0]?.leaf.kind ?? "tool";
  const starts = [...own, ...sides.flatMap(schemaStarts)];
  const candidates = mergedCandidates(sides.flatMap(candidatesOf));
  const found = new Map<string, JsonObject>();
  let truncated = false;
  for (const proposal of proposals(unique(starts), candidates)) {
    const args = coherentCall(kind, proposal);
    if (args === undefined || !isReadable(kind, args)) continue;
    const key = canonicalJson(args);
    if (found.has(key) || !sides.some(({ leaf }) => accepts(leaf, args))) continue;
    if (found.size >= maxCalls) {
      truncated = true;
      break;
    }
    found.set(key, args);
  }
  return { arguments: [...found.values()], truncated };
}

function accepts(leaf: LeafEntry, args: JsonObject): boolean {
  return validateAndProject(leaf.argumentsProgram, args).ok;
}

function unique(items: readonly JsonObject[]): readonly JsonObject[] {
  return [...new Map(items.map((item) => [canonicalJson(item), item])).values()];
}

function schemaStarts({ leaf, neighbours }: LeafSide): readonly JsonObject[] {
  switch (leaf.kind) {
    case "resource":
      return [{ uri: canonicalSpelling(leaf.name) }];
    case "resource-template":
    case "resource-rule":
      return uriSamples([leaf.name, ...neighbours]).map((uri) => ({ uri }));
    case "tool":
    case "prompt":
      return argumentSamples(leaf.argumentsProgram);
    default:
      return methodStarts(leaf.kind);
  }
}

function* proposals(starts: readonly JsonObject[], candidates: readonly Candidates[]): Generator<JsonObject> {
  yield* starts;
  const used = starts.slice(0, MAX_STARTS);
  for (const start of used) {
    for (const { path, values } of candidates) {
      for (const value of values) yield withValue(start, path, value);
      yield withValue(start, path, undefined);
    }
  }
  for (const start of used) {
    for (const [index, one] of candidates.entries()) {
      for (const other of candidates.slice(index + 1)) {
        for (const value of one.values.slice(0, MAX_PAIR_VALUES)) {
          const first = withValue(start, one.path, value);
          for (const second of other.values.slice(0, MAX_PAIR_VALUES)) {
            yield withValue(first, other.path, second);
          }
        }
      }
    }
  }
}

/** The object with the member at `path` set, or removed where the value is undefined. */
export function withValue(
  object: JsonObject,
  path: readonly string[],
  value: JsonValue | undefined,
): JsonObject {
  const [name, ...rest] = path;
  if (name === undefined) return object;
  const inner = Object.hasOwn(object, name) ? object[name] : undefined;
  const replaced =
    rest.length === 0
      ? value
      : withValue(inner !== undefined && isJsonObject(inner) ? inner : {}, rest, value);
  const others = Object.entries(object).filter(([key]) => key !== name);
  return Object.fromEntries(replaced === undefined ? others : [...others, [name, replaced]]);
}

/** Values worth trying at each place of the arguments: those of the schema, and those at which the policies turn. */
export function candidatesOf(side: LeafSide): readonly Candidates[] {
  const { leaf, derivations, literals } = side;
  const program = leaf.argumentsProgram;
  return [
    ...memberSamples(program),
    ...literals.comparisons.flatMap((comparison) => fromComparison(program, comparison)),
    ...derivations.flatMap((derivation) => fromDerivation(program, derivation, literals.comparisons)),
  ];
}

/** One entry for each place. */
export function mergedCandidates(all: readonly Candidates[]): readonly Candidates[] {
  const merged = new Map<string, { path: readonly string[]; values: Map<string, JsonValue> }>();
  for (const { path, values } of all) {
    const key = JSON.stringify(path);
    const entry = merged.get(key) ?? { path, values: new Map<string, JsonValue>() };
    for (const value of values) entry.values.set(canonicalJson(value), value);
    merged.set(key, entry);
  }
  return [...merged.values()].map(({ path, values }) => ({ path, values: [...values.values()] }));
}

function fromComparison(program: SchemaProgram, comparison: Comparison): readonly Candidates[] {
  const { path, literal } = comparison;
  if (path[0] !== "context" || path[1] !== "arguments" || path.length < 3) return [];
  const member = path.slice(2);
  const around = variantsOf(literal);
  const isArray = nodeAt(program, member)?.types?.includes("array") === true;
  return [{ path: member, values: isArray ? [[], ...around.map((value) => [value])] : around }];
}

function variantsOf(literal: Comparison["literal"]): readonly JsonValue[] {
  switch (typeof literal) {
    case "number":
      return [literal - 1, literal, literal + 1];
    case "boolean":
      return [true, false];
    default:
      return [literal, `${literal}x`, `x${literal}`];
  }
}

function nodeAt(program: SchemaProgram, path: readonly string[]): SchemaNode | undefined {
  let node = program.nodes[program.root];
  for (const name of path) {
    const properties: Readonly<Record<string, number>> = node?.properties ?? {};
    const index = Object.hasOwn(properties, name) ? properties[name] : undefined;
    node = index === undefined ? undefined : program.nodes[index];
  }
  return node;
}

function fromDerivation(
  program: SchemaProgram,
  derivation: Derivation,
  comparisons: readonly Comparison[],
): readonly Candidates[] {
  if (derivation.path[0] !== "arguments") return [];
  const path = derivation.path.slice(1);
  const items = nodeAt(program, path)?.items;
  const types = items === undefined ? undefined : program.nodes[items]?.types;
  const isNumeric = types?.includes("integer") === true || types?.includes("number") === true;
  const values = factSamples(derivation, comparisons, isNumeric ? 1 : "x");
  return values.length === 0 ? [] : [{ path, values }];
}
