// Whole random repositories: what the specialised slices decide is what cedar-wasm decides on the unspecialised policies,
// in effect, reasons and erring policies. `npm run test:long` does it with ten times as many requests.
import { execFile } from "node:child_process";
import { join } from "node:path";
import { promisify } from "node:util";
import { describe, expect, test } from "vitest";
import { compareSpecialisation } from "./specialisation/compare.ts";
import { PLANTED_BUGS, plant } from "./specialisation/planted-bugs.ts";

const ENTRY = join(import.meta.dirname, "specialisation", "planted-entry.ts");
const SEED = 20_261_122;

describe("specialised slices", () => {
  test("decide 1,000 random requests as the unspecialised policies do", { timeout: 120_000 }, async () => {
    const report = await compareSpecialisation({ seed: SEED, repositories: 25, requestsEach: 40 });
    expect(report.differences).toEqual([]);
    expect(report.compared + report.refused).toBe(1_000);
    // It proves something only where all of these occur.
    expect(report.allowed).toBeGreaterThan(150);
    expect(report.denied).toBeGreaterThan(400);
    expect(report.errored).toBeGreaterThan(20);
    expect(report.refused).toBeGreaterThan(20);
    expect(report.withShadow).toBeGreaterThan(100);
    expect(report.shadowDiffers).toBeGreaterThan(20);
    expect(report.refusedRepositories).toBeLessThan(10);
  });

  test("differ from them with any of the planted bugs", { timeout: 120_000 }, async () => {
    const { entries, remove } = await plant(PLANTED_BUGS);
    try {
      const run = promisify(execFile);
      const pairs = PLANTED_BUGS.flatMap(({ seed }, index) => [String(seed), entries[index] ?? ""]);
      const { stdout } = await run(process.execPath, [ENTRY, "60", ...pairs]);
      const seen = JSON.parse(stdout) as readonly (string | null)[];
      const unseen = PLANTED_BUGS.filter((_, index) => typeof seen[index] !== "string");
      expect(unseen.map(({ name }) => name)).toEqual([]);
    } finally {
      await remove();
    }
  });
});
