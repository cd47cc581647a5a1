// Releases alternate between two policies while calls run; `npm run test:long` does it 500 times.
import { expect, it } from "vitest";
import { faultsOf, run } from "../long/hot-swap.ts";

it("20 swaps under load: no call fails, every decision is the one of its release, nothing stays behind", async () => {
  const report = await run({ swaps: 20, callers: 4, callsPerSwap: 12 });
  expect(faultsOf(report)).toEqual([]);
  expect(report).toMatchObject({ swaps: 20, failed: [], misdecided: [], log: "clean" });
});
