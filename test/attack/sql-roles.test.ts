// What no judgement of a statement's text can see, and what the database's own means do about it: a role that may only
// read, and read-only transactions.
import { readFileSync } from "node:fs";
import { join } from "node:path";
import type { PGlite } from "@electric-sql/pglite";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { parse } from "yaml";
import { createSqlReader } from "#facts";
import type { SqlReader } from "#facts";
import { openEmbeddedPostgres } from "../../cli/demo/servers/embedded-postgres.ts";
import { passesSelect } from "./sql/corpus.ts";

type Verdict = "refused" | "writes";

interface Beyond {
  readonly name: string;
  readonly setup: string;
  readonly sql: string;
  readonly writer: Verdict;
  readonly reader: Verdict;
  readonly readOnly: Verdict;
}

const WORLD = `
  create table orders (id int, total int);
  insert into orders values (1, 10), (2, 20);
  create table touched (n int);
  create function touch() returns int language plpgsql as
    $f$ begin insert into touched values (1); return 1; end $f$;
  create function touch_definer() returns int language plpgsql security definer as
    $f$ begin insert into touched values (1); return 1; end $f$;
  create role writer; create role reader;`;
const GRANTS = `
  grant select on all tables in schema public to reader;
  grant all on all tables in schema public to writer`;
const SESSIONS = {
  writer: { role: "writer", access: "read write" },
  reader: { role: "reader", access: "read write" },
  readOnly: { role: "reader", access: "read only" },
} as const;

const cases = parse(
  readFileSync(join(import.meta.dirname, "../data/sql/beyond-the-text.yaml"), "utf8"),
) as readonly Beyond[];
let judge: SqlReader;
let db: PGlite;

beforeAll(async () => {
  judge = await createSqlReader({ parseLimitMs: 20_000 });
  db = await openEmbeddedPostgres();
}, 60_000);
afterAll(async () => {
  judge.dispose();
  await db.close();
});

async function outcome(beyond: Beyond, session: keyof typeof SESSIONS): Promise<Verdict | "nothing"> {
  const { role, access } = SESSIONS[session];
  await db.exec("drop schema public cascade; create schema public; grant usage on schema public to public");
  await db.exec("drop role if exists writer, reader");
  await db.exec(`${WORLD} ${beyond.setup}; ${GRANTS}`);
  let isRefused = false;
  try {
    await db.exec(`begin transaction ${access}; set local role ${role}; ${beyond.sql}; commit`);
  } catch {
    isRefused = true;
    await db.exec("rollback");
  }
  const { rows } = await db.query<{ n: number }>("select count(*)::int as n from touched");
  if ((rows[0]?.n ?? 0) > 0) return "writes";
  return isRefused ? "refused" : "nothing";
}

describe.each(cases)("$name", (beyond) => {
  it("passes as text", async () => {
    expect(await passesSelect(judge, beyond.sql)).toBe(true);
  });

  it.each(["writer", "reader", "readOnly"] as const)("sent as %s", async (session) => {
    expect(await outcome(beyond, session)).toBe(beyond[session]);
  });
});

it("read-only transactions stop every case", () => {
  expect(cases.length).toBeGreaterThan(5);
  expect(new Set(cases.map(({ readOnly }) => readOnly))).toEqual(new Set(["refused"]));
});
