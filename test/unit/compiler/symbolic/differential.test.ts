// Random changes, proved and searched: a proof never contradicts a call, and every reported call is one. A few cases; many
// more are a long proof of their own.
import { afterAll, beforeAll, expect, it } from "vitest";
import { createSolver } from "../../../../compiler/symbolic/solver.ts";
import type { Solver } from "../../../../compiler/symbolic/solver.ts";
import { runDifferential } from "./differential.ts";

const TIMEOUT_MS = 180_000;
const CASES_PER_SEED = 15;
const SEEDS: readonly number[] = [101];
let solver: Solver;

beforeAll(async () => {
  solver = await createSolver();
}, TIMEOUT_MS);
afterAll(async () => {
  await solver.dispose();
});

it.each(SEEDS)(
  "agrees with a search of random calls, seed %i",
  async (seed) => {
    const { contradictions, falseRows, undecided, proved, found, searched } = await runDifferential(
      seed,
      CASES_PER_SEED,
      solver,
    );
    expect({ contradictions, falseRows, undecided }).toEqual({
      contradictions: [],
      falseRows: [],
      undecided: [],
    });
    expect(proved).toBeGreaterThan(10);
    expect(found).toBeGreaterThan(3);
    // What a search finds is always found here too.
    expect(searched).toBeGreaterThan(0);
  },
  TIMEOUT_MS,
);
