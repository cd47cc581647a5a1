// Root rotation, thresholds, revocation, rollback, freshness and envelopes as tables of cases: test/data/trust/*.yaml.
// Each case signs for real and is judged by the updater of the gateway. A new case needs no code.
import { readFileSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { parse } from "yaml";
import { readCases } from "./trust-case.ts";
import { createKeys, runCase } from "./trust-world.ts";
import type { Keys } from "./trust-world.ts";

const DIRECTORY = join(import.meta.dirname, "../../data/trust");
const tables = readdirSync(DIRECTORY)
  .filter((name) => name.endsWith(".yaml"))
  .map((name) => ({ name, cases: readCases(parse(readFileSync(join(DIRECTORY, name), "utf8"))) }));

let keys: Keys;
let remove: () => Promise<void>;
beforeAll(async () => {
  ({ keys, remove } = await createKeys());
});
afterAll(() => remove());

describe("the tables", () => {
  it("hold many cases, each under a name of its own that ends in a judgement", () => {
    const cases = tables.flatMap((table) => table.cases);
    expect(cases.length).toBeGreaterThanOrEqual(80);
    expect(new Set(cases.map(({ name }) => name)).size).toBe(cases.length);
    for (const { name, steps } of cases)
      expect(["poll", "restart", "serves", "tool"], name).toContain(steps.at(-1)?.op);
  });

  it("are read strictly: a word nobody knows is an error", () => {
    for (const step of [{ polls: "activated" }, { release: { sequenze: 1 } }, { poll: "x", expect: "y" }])
      expect(() => readCases([{ name: "n", steps: [step] }])).toThrow(/no such/u);
  });

  it("can fail: a wrong expectation is reported with its step", async () => {
    const steps = [
      { op: "release", release: { sequence: 1 } } as const,
      { op: "poll", poll: "unchanged" } as const,
    ];
    await expect(runCase(keys, {}, steps)).rejects.toThrow(/step 2 .*: activated, not unchanged/u);
  });
});

describe.each(tables)("$name", ({ cases }) => {
  it.each(cases)("$name", async ({ world, steps }) => {
    await runCase(keys, world, steps);
  });
});
