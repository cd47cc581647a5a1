// The whole decision point on the interpreter, callers and servers as the gateway makes entities of them, decides as the
// one on cedar-wasm does. A run that finds a difference prints its seed and the smallest case.
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { createCedarPdp, createInterpretedPdp } from "#pdp";
import type { Decision, DecisionQuery } from "#pdp";
import { ACTION, REGISTRY, context, principal, section } from "./random-slices.ts";

const SECTIONS = 40;
const REQUESTS = 40;

const outline = ({ effect, reasons, errors }: Decision): unknown => ({
  effect,
  reasons,
  erring: errors.map(({ policy }) => policy),
});

describe("interpreted decision point", () => {
  it(
    `decides ${String(SECTIONS * REQUESTS)} random calls as cedar-wasm does`,
    { timeout: 120_000 },
    async () => {
      const seen = { allow: 0, deny: 0, errors: 0 };
      await fc.assert(
        fc.asyncProperty(
          section,
          fc.array(fc.tuple(principal, context), { minLength: REQUESTS, maxLength: REQUESTS }),
          async (policies, requests) => {
            const reference = await createCedarPdp(policies, REGISTRY);
            const interpreted = await createInterpretedPdp(policies, REGISTRY, { crossCheckEvery: 0 });
            expect(interpreted.coverage()).toEqual({ interpreted: 1, reference: 0 });
            for (const [facts, request] of requests) {
              const query: DecisionQuery = {
                mode: "call",
                tenant: "default",
                action: ACTION,
                server: "srv",
                principal: facts,
                context: request,
              };
              const expected = reference.decide(query);
              expect(outline(interpreted.decide(query))).toEqual(outline(expected));
              seen[expected.effect] += 1;
              if (expected.errors.length > 0) seen.errors += 1;
            }
            reference.dispose();
            interpreted.dispose();
          },
        ),
        { numRuns: SECTIONS, seed: 20261122 },
      );
      // The generator must reach every kind of outcome, or agreement means little.
      expect(seen.allow).toBeGreaterThan(SECTIONS);
      expect(seen.errors).toBeGreaterThan(SECTIONS);
    },
  );
});
