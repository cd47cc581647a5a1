// Runs the derivations of one slice over a projected call: the facts under `context._m` and `context._d`.
import type { Derivation, PrincipalFacts, SqlNamesDerivation } from "#bundle";
import { isJsonObject } from "#std";
import type { JsonObject, JsonValue } from "#std";
import { everyFact, rangeFact, sqlNamesFact } from "./element-facts.ts";
import { MAX_MATCH_INPUT, compileMatcher } from "./matcher.ts";
import type { Matcher } from "./matcher.ts";
import type { SqlReader } from "./sql-reader.ts";
import { UNKNOWN_SQL } from "./sql-walk.ts";
import type { SqlFacts } from "./sql-walk.ts";
import { textFact } from "./text-facts.ts";

/** The two reserved members of the context, as Cedar JSON. */
export interface DerivedFacts {
  readonly _m: JsonObject;
  readonly _d: JsonObject;
}

export type DerivedOutcome =
  | { readonly ok: true; readonly facts: DerivedFacts }
  /** The call cannot be represented: an input is too long for its derivation. */
  | { readonly ok: false; readonly detail: string };

export interface FactProgram {
  /** Synchronous unless a long SQL text goes to the worker. Never throws or rejects. */
  readonly derive: (
    context: JsonObject,
    principal: PrincipalFacts,
    signal: AbortSignal,
  ) => DerivedOutcome | Promise<DerivedOutcome>;
}

export interface FactResources {
  readonly sql: SqlReader;
  /** Compiled patterns, shared by all slices of a bundle. */
  readonly matchers: Map<string, Matcher>;
}

type SqlDerivation = Extract<Derivation, { kind: "sql" }> | SqlNamesDerivation;
type PlainDerivation = Exclude<Derivation, SqlDerivation>;

/** Compiles the derivations of a slice. Throws RE2JSSyntaxException on a pattern that RE2 does not accept. */
export function createFactProgram(derivations: readonly Derivation[], resources: FactResources): FactProgram {
  const plain: PlainDerivation[] = [];
  const queries: SqlDerivation[] = [];
  for (const derivation of derivations) {
    if (derivation.kind === "sql" || derivation.kind === "sqlNames") queries.push(derivation);
    else plain.push(derivation);
    if (derivation.kind !== "matches" && derivation.kind !== "every") continue;
    const { pattern } = derivation;
    if (!resources.matchers.has(pattern)) resources.matchers.set(pattern, compileMatcher(pattern));
  }
  return {
    derive: (context, principal, signal) => {
      const m: [string, JsonValue][] = [];
      const d: [string, JsonValue][] = [];
      for (const derivation of plain) {
        const { path } = derivation;
        const fact = plainFact(derivation, valueAt(path, context, principal), resources.matchers);
        if (fact === undefined) {
          return { ok: false, detail: `${path.join(".")} is longer than ${MAX_MATCH_INPUT} characters` };
        }
        (derivation.kind === "matches" ? m : d).push([derivation.name, fact]);
      }
      const facts: DerivedFacts = { _m: Object.fromEntries(m), _d: Object.fromEntries(d) };
      if (queries.length === 0) return { ok: true, facts };
      return withSql(facts, queries, (path) => {
        const input = valueAt(path, context, principal);
        return typeof input === "string" ? resources.sql.read(input, signal) : UNKNOWN_SQL;
      });
    },
  };
}

/** The fact of one value; undefined where it is too long to be judged. */
function plainFact(
  derivation: PlainDerivation,
  value: JsonValue | undefined,
  matchers: ReadonlyMap<string, Matcher>,
): JsonValue | undefined {
  switch (derivation.kind) {
    case "matches": {
      if (typeof value !== "string") return false;
      return value.length > MAX_MATCH_INPUT ? undefined : matchers.get(derivation.pattern)?.(value) === true;
    }
    case "every": {
      const matcher = matchers.get(derivation.pattern);
      return matcher === undefined ? false : everyFact(derivation, value, matcher);
    }
    case "range":
      return rangeFact(derivation, value);
    default: {
      const answer = textFact(derivation.kind, value);
      return answer.ok ? answer.fact : undefined;
    }
  }
}

/** Adds the facts about SQL. Each text is parsed once, however many derivations read it. */
function withSql(
  facts: DerivedFacts,
  queries: readonly SqlDerivation[],
  read: (path: readonly string[]) => SqlFacts | Promise<SqlFacts>,
): DerivedOutcome | Promise<DerivedOutcome> {
  const answers = new Map<string, SqlFacts | Promise<SqlFacts>>();
  for (const { path } of queries) {
    const key = JSON.stringify(path);
    if (!answers.has(key)) answers.set(key, read(path));
  }
  const ready = new Map<string, SqlFacts>();
  for (const [key, answer] of answers) {
    if (answer instanceof Promise) return withLateSql(facts, queries, answers);
    ready.set(key, answer);
  }
  return assemble(facts, queries, ready);
}

async function withLateSql(
  facts: DerivedFacts,
  queries: readonly SqlDerivation[],
  answers: ReadonlyMap<string, SqlFacts | Promise<SqlFacts>>,
): Promise<DerivedOutcome> {
  const ready = await Promise.all([...answers].map(async ([key, answer]) => [key, await answer] as const));
  return assemble(facts, queries, new Map(ready));
}

function assemble(
  facts: DerivedFacts,
  queries: readonly SqlDerivation[],
  answers: ReadonlyMap<string, SqlFacts>,
): DerivedOutcome {
  const added = queries.map((query): readonly [string, JsonValue] => {
    const answer = answers.get(JSON.stringify(query.path)) ?? UNKNOWN_SQL;
    return [query.name, query.kind === "sql" ? { ...answer } : sqlNamesFact(query, answer)];
  });
  return { ok: true, facts: { _m: facts._m, _d: { ...facts._d, ...Object.fromEntries(added) } } };
}

function valueAt(
  path: readonly string[],
  context: JsonObject,
  principal: PrincipalFacts,
): JsonValue | undefined {
  const [head, ...rest] = path;
  let current: JsonValue | undefined = head === "principal" ? { ...principal.attributes } : context;
  for (const name of head === "principal" ? rest : path) {
    current = isJsonObject(current) && Object.hasOwn(current, name) ? current[name] : undefined;
  }
  return current;
}
