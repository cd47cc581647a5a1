// A tallied histogram stands in the exposition exactly as prom-client's own does.
import fc from "fast-check";
import { Histogram, Registry } from "prom-client";
import { expect, test } from "vitest";
import { TalliedHistogram } from "../../../runtime/telemetry/tallied-histogram.ts";
import type { Tally } from "../../../runtime/telemetry/tallied-histogram.ts";

const SHAPE = { name: "seconds", help: "Time it took.", labelNames: ["server", "outcome"] as const };

const observation = fc.record({
  server: fc.constantFrom("sql-prod", 'a "quoted" name', "line\nbreak"),
  outcome: fc.constantFrom("result", "error"),
  value: fc.oneof(fc.constantFrom(0, 0.001, 0.005, 1, 7), fc.double({ min: 0, max: 20, noNaN: true })),
});

test("the same text as prom-client for the same observations", async () => {
  const observations = fc.array(observation, { maxLength: 40 });
  await fc.assert(
    fc.asyncProperty(observations, async (observed) => {
      const [theirs, ours] = [new Registry(), new Registry()];
      const buckets = [0.001, 0.005, 0.5, 1, 10];
      const reference = new Histogram({ ...SHAPE, buckets, registers: [theirs] });
      const tallied = new TalliedHistogram({ ...SHAPE, buckets, registers: [ours] });
      const series = new Map<string, Tally>();
      for (const { server, outcome, value } of observed) {
        const key = JSON.stringify([server, outcome]);
        const tally = series.get(key) ?? tallied.series({ server, outcome });
        series.set(key, tally);
        tally.observe(value);
        reference.observe({ server, outcome }, value);
      }
      expect(await ours.metrics()).toBe(await theirs.metrics());
    }),
    { numRuns: 100, seed: 20_261 },
  );
});
