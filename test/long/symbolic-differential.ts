// Random changes of policies, proved by a solver and searched: no proof contradicts a call, and every call that is reported
// is newly allowed.
import { createSolver } from "../../compiler/symbolic/solver.ts";
import { runDifferential } from "../unit/compiler/symbolic/differential.ts";

const CASES_PER_SEED = 40;
const FIRST_SEED = 1;

export interface SymbolicDifferentialReport {
  readonly seeds: number;
  readonly cases: number;
  readonly proved: number;
  readonly found: number;
  readonly searched: number;
  readonly contradictions: readonly string[];
  readonly falseRows: readonly string[];
  readonly undecided: readonly string[];
}

export async function run(
  seeds: number,
  onProgress: (done: number) => void,
): Promise<SymbolicDifferentialReport> {
  const solver = await createSolver();
  const found: Awaited<ReturnType<typeof runDifferential>>[] = [];
  try {
    for (let done = 0; done < seeds; done += 1) {
      found.push(await runDifferential(FIRST_SEED + done, CASES_PER_SEED, solver));
      onProgress(done + 1);
    }
  } finally {
    await solver.dispose();
  }
  const sum = (of: "found" | "proved" | "searched"): number =>
    found.reduce((total, report) => total + report[of], 0);
  return {
    seeds,
    cases: seeds * CASES_PER_SEED,
    ...{ proved: sum("proved"), found: sum("found"), searched: sum("searched") },
    contradictions: found.flatMap(({ contradictions }) => contradictions),
    falseRows: found.flatMap(({ falseRows }) => falseRows),
    undecided: found.flatMap(({ undecided }) => undecided),
  };
}

/** What is wrong, and whether too little was proved or found for the run to say anything. */
export function faultsOf(report: SymbolicDifferentialReport): readonly string[] {
  const { cases, proved, found, contradictions, falseRows, undecided } = report;
  const few = Object.entries({ proved, found }).filter(([, count]) => count < cases / 10);
  return [...contradictions, ...falseRows, ...undecided, ...few.map(([name]) => `too few are ${name}`)];
}
