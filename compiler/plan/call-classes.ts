// The arguments that a plan tries on one leaf: calls of the tests, what the schema asks for, and the values at which
// the policies of either side turn.
import { canonicalJson } from "#bundle";
import type { Derivation, LeafAction, LeafEntry, SchemaNode, SchemaProgram } from "#bundle";
import { isJsonObject } from "#std";
import type { JsonObject, JsonValue } from "#std";
import { validateAndProject } from "#schema";
import type { Comparison, PolicyLiterals } from "./policy-literals.ts";
import { matchingSamples, nearMisses } from "./sample-pattern.ts";
import { argumentSamples, memberSamples } from "./sample-schema.ts";

/** What one side knows of a leaf; undefined members where it does not have it. */
export interface LeafSide {
  readonly leaf: LeafEntry;
  readonly derivations: readonly Derivation[];
  readonly literals: PolicyLiterals;
}

export interface CallClasses {
  readonly arguments: readonly JsonObject[];
  readonly truncated: boolean;
}

/** One statement of each kind the SQL facts tell apart. */
const SQL_SAMPLES: readonly string[] = [
  "SELECT 1",
  "SELECT * FROM sample",
  "INSERT INTO sample VALUES (1)",
  "UPDATE sample SET a = 1",
  "DELETE FROM sample",
  "MERGE INTO sample s USING other o ON s.id = o.id WHEN MATCHED THEN DELETE",
  "DROP TABLE sample",
  "WITH found AS (SELECT 1) SELECT * FROM found",
  "select 1; drop table sample",
];

/** Known calls that other values are put into. */
const MAX_STARTS = 6;
const MAX_PAIR_VALUES = 6;

interface Candidates {
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
  const starts = [...own, ...sides.flatMap(({ leaf }) => schemaStarts(leaf))];
  const candidates = mergedCandidates(sides.flatMap(candidatesOf));
  const found = new Map<string, JsonObject>();
  let truncated = false;
  for (const args of proposals(unique(starts), candidates)) {
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

function schemaStarts(leaf: LeafEntry): readonly JsonObject[] {
  if (leaf.kind === "resource-template") return [{ uri: leaf.name.replace(/\{[^}]*\}/gu, "sample") }];
  return argumentSamples(leaf.argumentsProgram);
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
function withValue(object: JsonObject, path: readonly string[], value: JsonValue | undefined): JsonObject {
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

function candidatesOf(side: LeafSide): readonly Candidates[] {
  const { leaf, derivations, literals } = side;
  const program = leaf.argumentsProgram;
  return [
    ...memberSamples(program),
    ...literals.comparisons.flatMap((comparison) => fromComparison(program, comparison)),
    ...derivations.flatMap((derivation) => fromDerivation(derivation, literals.comparisons)),
  ];
}

function mergedCandidates(all: readonly Candidates[]): readonly Candidates[] {
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

function fromDerivation(derivation: Derivation, comparisons: readonly Comparison[]): readonly Candidates[] {
  if (derivation.path[0] !== "arguments") return [];
  const path = derivation.path.slice(1);
  if (derivation.kind === "matches") {
    return [{ path, values: [...matchingSamples(derivation.pattern), ...nearMisses(derivation.pattern)] }];
  }
  if (derivation.kind === "sql" || derivation.kind === "sqlNames") {
    return [{ path, values: [...SQL_SAMPLES, ...sqlFor(derivation.name, comparisons)] }];
  }
  const values = textSamples(derivation, comparisons);
  return values.length === 0 ? [] : [{ path, values }];
}

/** Texts whose facts differ, among them some with what a policy compares the fact with. */
function textSamples({ kind, name }: Derivation, comparisons: readonly Comparison[]): readonly string[] {
  const named = comparisons.flatMap(({ path, literal }) =>
    path[1] === "_d" && path[2] === name && typeof literal === "string" ? [literal] : [],
  );
  switch (kind) {
    case "url":
      return ["https://example.com/", "http://127.0.0.1/", "x", ...named.map((host) => `https://${host}/`)];
    case "path":
      return ["/", "a/b", "../a", ...named];
    case "email":
      return ["a@example.com", "x", ...named.map((domain) => `a@${domain}`)];
    case "lower":
      return named;
    default:
      return [];
  }
}

/** Statements that touch the tables and functions a policy names. */
function sqlFor(name: string, comparisons: readonly Comparison[]): readonly string[] {
  return comparisons.flatMap(({ path, literal }) => {
    if (path[1] !== "_d" || path[2] !== name || typeof literal !== "string") return [];
    const identifier = /^[a-z_][a-z0-9_]*(?:\.[a-z_][a-z0-9_]*)?$/u.test(literal)
      ? literal
      : `"${literal.replaceAll('"', '""')}"`;
    if (path[3] === "tables") return [`SELECT * FROM ${identifier}`, `DELETE FROM ${identifier}`];
    return path[3] === "functions" ? [`SELECT ${identifier}()`] : [];
  });
}
