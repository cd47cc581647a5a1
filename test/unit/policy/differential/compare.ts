// Rounds of the differential test: what was compared, what came out, and every difference with the seed that makes it again.
import { OPERATORS } from "../../../../runtime/policy/interpreter/operators.ts";
import { randomRound } from "./cases.ts";
import type { Round } from "./cases.ts";
import { interpretedOutcomes, isSame, referenceOutcomes } from "./engines.ts";
import type { Outcome, Reference } from "./engines.ts";
import { TEXTS_SEED, textsRound } from "./texts-round.ts";

export interface Difference {
  readonly seed: number;
  readonly set: number;
  readonly request: number;
  readonly reference: Outcome;
  readonly interpreted: Outcome;
}

export interface Report {
  compared: number;
  /** Requests in a form that the interpreter leaves to cedar-wasm; not compared. */
  referenceOnly: number;
  allowed: number;
  denied: number;
  refused: number;
  erring: number;
  readonly differences: Difference[];
}

export function emptyReport(): Report {
  return { compared: 0, referenceOnly: 0, allowed: 0, denied: 0, refused: 0, erring: 0, differences: [] };
}

function roundOf(seed: number): Round {
  return seed === TEXTS_SEED ? textsRound() : randomRound(seed);
}

/** A round and what cedar-wasm says to it, set by set. */
export interface Answered {
  readonly round: Round;
  readonly expected: readonly (readonly Outcome[])[];
}

export function answerRound(reference: Reference, seed: number): Answered {
  const round = roundOf(seed);
  return { round, expected: referenceOutcomes(reference, round) };
}

export function compareRound({ round, expected }: Answered, report: Report): void {
  for (const [set, request, interpreted] of interpretedOutcomes(round, OPERATORS)) {
    const outcome = expected[set]?.[request];
    if (outcome === undefined) throw new Error("a request without a reference outcome");
    if (interpreted.kind === "reference only") {
      report.referenceOnly += 1;
      continue;
    }
    count(report, outcome);
    if (!isSame(outcome, interpreted))
      report.differences.push({ seed: round.seed, set, request, reference: outcome, interpreted });
  }
}

function count(report: Report, outcome: Outcome): void {
  report.compared += 1;
  if (outcome.kind !== "decided") report.refused += 1;
  else {
    if (outcome.effect === "allow") report.allowed += 1;
    else report.denied += 1;
    if (outcome.erring.length > 0) report.erring += 1;
  }
}

/** A difference as text: the policies, the request, and what each engine says. */
export function describeDifference({ seed, set, request, reference, interpreted }: Difference): string {
  const round = roundOf(seed);
  const { policies, requests } = round.sets[set] ?? { policies: [], requests: [] };
  return JSON.stringify(
    { seed, set, request, reference, interpreted, policies, input: requests[request] },
    undefined,
    1,
  );
}
