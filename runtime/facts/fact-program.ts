// Runs the derivations of one slice over a projected call: the facts under `context._m` and `context._d`.
import type { Derivation, PrincipalFacts } from "#bundle";
import { isJsonObject } from "#std";
import type { JsonObject, JsonValue } from "#std";
import { MAX_MATCH_INPUT, compileMatcher } from "./matcher.ts";
import type { Matcher } from "./matcher.ts";
import type { SqlReader } from "./sql-reader.ts";
import { UNKNOWN_SQL } from "./sql-walk.ts";
import type { SqlFacts } from "./sql-walk.ts";

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

/** Compiles the derivations of a slice. Throws RE2JSSyntaxException on a pattern that RE2 does not accept. */
export function createFactProgram(derivations: readonly Derivation[], resources: FactResources): FactProgram {
  const matches = derivations.filter((derivation) => derivation.kind === "matches");
  const queries = derivations.filter((derivation) => derivation.kind === "sql");
  for (const { pattern } of matches) {
    if (!resources.matchers.has(pattern)) resources.matchers.set(pattern, compileMatcher(pattern));
  }
  return {
    derive: (context, principal, signal) => {
      const m: [string, boolean][] = [];
      for (const { name, path, pattern } of matches) {
        const input = valueAt(path, context, principal);
        if (typeof input === "string" && input.length > MAX_MATCH_INPUT) {
          return { ok: false, detail: `${path.join(".")} is longer than ${MAX_MATCH_INPUT} characters` };
        }
        m.push([name, typeof input === "string" && resources.matchers.get(pattern)?.(input) === true]);
      }
      const d = queries.map(({ name, path }): [string, SqlFacts | Promise<SqlFacts>] => {
        const input = valueAt(path, context, principal);
        return [name, typeof input === "string" ? resources.sql.read(input, signal) : UNKNOWN_SQL];
      });
      return assemble(m, d);
    },
  };
}

type Named<T> = readonly (readonly [string, T])[];

function assemble(
  m: Named<boolean>,
  d: Named<SqlFacts | Promise<SqlFacts>>,
): DerivedOutcome | Promise<DerivedOutcome> {
  const ready: [string, SqlFacts][] = [];
  for (const [name, facts] of d) {
    if (facts instanceof Promise) return assembleLater(m, d);
    ready.push([name, facts]);
  }
  return outcome(m, ready);
}

async function assembleLater(
  m: Named<boolean>,
  d: Named<SqlFacts | Promise<SqlFacts>>,
): Promise<DerivedOutcome> {
  const ready = await Promise.all(d.map(async ([name, facts]) => [name, await facts] as const));
  return outcome(m, ready);
}

function outcome(m: Named<boolean>, d: Named<SqlFacts>): DerivedOutcome {
  const records = d.map(([name, facts]) => [name, { ...facts }] as const);
  return { ok: true, facts: { _m: Object.fromEntries(m), _d: Object.fromEntries(records) } };
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
