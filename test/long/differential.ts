// Long proof: the closure interpreter against cedar-wasm on millions of random requests. Each round is made from its seed
// alone; a round with a difference is named by its seed, and `node test/long/differential.ts seed <n>` shows it again.
// What is done is kept for as long as neither the interpreter nor the generator changes: an interrupted run goes on.
// Usage alone: [AEGIS_THREADS=n] node test/long/differential.ts <cases> [first seed]
import { createHash } from "node:crypto";
import { appendFileSync, globSync, readFileSync } from "node:fs";
import { availableParallelism, tmpdir } from "node:os";
import { join } from "node:path";
import { Worker } from "node:worker_threads";
import { CASES_PER_ROUND } from "../unit/policy/differential/cases.ts";
import {
  answerRound,
  compareRound,
  describeDifference,
  emptyReport,
} from "../unit/policy/differential/compare.ts";
import { Reference } from "../unit/policy/differential/engines.ts";
import type { Work, WorkReport } from "./differential-work.ts";

/** Rounds that a thread compares before it answers. */
const ROUNDS_PER_WORK = 250;
const maxKept = 20;
const ROOT = join(import.meta.dirname, "..", "..");
/** What an answer depends on. */
const SOURCES = [
  "runtime/policy/interpreter/*.ts",
  "test/unit/policy/differential/*.ts",
  "node_modules/@cedar-policy/cedar-wasm/package.json",
];

export interface DifferentialOptions {
  readonly cases: number;
  readonly seed: number;
  /** Threads; one for each core where absent. */
  readonly threads?: number;
  readonly onProgress?: (cases: number) => void;
}

export type DifferentialReport = Omit<WorkReport, "firstSeed" | "rounds"> & {
  readonly firstSeed: number;
  readonly lastSeed: number;
};

export async function run(options: DifferentialOptions): Promise<DifferentialReport> {
  const { cases, seed, threads = availableParallelism(), onProgress } = options;
  const wanted = workOf(seed, Math.ceil(cases / CASES_PER_ROUND));
  const kept = new Map(keptReports().map((report) => [keyOf(report), report]));
  const reports = wanted.flatMap((work) => kept.get(keyOf(work)) ?? []);
  const open = wanted.filter((work) => !kept.has(keyOf(work)));
  let done = reports.reduce((sum, { rounds }) => sum + rounds, 0);
  const onReport = (report: WorkReport): void => {
    appendFileSync(progressFile(), `${JSON.stringify(report)}\n`);
    reports.push(report);
    done += report.rounds;
    onProgress?.(done * CASES_PER_ROUND);
  };
  await Promise.all(Array.from({ length: threads }, () => runThread(open, onReport)));
  return merged(seed, reports);
}

function workOf(seed: number, rounds: number): Work[] {
  const count = Math.ceil(rounds / ROUNDS_PER_WORK);
  return Array.from({ length: count }, (_, index) => ({
    firstSeed: seed + index * ROUNDS_PER_WORK,
    rounds: Math.min(ROUNDS_PER_WORK, rounds - index * ROUNDS_PER_WORK),
  }));
}

function keyOf({ firstSeed, rounds }: Work): string {
  return `${String(firstSeed)}+${String(rounds)}`;
}

/** Takes work from the list until it is empty. Rejects with the fault of the thread. */
function runThread(open: Work[], onReport: (report: WorkReport) => void): Promise<void> {
  const worker = new Worker(new URL("./differential-work.ts", import.meta.url));
  return new Promise((resolve, reject) => {
    const next = (): void => {
      const work = open.shift();
      if (work !== undefined) worker.postMessage(work);
      else worker.terminate().then(() => resolve(), reject);
    };
    worker.on("message", (report: WorkReport) => {
      onReport(report);
      next();
    });
    worker.on("error", reject);
    next();
  });
}

let file: string | undefined;

function progressFile(): string {
  if (file !== undefined) return file;
  const hash = createHash("sha256");
  for (const path of SOURCES.flatMap((pattern) => globSync(pattern, { cwd: ROOT })).sort()) {
    hash.update(`${path}\0`).update(readFileSync(join(ROOT, path)));
  }
  file = join(tmpdir(), `aegis-differential-${hash.digest("hex").slice(0, 16)}.jsonl`);
  return file;
}

function keptReports(): readonly WorkReport[] {
  try {
    const lines = readFileSync(progressFile(), "utf8").split("\n").slice(0, -1);
    return lines.map((line) => JSON.parse(line) as WorkReport);
  } catch {
    return [];
  }
}

function merged(firstSeed: number, reports: readonly WorkReport[]): DifferentialReport {
  const total = (
    name:
      "allowed" | "compared" | "denied" | "differences" | "erring" | "referenceOnly" | "refused" | "rounds",
  ): number => reports.reduce((sum, report) => sum + report[name], 0);
  return {
    compared: total("compared"),
    referenceOnly: total("referenceOnly"),
    allowed: total("allowed"),
    denied: total("denied"),
    refused: total("refused"),
    erring: total("erring"),
    firstSeed,
    lastSeed: firstSeed + total("rounds") - 1,
    differences: total("differences"),
    differingSeeds: reports.flatMap(({ differingSeeds }) => differingSeeds).slice(0, maxKept),
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
    const threads = Number(process.env["AEGIS_THREADS"] ?? availableParallelism());
    const report = await run({ cases: Number(first), seed: Number(second ?? 1), threads });
    process.stdout.write(`${JSON.stringify(report, undefined, 2)}\n`);
    process.exitCode = faultsOf(report).length === 0 ? 0 : 1;
  }
}
