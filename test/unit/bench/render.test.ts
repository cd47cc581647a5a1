// The numbers of the README come from the committed result file, and a budget is judged in its own direction.
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { budgetOutcomes } from "../../../bench/budgets.ts";
import { withNumbers } from "../../../bench/render-readme.ts";
import { LATEST_RESULTS, readResults } from "../../../bench/results.ts";
import { spreadOf } from "../../../bench/statistics.ts";

const ROOT = join(import.meta.dirname, "..", "..", "..");
const START = "<!-- bench:start -->";
const END = "<!-- bench:end -->";

describe("the committed result file", () => {
  it("is there and says what it was measured on", () => {
    expect(existsSync(LATEST_RESULTS)).toBe(true);
    const results = readResults();
    expect(results.machine.cores).toBeGreaterThan(0);
    expect(results.loadAverage.before).toHaveLength(3);
    expect(results.budgets.length).toBeGreaterThan(10);
    expect(results.budgets).toEqual(budgetOutcomes(results));
  });

  it("answered every call that it counts, and the upstream saw at least as many", () => {
    const { proxy, lifecycle } = readResults();
    expect(proxy?.upstreamCalls).toBeGreaterThan(0);
    for (const arm of Object.values(proxy?.arms ?? {})) expect(arm.failed).toBe(0);
    expect(lifecycle?.activation.dropped).toBe(0);
  });

  it("is what the README shows", async () => {
    const readme = readFileSync(join(ROOT, "README.md"), "utf8");
    expect(await withNumbers(readme)).toBe(readme);
  });
});

describe("the block of the README", () => {
  it("replaces what stands between the marks and nothing else", async () => {
    const text = await withNumbers(`# T\n\nbefore\n\n${START}\nstale numbers\n${END}\n\nafter\n`);
    expect(text.startsWith(`# T\n\nbefore\n\n${START}\n`)).toBe(true);
    expect(text.endsWith(`${END}\n\nafter\n`)).toBe(true);
    expect(text).not.toContain("stale numbers");
    expect(await withNumbers(text)).toBe(text);
  });

  it.each(["nothing", START, `${END}\n${START}`, `${START}\n${END}\n${START}\n${END}`])(
    "refuses marks that are not there once each: %j",
    async (text) => {
      await expect(withNumbers(text)).rejects.toThrow("once each");
    },
  );
});

describe("budgets", () => {
  it("turn with the measured value", () => {
    const results = readResults();
    const slow = {
      ...results,
      compile: results.compile && { ...results.compile, compileMs: spreadOf([5_001]) },
    };
    const fast = {
      ...results,
      compile: results.compile && { ...results.compile, compileMs: spreadOf([4_999]) },
    };
    const met = (outcomes: ReturnType<typeof budgetOutcomes>): boolean | undefined =>
      outcomes.find(({ id }) => id === "compile-time")?.met;
    expect(met(budgetOutcomes(slow as typeof results))).toBe(false);
    expect(met(budgetOutcomes(fast as typeof results))).toBe(true);
  });

  it("are left out where their section was not measured", () => {
    const { proxy: _proxy, ...rest } = readResults();
    const ids = budgetOutcomes(rest).map(({ id }) => id);
    expect(ids).not.toContain("throughput-batch");
    expect(ids).toContain("cold-start");
  });
});

describe("spreadOf", () => {
  it.each([
    [[3, 1, 2], { median: 2, min: 1, max: 3 }],
    [[4, 1, 2, 3], { median: 2.5, min: 1, max: 4 }],
    [[7], { median: 7, min: 7, max: 7 }],
  ])("of %j", (values, spread) => {
    expect(spreadOf(values)).toEqual(spread);
  });
});
