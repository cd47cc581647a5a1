// Long proof: the closure interpreter against cedar-wasm on millions of random requests. Each round is made from its seed
// alone; a round with a difference is named by its seed, and `node test/long/differential.ts seed <n>` shows it again.
// Usage alone: node test/long/differential.ts <cases> [first seed]
import { setImmediate as nextTurn } from "node:timers/promises";
import { CASES_PER_ROUND } from "../unit/policy/differential/cases.ts";
import {
  answerRound,
  compareRound,
  describeDifference,
  emptyReport,
} from "../unit/policy/differential/compare.ts";
import type { Report } from "../unit/policy/differential/compare.ts";
import { Reference } from "../unit/policy/differential/engines.ts";

/** Differences that a report keeps; their number is always counted. */
const maxKept = 20;
/** Rounds between two turns of the event loop, and with a fresh engine: replaced policy sets leave memory behind. */
const ROUNDS_PER_ENGINE = 250;

export interface DifferentialOptions {
  readonly cases: number;
  readonly seed: number;
  /** Stops after the round in which this time is over. */
  readonly maxMs?: number;
  readonly onProgress?: (cases: number) => void;
}

export interface DifferentialReport extends Omit<Report, "differences"> {
  readonly firstSeed: number;
  readonly lastSeed: number;
  readonly differences: number;
  /** Seeds of the first rounds that differ. */
  readonly differingSeeds: readonly number[];
}

export async function run(options: DifferentialOptions): Promise<DifferentialReport> {
  const { cases, seed, maxMs = Number.POSITIVE_INFINITY, onProgress } = options;
  const startedMs = performance.now();
  const report = emptyReport();
  const rounds = Math.ceil(cases / CASES_PER_ROUND);
  const differing = new Set<number>();
  let differences = 0;
  let reference = new Reference();
  let done = 0;
  while (done < rounds && performance.now() - startedMs < maxMs) {
    if (done > 0 && done % ROUNDS_PER_ENGINE === 0) {
      reference = new Reference();
      await nextTurn();
    }
    compareRound(answerRound(reference, seed + done), report);
    done += 1;
    for (const found of report.differences.splice(0)) {
      differences += 1;
      if (differing.size < maxKept) differing.add(found.seed);
    }
    onProgress?.(done * CASES_PER_ROUND);
  }
  const { differences: _kept, ...counts } = report;
  return {
    ...counts,
    firstSeed: seed,
    lastSeed: seed + done - 1,
    differences,
    differingSeeds: [...differing],
  };
}

/** Why the proof fails; nothing where it holds. */
export function faultsOf({ differences, differingSeeds }: DifferentialReport): readonly string[] {
  return differences === 0 ? [] : [`${String(differences)} differences; seeds ${differingSeeds.join(", ")}`];
}

function show(seed: number): string {
  const report = emptyReport();
  compareRound(answerRound(new Reference(), seed), report);
  return report.differences.length === 0
    ? "no difference"
    : report.differences.map(describeDifference).join("\n");
}

if (import.meta.main) {
  const [first = "10000", second] = process.argv.slice(2);
  if (first === "seed") process.stdout.write(`${show(Number(second))}\n`);
  else {
    const maxMs = Number(process.env["AEGIS_DIFFERENTIAL_MS"] ?? Number.POSITIVE_INFINITY);
    const report = await run({ cases: Number(first), seed: Number(second ?? 1), maxMs });
    process.stdout.write(`${JSON.stringify(report, undefined, 2)}\n`);
    process.exitCode = faultsOf(report).length === 0 ? 0 : 1;
  }
}
