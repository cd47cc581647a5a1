// Usage: node test/conformance/run.ts [--leg TEXT] [--client] [--verbose]
//        node test/conformance/run.ts --write
// Runs the legs of the server suite whose id contains TEXT, or with --client the client scenarios whose name contains
// it, and prints what is worse than the direct run. --write runs everything and renders docs/conformance.md.
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { runClientLegs } from "./client-legs.ts";
import type { ClientOutcome } from "./client-legs.ts";
import { total } from "./compare.ts";
import type { Difference } from "./compare.ts";
import { startConformanceWorld } from "./conformance-world.ts";
import { renderReport } from "./report.ts";
import { runServerLegs } from "./server-legs.ts";
import type { ServerRun } from "./server-legs.ts";
import type { SuiteResult } from "./suite.ts";

const { values } = parseArgs({
  options: {
    leg: { type: "string", default: "" },
    client: { type: "boolean", default: false },
    write: { type: "boolean", default: false },
    verbose: { type: "boolean", default: false },
  },
});

function print(title: string, result: SuiteResult, differences: readonly Difference[] = []): void {
  const { passed, failed } = total(result);
  process.stdout.write(
    `${title}: ${String(passed)} passed, ${String(failed)} failed, ${String(differences.length)} worse\n`,
  );
  for (const { scenario, check, before, after, why } of differences)
    process.stdout.write(`  ${scenario} / ${check}: ${before} -> ${after}: ${why.slice(0, 300)}\n`);
}

async function runServers(): Promise<ServerRun> {
  const world = await startConformanceWorld();
  try {
    const run = await runServerLegs(world, ({ id }) => id.includes(values.leg));
    for (const [id, result] of run.baselines) print(id, result);
    for (const { leg, result, differences } of run.legs) print(leg.id, result, differences);
    if (values.verbose) process.stdout.write(`${world.gateway.log.join("\n")}\n`);
    return run;
  } finally {
    await world.stop();
  }
}

async function runClients(): Promise<readonly ClientOutcome[]> {
  const outcomes = await runClientLegs(
    ({ scenario }) => scenario.includes(values.leg),
    (line) => void (values.verbose && process.stdout.write(`${line}\n`)),
  );
  for (const { scenario, revision, direct, governed, differences } of outcomes) {
    print(`client direct ${scenario} ${revision}`, direct);
    print(`client gateway ${scenario} ${revision}`, governed, differences);
  }
  return outcomes;
}

if (values.write) {
  const page = renderReport(await runServers(), await runClients());
  await writeFile(join(import.meta.dirname, "..", "..", "docs", "conformance.md"), page);
} else {
  await (values.client ? runClients() : runServers());
}
