// The closure interpreter decides as cedar-wasm does: effect, determining policies and erring policies, on random schemas,
// policies, entities and requests. And the proof that this test can see: every planted bug in an operator is found.
import { readFileSync } from "node:fs";
import { beforeAll, describe, expect, it } from "vitest";
import { OPERATORS } from "../../../runtime/policy/interpreter/operators.ts";
import { CASES_PER_ROUND, randomRound } from "./differential/cases.ts";
import type { Round } from "./differential/cases.ts";
import { compareRound, describeDifference, emptyReport } from "./differential/compare.ts";
import { Reference, interpretedOutcomes, isSame, referenceOutcomes } from "./differential/engines.ts";
import type { Outcome } from "./differential/engines.ts";
import { PLANTED_BUGS } from "./differential/planted-bugs.ts";
import type { PlantedBug } from "./differential/planted-bugs.ts";

const CASES = 10_000;
const FIRST_SEED = 20261122;
const ROUNDS = CASES / CASES_PER_ROUND;

const keptSeeds = JSON.parse(
  readFileSync(new URL("../../data/differential/kept-seeds.json", import.meta.url), "utf8"),
) as readonly { readonly seed: number; readonly found: string }[];

interface Answered {
  readonly round: Round;
  readonly expected: readonly (readonly Outcome[])[];
}

describe("closure interpreter", () => {
  const reference = new Reference();

  it(`decides ${String(CASES)} random requests as cedar-wasm does`, { timeout: 120_000 }, () => {
    const report = emptyReport();
    for (let round = 0; round < ROUNDS; round += 1) compareRound(reference, FIRST_SEED + round, report);
    expect(report.differences.map(describeDifference)).toEqual([]);
    // The generator must reach every kind of outcome, or agreement means little.
    expect(report.compared).toBeGreaterThan(CASES * 0.98);
    expect(report.allowed).toBeGreaterThan(CASES / 10);
    expect(report.erring).toBeGreaterThan(CASES / 10);
    expect(report.denied - report.erring).toBeGreaterThan(CASES / 10);
    expect(report.refused).toBeGreaterThan(CASES / 50);
  });

  it.each(keptSeeds)("still agrees on seed $seed: $found", ({ seed }) => {
    const report = emptyReport();
    compareRound(reference, seed, report);
    expect(report.differences.map(describeDifference)).toEqual([]);
  });
});

describe("the differential test", () => {
  const answered: Answered[] = [];

  beforeAll(() => {
    const reference = new Reference();
    for (let index = 0; index < ROUNDS; index += 1) {
      const round = randomRound(FIRST_SEED + index);
      answered.push({ round, expected: referenceOutcomes(reference, round) });
    }
  }, 120_000);

  function isSeen({ table }: PlantedBug): boolean {
    for (const { round, expected } of answered) {
      for (const [set, request, outcome] of interpretedOutcomes(round, table)) {
        if (outcome.kind === "reference only") continue;
        if (!isSame(expected[set]?.[request] ?? { kind: "refused" }, outcome)) return true;
      }
    }
    return false;
  }

  it("sees every planted bug", { timeout: 240_000 }, () => {
    const survivors = PLANTED_BUGS.filter((bug) => !isSeen(bug)).map(
      ({ operator, bug }) => `${operator}: ${bug}`,
    );
    expect(survivors).toEqual([]);
  });

  it("has a bug planted in every entry of the operator table", () => {
    const { allows: _allows, ...groups } = OPERATORS;
    const entries = Object.entries(groups).flatMap(([group, table]) =>
      Object.keys(table).map((name) => `${group}.${name}`),
    );
    const planted = new Set(PLANTED_BUGS.map(({ operator }) => operator));
    expect([...entries, "allows"].filter((entry) => !planted.has(entry))).toEqual([]);
  });

  it("leaves the gateway's operator table alone: it is frozen through and through", () => {
    const isFrozen = (value: unknown): boolean =>
      typeof value !== "object" ||
      value === null ||
      (Object.isFrozen(value) && Object.values(value).every(isFrozen));
    expect(isFrozen(OPERATORS)).toBe(true);
  });
});
