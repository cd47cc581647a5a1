// The closure interpreter decides as cedar-wasm does: effect, determining policies and erring policies, on random schemas,
// policies, entities and requests. And the proof that this test can see: every planted bug in an operator is found.
import { readFileSync } from "node:fs";
import { beforeAll, describe, expect, it } from "vitest";
import type { JsonObject } from "#std";
import { OPERATORS } from "../../../runtime/policy/interpreter/operators.ts";
import type { GivenEntity } from "../../../runtime/policy/interpreter/request-types.ts";
import { CASES_PER_ROUND } from "./differential/cases.ts";
import type { PolicySet, Round } from "./differential/cases.ts";
import { answerRound, compareRound, describeDifference, emptyReport } from "./differential/compare.ts";
import type { Answered } from "./differential/compare.ts";
import { Reference, interpretedOutcomes, isSame, referenceOutcomes } from "./differential/engines.ts";
import type { Outcome } from "./differential/engines.ts";
import { TEXTS_SEED } from "./differential/texts-round.ts";
import type { PlantedBug } from "./differential/plant.ts";
import { PLANTED_FUNCTIONS } from "./differential/planted-functions.ts";
import { PLANTED_OPERATORS } from "./differential/planted-operators.ts";

const CASES = 10_000;
const FIRST_SEED = 20261122;
const ROUNDS = CASES / CASES_PER_ROUND;

const PLANTED_BUGS: readonly PlantedBug[] = [...PLANTED_OPERATORS, ...PLANTED_FUNCTIONS];

interface KeptCase {
  readonly found: string;
  readonly schema: JsonObject;
  readonly condition: JsonObject;
  readonly context: JsonObject;
  readonly entities: readonly GivenEntity[];
  readonly expect: "allow" | "deny" | "error" | "reference only";
}

const keptCases = JSON.parse(
  readFileSync(new URL("../../data/differential/kept-cases.json", import.meta.url), "utf8"),
) as readonly KeptCase[];

function roundOfCase({ schema, condition, context, entities }: KeptCase): Round {
  const scope = { principal: { op: "All" }, action: { op: "All" }, resource: { op: "All" } };
  const policy: JsonObject = { effect: "permit", ...scope, conditions: [{ kind: "when", body: condition }] };
  const request = {
    principal: { type: "User", id: "alice" },
    resource: { type: "Server", id: "s1" },
    context,
    entities,
  };
  return { seed: 0, schema, sets: [{ policies: [["p", policy]], requests: [request] }] };
}

function summaryOf(outcome: Outcome): string {
  if (outcome.kind !== "decided") return outcome.kind;
  return outcome.erring.length > 0 ? "error" : outcome.effect;
}

describe("closure interpreter", () => {
  const reference = new Reference();
  const answered: Answered[] = [];

  beforeAll(() => {
    answered.push(answerRound(reference, TEXTS_SEED));
    for (let round = 0; round < ROUNDS; round += 1) answered.push(answerRound(reference, FIRST_SEED + round));
  }, 120_000);

  it(`decides ${String(CASES)} random requests as cedar-wasm does`, () => {
    const report = emptyReport();
    for (const round of answered) compareRound(round, report);
    expect(report.differences.map(describeDifference)).toEqual([]);
    // The generator must reach every kind of outcome, or agreement means little.
    expect(report.compared).toBeGreaterThan(CASES * 0.98);
    expect(report.allowed).toBeGreaterThan(CASES / 10);
    expect(report.erring).toBeGreaterThan(CASES / 10);
    expect(report.denied).toBeGreaterThan(CASES / 10);
    expect(report.refused).toBeGreaterThan(CASES / 50);
  });

  it.each(keptCases)("knows: $found", (kept) => {
    const round = roundOfCase(kept);
    const report = emptyReport();
    compareRound({ round, expected: referenceOutcomes(reference, round) }, report);
    expect(report.differences).toEqual([]);
    const outcomes = [...interpretedOutcomes(round, OPERATORS)].map(([, , outcome]) => summaryOf(outcome));
    expect(outcomes).toEqual([kept.expect]);
  });

  const texts = new WeakMap<PolicySet, string>();
  /** Sets that do not name an operator say nothing of it. */
  function names(set: PolicySet, name: string): boolean {
    const text = texts.get(set) ?? JSON.stringify(set);
    texts.set(set, text);
    return text.includes(`"${name}"`);
  }

  function isSeen({ operator, table }: PlantedBug): boolean {
    const name = operator.split(".").slice(1).join(".");
    const isChosen = (set: PolicySet): boolean => name === "" || names(set, name);
    for (const { round, expected } of answered) {
      for (const [set, request, outcome] of interpretedOutcomes(round, table, isChosen)) {
        if (outcome.kind === "reference only") continue;
        if (!isSame(expected[set]?.[request] ?? { kind: "refused" }, outcome)) return true;
      }
    }
    return false;
  }

  // The proof that agreement means something: with a bug in any one operator the engines do not agree.
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
