// Judges every statement of test/data/sql, and asks a real PostgreSQL (PGlite) whether the judgement is right.
import { readFileSync } from "node:fs";
import type { PGlite } from "@electric-sql/pglite";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { parse } from "yaml";
import { PURE_SQL_FUNCTIONS, PURE_SQL_OPERATORS, PURE_SQL_TYPES, createSqlReader } from "#facts";
import type { SqlFacts, SqlReader } from "#facts";
import { openEmbeddedPostgres } from "../../../cli/demo/servers/embedded-postgres.ts";

interface SqlCase {
  readonly sql: string;
  readonly operations?: readonly string[];
  readonly tables?: readonly string[];
  readonly functions?: readonly string[];
  readonly postgres?: "writes" | "runs" | "fails";
}

const load = (name: string): readonly SqlCase[] =>
  (parse(readFileSync(new URL(`../../data/sql/${name}.yaml`, import.meta.url), "utf8")) as SqlCase[]).map(
    (entry) => ({
      ...entry,
      // `select` alone is YAML for a string, an empty document item for null.
      sql: entry.sql ?? "",
    }),
  );

const readOnly = load("read-only");
const refused = load("refused");
const signal = new AbortController().signal;
let reader: SqlReader;
let database: PGlite;

beforeAll(async () => {
  // A busy machine must not turn a verdict into a timeout; the limit itself has its own test.
  reader = await createSqlReader({ parseLimitMs: 20_000 });
  database = await openEmbeddedPostgres();
});
afterAll(async () => {
  reader.dispose();
  await database.close();
});

/** As the policy sees it: `["SELECT"].containsAll(operations) && ok`. */
const passes = (facts: SqlFacts): boolean => facts.ok && facts.operations.every((name) => name === "SELECT");

const schema = `
  drop schema public cascade; create schema public; set search_path to public; reset all;
  create table users (id int, name text); insert into users values (1, 'ada'), (2, 'bob');
  create table orders (id int, user_id int, total int); insert into orders values (1, 1, 10), (2, 2, 20);
  create table t (id int primary key); insert into t values (1);
  create table a_table (x int); create table "Mixed Case" ("Name" text);
  create sequence s;
  create table touched (n int);
  create function touch() returns int language plpgsql volatile as
    $f$ begin insert into touched values (1); return 1; end $f$;
  create function plus(int, int) returns int language plpgsql as
    $f$ begin insert into touched values (1); return 1; end $f$;
  create function touch_one(int) returns int language plpgsql volatile as
    $f$ begin insert into touched values (1); return 1; end $f$;
  create function touch_json(json) returns int language plpgsql volatile as
    $f$ begin insert into touched values (1); return 1; end $f$;
  create operator =#= (leftarg = int, rightarg = int, function = plus);
`;

async function stateDigest(): Promise<string> {
  const { rows } = await database.query(`select
    (select array_agg(c.relname::text || c.relkind::text order by c.relname) from pg_catalog.pg_class c where relnamespace = 'public'::regnamespace) relations,
    (select array_agg(c.relname::text || '.' || attname::text order by c.relname, attname) from pg_catalog.pg_attribute a
      join pg_catalog.pg_class c on c.oid = attrelid where relnamespace = 'public'::regnamespace) columns,
    (select array_agg(proname::text order by proname) from pg_catalog.pg_proc where pronamespace = 'public'::regnamespace) functions,
    (select count(*) from pg_catalog.pg_largeobject_metadata) objects,
    current_setting('search_path') path, current_user who`);
  const tables = ["users", "orders", "t", "touched"];
  const contents: unknown[] = [];
  for (const table of tables) {
    const found = await database.query<{ there: boolean }>("select to_regclass($1) is not null there", [
      `public.${table}`,
    ]);
    if (found.rows[0]?.there !== true) contents.push("absent");
    else contents.push((await database.query(`select * from public.${table} order by 1`)).rows);
  }
  const sequence = await database.query("select last_value, is_called from public.s");
  return JSON.stringify([rows, contents, sequence.rows]);
}

async function onPostgres(sql: string): Promise<"writes" | "runs" | "fails"> {
  await database.exec(schema);
  const before = await stateDigest();
  try {
    await database.exec(sql);
  } catch {
    await database.exec("rollback");
    return "fails";
  }
  await database.exec("commit");
  return (await stateDigest()) === before ? "runs" : "writes";
}

describe("read-only statements", () => {
  it.each(readOnly)("$sql", async ({ sql, tables, functions }) => {
    const facts = await reader.read(sql, signal);
    expect(facts).toMatchObject({ ok: true, operations: ["SELECT"] });
    if (tables !== undefined) expect(facts.tables).toEqual(tables);
    if (functions !== undefined) expect(facts.functions).toEqual(functions);
    expect(await onPostgres(sql)).toBe("runs");
  });
});

describe("refused statements", () => {
  it.each(refused)("$sql", async ({ sql, operations, postgres }) => {
    const facts = await reader.read(sql, signal);
    expect(passes(facts)).toBe(false);
    if (operations !== undefined) expect(facts.operations).toEqual(operations);
    if (postgres !== undefined) expect(await onPostgres(sql)).toBe(postgres);
  });
});

it("has at least 120 cases", () => {
  expect(readOnly.length + refused.length).toBeGreaterThanOrEqual(120);
});

