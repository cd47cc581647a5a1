// `node test/conformance/run.ts`: the official suite, directly and through the gateway, as numbers or as docs/conformance.md.
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { CLIENT_SCENARIOS, runClientLegs } from "./client-legs.ts";
import type { ClientOutcome } from "./client-legs.ts";
import { startConformanceWorld } from "./conformance-world.ts";
import { CLIENT_UNREACHABLE, LEGS } from "./legs.ts";
import { renderReport } from "./report.ts";
import { runServerLegs } from "./server-legs.ts";
import type { ServerRun } from "./server-legs.ts";
import { clientTally, findings, serverTally, sum, tallyLine } from "./tally.ts";
import type { Tally } from "./tally.ts";

const list = (names: Iterable<string>): string => [...names].map((name) => `  ${name}`).join("\n");
const NAMES = `Legs:
${list(LEGS.map(({ id }) => id))}
Client scenarios:
${list(new Set(CLIENT_SCENARIOS.map(({ scenario }) => scenario)))}
`;
const HELP = `Usage: node test/conformance/run.ts [--leg TEXT] [--client] [--verbose]
       node test/conformance/run.ts --write

Prints the numbers of docs/conformance.md, what failed, what is excepted, and what is worse than the direct run.

  --leg TEXT  only the legs of the server suite, and the client scenarios, whose name contains TEXT
  --client    only client scenarios
  --verbose   with the gateway's log
  --write     runs everything and renders docs/conformance.md, unless something is worse
  --help

${NAMES}`;

/** Nothing was run. */
class UsageError extends Error {}

function readOptions(argv: readonly string[]) {
  try {
    return parseArgs({
      args: [...argv],
      options: {
        leg: { type: "string", default: "" },
        client: { type: "boolean", default: false },
        write: { type: "boolean", default: false },
        verbose: { type: "boolean", default: false },
        help: { type: "boolean", default: false },
      },
    }).values;
  } catch (fault) {
    throw new UsageError(`${(fault as Error).message} (--help lists the options)`);
  }
}

type Values = ReturnType<typeof readOptions>;

function print(title: string, tally: Tally, lines: readonly string[]): void {
  process.stdout.write([`${title}: ${tallyLine(tally)}`, ...lines].join("\n  ") + "\n");
}

async function runServers(values: Values): Promise<ServerRun> {
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

async function runClients(values: Values): Promise<readonly ClientOutcome[]> {
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

async function write(values: Values): Promise<void> {
  if (values.leg !== "" || values.client)
    throw new UsageError("--write runs everything: without --leg and --client");
  const [servers, clients] = [await runServers(values), await runClients(values)];
  const worse = [...servers.legs, ...clients].flatMap(({ differences }) => differences);
  if (worse.length > 0) throw new Error(`${String(worse.length)} checks are worse than directly`);
  const page = renderReport(servers, clients);
  await writeFile(join(import.meta.dirname, "..", "..", "docs", "conformance.md"), page);
}

async function main(argv: readonly string[]): Promise<void> {
  const values = readOptions(argv);
  if (values.help) {
    process.stdout.write(HELP);
    return;
  }
  if (values.write) {
    await write(values);
    return;
  }
  const hasServers = !values.client && LEGS.some(({ id }) => id.includes(values.leg));
  const hasClients = CLIENT_SCENARIOS.some(({ scenario }) => scenario.includes(values.leg));
  if (!hasServers && !hasClients)
    throw new UsageError(
      `no ${values.client ? "client scenario" : "leg and no client scenario"} contains "${values.leg}"\n${NAMES.trimEnd()}`,
    );
  if (hasServers) await runServers(values);
  if (hasClients) await runClients(values);
}

try {
  await main(process.argv.slice(2));
} catch (fault) {
  if (!(fault instanceof UsageError)) throw fault;
  process.stderr.write(`error: ${fault.message}\n`);
  process.exitCode = 1;
}
