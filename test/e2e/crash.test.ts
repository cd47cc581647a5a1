// kill -9 under load; `npm run test:long` does it 20 and 500 times.
import { expect, it } from "vitest";
import { faultsOf, run } from "../long/crash.ts";

it("the gateway killed 3 times: the log verifies each time, and holds every acknowledged call", async () => {
  const report = await run({ victim: "gateway", kills: 3, callers: 4, seed: 7 });
  expect(faultsOf(report)).toEqual([]);
  expect(report.broken).toBeGreaterThan(0);
}, 120_000);

it("the audit writer killed alone 6 times: calls are refused meanwhile, and the gateway recovers by itself", async () => {
  const report = await run({ victim: "writer", kills: 6, callers: 4, seed: 7 });
  expect(faultsOf(report)).toEqual([]);
  expect(report).toMatchObject({ broken: 0 });
}, 120_000);
