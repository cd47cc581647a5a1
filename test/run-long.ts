// The long proofs: what the tests show with a small number of rounds, with the large one. Each is judged by the same
// code as its test. Writes test/long/results.json; the last line it prints is "N passed, N failed".
// Usage: node test/run-long.ts [name …]   only the proofs whose name contains one of the words
import { readFileSync, writeFileSync } from "node:fs";
import { availableParallelism, cpus, totalmem } from "node:os";
import { join } from "node:path";
import { run as truncateAudit } from "./long/audit-truncation.ts";
import { run as killAuditLog } from "./long/audit-writer-kill.ts";
import { faultsOf as crashFaults, run as crash, summaryOf as crashSummary } from "./long/crash.ts";
import { faultsOf as differentialFaults, run as runDifferential } from "./long/differential.ts";
import { run as checkHostile } from "./long/hostile-repositories.ts";
import { faultsOf as hotSwapFaults, run as hotSwap, summaryOf as hotSwapSummary } from "./long/hot-swap.ts";
import { run as judgeSql, tableOf as sqlTable } from "./long/sql-statements.ts";
import { faultsOf as soakFaults, run as soak } from "./long/soak.ts";
import { faultsOf as specialisationFaults, run as specialise } from "./long/specialisation.ts";
import { faultsOf as symbolicFaults, run as runSymbolic } from "./long/symbolic-differential.ts";

const RESULTS = join(import.meta.dirname, "long", "results.json");
const PROGRESS_STEPS = 10;

interface Outcome {
  readonly faults: readonly string[];
  readonly report: object;
}

interface Proof {
  readonly name: string;
  readonly what: string;
  /** Rounds. */
  readonly n: number;
  readonly run: (n: number, onProgress: (done: number) => void) => Promise<Outcome>;
}

interface Entry {
  readonly name: string;
  readonly what: string;
  readonly n: number;
  readonly failures: readonly string[];
  readonly durationMs: number;
  readonly report: object;
}

const PROOFS: readonly Proof[] = [
  {
    name: "specialisation",
    what: "requests on random repositories, the slices against the unspecialised policies",
    n: 10_000,
    run: async (requests, onProgress) => {
      const report = await specialise({ requests, seed: 2, onProgress });
      return { faults: specialisationFaults(report), report };
    },
  },
  {
    name: "hot-swap",
    what: "swaps between two releases under load",
    n: 500,
    run: async (swaps, onProgress) => {
      const report = await hotSwap({ swaps, callers: 4, callsPerSwap: 8, onProgress });
      return { faults: hotSwapFaults(report), report: hotSwapSummary(report) };
    },
  },
  {
    name: "crash-gateway",
    what: "kill -9 of the gateway under load",
    n: 20,
    run: async (kills, onProgress) => {
      const report = await crash({ victim: "gateway", kills, callers: 4, seed: 1, onProgress });
      return { faults: crashFaults(report), report: crashSummary(report) };
    },
  },
  {
    name: "crash-writer",
    what: "kill -9 of the audit writer of a gateway under load",
    n: 500,
    run: async (kills, onProgress) => {
      const report = await crash({ victim: "writer", kills, callers: 4, seed: 1, onProgress });
      return { faults: crashFaults(report), report: crashSummary(report) };
    },
  },
  {
    name: "audit-writer-kill",
    what: "kill -9 of the audit writer alone, 32 appends in flight",
    n: 500,
    run: async (kills) => {
      const report = await killAuditLog({ kills, inFlight: 32, seed: 1 });
      const lost = report.lost === 0 ? [] : [`lost: ${String(report.lost)}`];
      return { faults: [...lost, ...report.unclean, ...report.strangeCodes], report };
    },
  },
  {
    name: "audit-truncation",
    what: "random bits flipped in a closed log, and an open one cut at every byte",
    n: 100_000,
    run: async (flips) => {
      const report = await truncateAudit({ stride: 1, flips, seed: 1 });
      const cuts = report.badCuts.map((length) => `cut at ${String(length)}`);
      return { faults: [...cuts, ...report.unseenFlips], report };
    },
  },
  {
    name: "interpreter-differential",
    what: "random requests decided by the interpreter and by cedar-wasm",
    n: 10_000_000,
    run: async (cases, onProgress) => {
      const report = await runDifferential({ cases, seed: 1, onProgress });
      return { faults: differentialFaults(report), report };
    },
  },
  {
    name: "hostile-repositories",
    what: "hostile pull requests against aegis check as a process: at most 10 s of processor time and 1 GiB each",
    n: 107,
    run: async (count, onProgress) => {
      const report = await checkHostile(count, onProgress);
      return { faults: report.faults, report };
    },
  },
  {
    name: "symbolic-differential",
    what: "40 random changes of policies, proved by a solver and searched",
    n: 10,
    run: async (seeds, onProgress) => {
      const report = await runSymbolic(seeds, onProgress);
      return { faults: symbolicFaults(report), report };
    },
  },
  {
    name: "soak",
    what: "minutes of mixed traffic in both eras",
    n: 10,
    run: async (minutes, onProgress) => {
      const report = await soak({ minutes, onProgress });
      return { faults: soakFaults(report), report };
    },
  },
  {
    name: "sql-statements",
    what: "SQL statements made from the corpus, those that pass run on a real PostgreSQL",
    n: 20_000,
    run: async (mutants, onProgress) => {
      const report = await judgeSql({ mutants, seed: 1, onProgress });
      process.stdout.write(`${sqlTable(report)}\n`);
      return { faults: report.harmful, report };
    },
  },
];

