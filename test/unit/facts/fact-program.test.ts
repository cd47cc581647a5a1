import { expect, it } from "vitest";
import type { Derivation, PrincipalFacts } from "#bundle";
import { MAX_MATCH_INPUT, UNKNOWN_SQL, createFactProgram } from "#facts";
import type { SqlReader } from "#facts";
import type { JsonObject } from "#std";

const noSql: SqlReader = { read: () => UNKNOWN_SQL, dispose: () => undefined };
const signal = new AbortController().signal;
const principal: PrincipalFacts = {
  type: "User",
  id: "ada",
  tenant: "default",
  roles: [],
  groups: [],
  attributes: { email: "ada@corp.example", level: 3 },
};

function match(path: readonly string[], pattern: string, context: JsonObject): unknown {
  const derivations: Derivation[] = [{ kind: "matches", name: "r", path, pattern }];
  const program = createFactProgram(derivations, { sql: noSql, matchers: new Map() });
  const outcome = program.derive(context, principal, signal);
  if (outcome instanceof Promise) throw new Error("expected an answer at once");
  return outcome.ok ? outcome.facts._m["r"] : outcome.detail;
}

const sqlPath = ["arguments", "sql"];
const seed = "(?i)^\\s*SELECT\\s";

it.each([
  ["select 1", true],
  [" \n SeLeCt\t1", true],
  ["selec 1", false],
  ["x select 1", false],
  ["select 1; drop table t", true],
])("matches %j: %s", (sql, expected) => {
  expect(match(sqlPath, seed, { arguments: { sql } })).toBe(expected);
});

it("is false where the path is absent or no string, and reads own members only", () => {
  expect(match(sqlPath, ".*", { arguments: {} })).toBe(false);
  expect(match(sqlPath, ".*", { arguments: { sql: 5 } })).toBe(false);
  expect(match(["arguments", "constructor", "name"], ".*", { arguments: {} })).toBe(false);
});

it("reads principal attributes", () => {
  expect(match(["principal", "email"], "@corp\\.example$", {})).toBe(true);
  expect(match(["principal", "level"], "3", {})).toBe(false);
  expect(match(["principal", "none"], ".*", {})).toBe(false);
});

it("refuses input longer than the cap instead of guessing", () => {
  const sql = "x".repeat(MAX_MATCH_INPUT + 1);
  expect(match(sqlPath, "y", { arguments: { sql } })).toContain("longer than");
  expect(match(sqlPath, "y", { arguments: { sql: sql.slice(1) } })).toBe(false);
});

it("is linear on patterns that backtracking engines choke on", () => {
  expect(match(sqlPath, "(a+)+$", { arguments: { sql: `${"a".repeat(20_000)}b` } })).toBe(false);
});

it("refuses what RE2 does not have", () => {
  expect(() => match(sqlPath, "(?=a)", {})).toThrow();
  expect(() => match(sqlPath, "(a)\\1", {})).toThrow();
});

it("answers unknown SQL where the argument is absent", () => {
  const derivations: Derivation[] = [{ kind: "sql", name: "q", path: sqlPath, dialect: "postgresql" }];
  const program = createFactProgram(derivations, { sql: noSql, matchers: new Map() });
  expect(program.derive({ arguments: {} }, principal, signal)).toEqual({
    ok: true,
    facts: { _m: {}, _d: { q: UNKNOWN_SQL } },
  });
});