describe("the list of pure functions", () => {
  it("names only functions that PostgreSQL has, none of them volatile", async () => {
    const { rows } = await database.query<{ proname: string; volatile: boolean }>(
      `select proname, bool_or(provolatile = 'v') as volatile from pg_catalog.pg_proc
       where pronamespace = 'pg_catalog'::regnamespace group by proname`,
    );
    const catalogue = new Map(rows.map((row) => [row.proname, row.volatile]));
    const wrong = [...PURE_SQL_FUNCTIONS].filter((name) => catalogue.get(name) !== false);
    expect(wrong).toEqual([]);
  });

  it("names no function that reads settings, catalogues, tables or files", () => {
    const suspect = [...PURE_SQL_FUNCTIONS].filter((name) =>
      /^(pg_(?!typeof$)|lo_|has_|txid|inet_(client|server)|current_setting|.*to_xml)/.test(name),
    );
    expect(suspect).toEqual([]);
  });
});

describe("the lists of pure operators and types", () => {
  it("name only operators of PostgreSQL, none of them over a volatile function", async () => {
    const { rows } = await database.query<{ name: string; volatile: boolean }>(
      `select oprname as name, bool_or(p.provolatile = 'v') as volatile
       from pg_catalog.pg_operator o join pg_catalog.pg_proc p on p.oid = o.oprcode
       where o.oprnamespace = 'pg_catalog'::regnamespace group by oprname`,
    );
    const catalogue = new Map(rows.map((row) => [row.name, row.volatile]));
    const wrong = [...PURE_SQL_OPERATORS].filter((name) => catalogue.get(name) !== false);
    expect(wrong.sort()).toEqual(["BETWEEN", "BETWEEN SYMMETRIC", "NOT BETWEEN", "NOT BETWEEN SYMMETRIC"]);
  });

  it("name only types of PostgreSQL, none a domain, none read by a volatile function", async () => {
    const { rows } = await database.query<{ name: string; wrong: boolean }>(
      `select t.typname as name, t.typtype = 'd' or p.provolatile = 'v' as wrong
       from pg_catalog.pg_type t join pg_catalog.pg_proc p on p.oid = t.typinput
       where t.typnamespace = 'pg_catalog'::regnamespace`,
    );
    const catalogue = new Map(rows.map((row) => [row.name, row.wrong]));
    expect([...PURE_SQL_TYPES].filter((name) => catalogue.get(name) !== false)).toEqual([]);
  });
});

it("no statement takes the parser away from the next one", () => {
  for (const { sql } of refused) {
    void reader.read(sql, signal);
    expect(reader.read("select 1", signal), sql).toMatchObject({ ok: true, operations: ["SELECT"] });
  }
});

describe("large statements", () => {
  it("judges them in the worker", async () => {
    const fine = `select 1 where 1 in (${"1,".repeat(3_000)}1)`;
    expect(reader.read(fine, signal)).toBeInstanceOf(Promise);
    expect(await reader.read(fine, signal)).toMatchObject({ ok: true, operations: ["SELECT"] });
    const hostile = `${fine}; drop table t`;
    expect(passes(await reader.read(hostile, signal))).toBe(false);
  });

  it("judges a short statement with a long run of operator characters in the worker", async () => {
    const sql = `select 1 ${"+".repeat(2_000)} 1`;
    expect(reader.read(sql, signal)).toBeInstanceOf(Promise);
    expect((await reader.read(sql, signal)).operations).toEqual(["SELECT"]);
  });

  it.each([
    ["over 16 KB", `select ${"1,".repeat(9_000)}1`],
    ["deep NOT", `select ${"not ".repeat(4_000)}true`],
    ["long sum", `select 1${"+1".repeat(8_000)}`],
    ["deep subqueries", `select ${"(select ".repeat(1_600)}1${")".repeat(1_600)}`],
  ])("gives unknown for %s and goes on judging", async (_, sql) => {
    const facts = await reader.read(sql, signal);
    if (facts.ok) expect(facts.operations).toEqual(["SELECT"]);
    else expect(facts.operations).toEqual(["UNKNOWN"]);
    expect(await reader.read("select 1", signal)).toMatchObject({ ok: true });
    expect(await reader.read(`select ${"1,".repeat(2_000)}1`, signal)).toMatchObject({ ok: true });
  });

  it("ends a worker that takes too long, and judges the next statement in a new one", async () => {
    const impatient = await createSqlReader({ parseLimitMs: 0 });
    const long = `select ${"1,".repeat(7_000)}1`;
    const answers = await Promise.all([impatient.read(long, signal), impatient.read(long, signal)]);
    for (const facts of answers) expect(facts).toMatchObject({ ok: false, operations: ["UNKNOWN"] });
    impatient.dispose();
  });

  it("answers unknown at once when too many statements wait", async () => {
    const own = await createSqlReader({ parseLimitMs: 20_000 });
    const long = `select ${"1,".repeat(1_500)}1`;
    const answers = await Promise.all(Array.from({ length: 100 }, () => own.read(long, signal)));
    const judged = answers.filter((facts) => facts.ok).length;
    expect(judged).toBeGreaterThanOrEqual(64);
    expect(judged).toBeLessThan(100);
    own.dispose();
  });

  it("gives unknown on abort and after disposal", async () => {
    const own = await createSqlReader();
    const long = `select ${"1,".repeat(2_000)}1`;
    const controller = new AbortController();
    const pending = own.read(long, controller.signal);
    controller.abort();
    expect(await pending).toMatchObject({ ok: false, operations: ["UNKNOWN"] });
    const left = own.read(long, signal);
    own.dispose();
    expect(await left).toMatchObject({ ok: false });
    expect(await own.read(long, signal)).toMatchObject({ ok: false });
  });
});
