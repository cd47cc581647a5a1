// One thread of the differential proof: compares the seeds that it is sent, and answers with what came out.
import { parentPort } from "node:worker_threads";
import { answerRound, compareRound, emptyReport } from "../unit/policy/differential/compare.ts";
import { Reference } from "../unit/policy/differential/engines.ts";

/** Differences that an answer names; their number is always counted. */
const maxKept = 20;

/** Consecutive seeds, one round each. */
export interface Work {
  readonly firstSeed: number;
  readonly rounds: number;
}

export interface WorkReport extends Work {
  readonly compared: number;
  readonly referenceOnly: number;
  readonly allowed: number;
  readonly denied: number;
  readonly refused: number;
  readonly erring: number;
  readonly differences: number;
  /** Seeds of the first rounds that differ. */
  readonly differingSeeds: readonly number[];
}

/** Compares the rounds with a fresh reference engine: replaced policy sets leave memory behind. */
export function compareSeeds({ firstSeed, rounds }: Work): WorkReport {
  const report = emptyReport();
  const reference = new Reference();
  const differing = new Set<number>();
  let count = 0;
  for (let seed = firstSeed; seed < firstSeed + rounds; seed += 1) {
    compareRound(answerRound(reference, seed), report);
    for (const found of report.differences.splice(0)) {
      count += 1;
      if (differing.size < maxKept) differing.add(found.seed);
    }
  }
  const { differences: _kept, ...counts } = report;
  return { firstSeed, rounds, ...counts, differences: count, differingSeeds: [...differing] };
}

parentPort?.on("message", (work: Work) => {
  parentPort?.postMessage(compareSeeds(work));
});
