// Usage: node test/conformance/run.ts [--leg TEXT] [--client] [--verbose]
//        node test/conformance/run.ts --write
// Runs the legs of the server suite whose id contains TEXT and the client scenarios whose name contains it (with --client
// these alone), and prints the numbers of docs/conformance.md, what failed, what is excepted, and what is worse than the
// direct run. --write runs everything and renders docs/conformance.md, unless something is worse.
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { runClientLegs } from "./client-legs.ts";
import type { ClientOutcome } from "./client-legs.ts";
import { startConformanceWorld } from "./conformance-world.ts";
import { CLIENT_UNREACHABLE } from "./legs.ts";
import { renderReport } from "./report.ts";
import { runServerLegs } from "./server-legs.ts";
import type { ServerRun } from "./server-legs.ts";
import { clientTally, findings, serverTally, sum, tallyLine } from "./tally.ts";
import type { Tally } from "./tally.ts";

const { values } = parseArgs({
  options: {
    leg: { type: "string", default: "" },
    client: { type: "boolean", default: false },
    write: { type: "boolean", default: false },
    verbose: { type: "boolean", default: false },
  },
});

function print(title: string, tally: Tally, lines: readonly string[]): void {
  process.stdout.write([`${title}: ${tallyLine(tally)}`, ...lines].join("\n  ") + "\n");
}

async function runServers(): Promise<ServerRun> {
  const world = await startConformanceWorld();
  try {
    const run = await runServerLegs(world, ({ id }) => id.includes(values.leg));
    for (const outcome of run.legs) {
      const { leg, result, differences } = outcome;
      const lines = findings(result, leg.unreachable, differences);
      print(`${leg.revision}, ${leg.title}`, serverTally(run, outcome), lines);
    }
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
  for (const outcome of outcomes) {
    const { scenario, revision, governed, differences } = outcome;
    const unreachable = CLIENT_UNREACHABLE.filter((entry) => entry.scenario === scenario);
    const lines = findings(governed, unreachable, differences);
    print(`client ${scenario}, ${revision}`, clientTally(outcome), lines);
  }
  print("client scenarios", sum(outcomes.map(clientTally)), []);
  return outcomes;
}

if (values.write) {
  const [servers, clients] = [await runServers(), await runClients()];
  const worse = [...servers.legs, ...clients].flatMap(({ differences }) => differences);
  if (worse.length > 0) throw new Error(`${String(worse.length)} checks are worse than directly`);
  const page = renderReport(servers, clients);
  await writeFile(join(import.meta.dirname, "..", "..", "docs", "conformance.md"), page);
} else {
  if (!values.client) await runServers();
  await runClients();
}