function progressOf(proof: Proof): (done: number) => void {
  const step = Math.max(1, Math.floor(proof.n / PROGRESS_STEPS));
  return (done) => {
    if (done % step === 0) process.stdout.write(`   ${proof.name}: ${String(done)} of ${String(proof.n)}\n`);
  };
}

async function perform(proof: Proof): Promise<Entry> {
  const { name, what, n } = proof;
  process.stdout.write(`\n== ${name}: ${String(n)} × ${what}\n`);
  const startedMs = performance.now();
  const outcome = await proof.run(n, progressOf(proof)).catch((fault: unknown): Outcome => {
    const text = fault instanceof Error ? (fault.stack ?? fault.message) : String(fault);
    return { faults: [text], report: {} };
  });
  const durationMs = Math.round(performance.now() - startedMs);
  for (const fault of outcome.faults) process.stdout.write(`   ${fault}\n`);
  const verdict = outcome.faults.length === 0 ? "ok" : "FAILED";
  process.stdout.write(`== ${name}: ${verdict} (${String(Math.round(durationMs / 1_000))} s)\n`);
  return { name, what, n, failures: outcome.faults, durationMs, report: outcome.report };
}

/** Earlier entries of proofs that are not run this time. */
function keptEntries(performed: ReadonlySet<string>): readonly Entry[] {
  try {
    const { proofs } = JSON.parse(readFileSync(RESULTS, "utf8")) as { proofs: readonly Entry[] };
    return proofs.filter(({ name }) => !performed.has(name) && PROOFS.some((proof) => proof.name === name));
  } catch {
    return [];
  }
}

const words = process.argv.slice(2);
const chosen = PROOFS.filter(({ name }) => words.length === 0 || words.some((word) => name.includes(word)));
if (chosen.length === 0) {
  process.stderr.write(`no such proof; there are ${PROOFS.map(({ name }) => name).join(", ")}\n`);
  process.exit(1);
}
const performed: Entry[] = [];
for (const proof of chosen) performed.push(await perform(proof));
const order = PROOFS.map(({ name }) => name);
const proofs = [...performed, ...keptEntries(new Set(performed.map(({ name }) => name)))].sort(
  (a, b) => order.indexOf(a.name) - order.indexOf(b.name),
);
const machine = {
  node: process.version,
  platform: `${process.platform} ${process.arch}`,
  processor: cpus()[0]?.model ?? "unknown",
  cores: availableParallelism(),
  memoryBytes: totalmem(),
};
writeFileSync(RESULTS, `${JSON.stringify({ formatVersion: 1, machine, proofs }, undefined, 2)}\n`);
const failed = performed.filter(({ failures }) => failures.length > 0).length;
process.stdout.write(`\n${String(performed.length - failed)} passed, ${String(failed)} failed\n`);
process.exitCode = failed === 0 ? 0 : 1;
