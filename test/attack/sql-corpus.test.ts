// What passes `operations: [SELECT]` has no effect on a real PostgreSQL: every statement of test/data/sql/hostile and
// benign.yaml, and statements made from them, run under a detector. The detector is shown to see each kind of harm.
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { createSqlReader } from "#facts";
import type { SqlReader } from "#facts";
import { benignStatements, hostileGroups, passesSelect } from "./sql/corpus.ts";
import { effectsOfAllowed } from "./sql/prove-allowed.ts";
import { mutantsOf } from "./sql/mutants.ts";
import { startPostgres } from "./sql/postgres.ts";
import type { Postgres } from "./sql/postgres.ts";

const groups = hostileGroups();
const benign = benignStatements();
const MUTANTS = 2_000;
let reader: SqlReader;
let postgres: Postgres;

beforeAll(async () => {
  reader = await createSqlReader({ parseLimitMs: 20_000 });
  postgres = await startPostgres();
}, 120_000);
afterAll(async () => {
  reader.dispose();
  await postgres.close();
});

it("is large enough", () => {
  expect(groups.flatMap(({ refused }) => refused).length).toBeGreaterThanOrEqual(500);
  expect(benign.length).toBeGreaterThanOrEqual(120);
});

it("benign queries pass, run, and change nothing", async () => {
  const wrong: string[] = [];
  for (const sql of benign) {
    if (!(await passesSelect(reader, sql))) wrong.push(`denied: ${sql}`);
    const { effects, outcomes } = await effectsOfAllowed(postgres, sql);
    if (effects.length > 0) wrong.push(`${effects.join()}: ${sql}`);
    if (outcomes.some((outcome) => outcome !== "ran")) wrong.push(`${outcomes.join()}: ${sql}`);
  }
  expect(wrong).toEqual([]);
}, 180_000);

describe.each(groups)("$name", ({ refused, allowed }) => {
  it("refuses what it must", async () => {
    const passed: string[] = [];
    for (const sql of refused) if (await passesSelect(reader, sql)) passed.push(sql);
    expect(passed).toEqual([]);
  });

  it("what looks hostile and passes changes nothing", async () => {
    const wrong: string[] = [];
    for (const sql of allowed) {
      if (!(await passesSelect(reader, sql))) wrong.push(`denied: ${sql}`);
      const { effects } = await effectsOfAllowed(postgres, sql);
      if (effects.length > 0) wrong.push(`${effects.join()}: ${sql}`);
    }
    expect(wrong).toEqual([]);
  });
});

it("the detector sees harm of every group", async () => {
  const blind: string[] = [];
  for (const { name, refused } of groups) {
    let seen = false;
    for (const sql of refused) {
      seen = (await postgres.run(sql, "simple")).effects.length > 0;
      if (seen) break;
    }
    if (!seen) blind.push(name);
  }
  expect(blind).toEqual([]);
}, 120_000);

it(`of ${String(MUTANTS)} statements made from the corpus none that passes changes anything`, async () => {
  const wrong: string[] = [];
  const seeds = [...benign, ...groups.flatMap(({ refused, allowed }) => [...refused, ...allowed])];
  let passed = 0;
  for (const sql of mutantsOf(seeds, MUTANTS, 1)) {
    if (!(await passesSelect(reader, sql))) continue;
    passed += 1;
    const { effects } = await effectsOfAllowed(postgres, sql, ["simple"]);
    if (effects.length > 0) wrong.push(`${effects.join()}: ${sql}`);
  }
  expect(wrong).toEqual([]);
  // Mutants that never pass would prove nothing.
  expect(passed).toBeGreaterThan(MUTANTS / 20);
}, 180_000);
