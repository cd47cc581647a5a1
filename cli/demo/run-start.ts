// `npm start`: the demo MCP servers, the policy repository compiled and served in front of them, the tour, and then
// a gateway that stays up and follows every save.
import { join, resolve } from "node:path";
import { parseArgs } from "node:util";
import { stayUp, untilStopped } from "../dev/dev-life.ts";
import type { DevLife } from "../dev/dev-life.ts";
import { startDevRun } from "../dev/dev-run.ts";
import type { DevRun } from "../dev/dev-run.ts";
import { showConnections, showFarewell } from "../dev/show-connections.ts";
import { step } from "../dev/progress.ts";
import { CliError } from "../output/cli-error.ts";
import { EXIT } from "../output/exit-codes.ts";
import type { ExitCode } from "../output/exit-codes.ts";
import type { CliIo } from "../output/io.ts";
import { paint } from "../output/io.ts";
import { projectDir } from "../output/project.ts";
import { reportFault } from "../output/report-fault.ts";
import { startDemoServers } from "./demo-servers.ts";
import type { DemoServers } from "./demo-servers.ts";
import { playTour, tourFits } from "./tour.ts";

const USAGE = `Usage: npm start [-- options]

  --dir <repo>     policy repository (default: policy-repo-template; edit its policies and see the swap)
  --port <n>       port of the gateway (default: 8080, or a free one where that is taken)
  --state <dir>    keep keys, releases and audit log below this directory (default: a temporary one, removed at the end)
  --tour-only      end after the tour: 0 = every decision as stated, 5 = not, 4 = a policy test failed
  --no-tour        no tour
  --help           this text
`;

const TEMPLATE_DIR = join(import.meta.dirname, "..", "..", "policy-repo-template");
const ENVIRONMENT = "dev";
const DEFAULT_PORT = 8_080;
/** Live definitions are read again after this, so that the tour shows a changed one without a minute's wait. */
const JIRA_PIN_MAX_AGE_MS = 1_500;

interface StartOptions {
  readonly dir: string;
  readonly port: number;
  readonly state: string | undefined;
  readonly tourOnly: boolean;
  readonly tour: boolean;
}

/** Runs until Ctrl-C; never throws. Everything it started has ended when it resolves. */
export async function runStart(argv: readonly string[], io: CliIo): Promise<ExitCode> {
  try {
    const options = readOptions(argv, io);
    if (options === undefined) return EXIT.ok;
    const dir = await projectDir(options.dir, io);
    return await untilStopped(io, options.state, (life) => start({ ...options, dir }, life));
  } catch (fault) {
    return reportFault(fault, io);
  }
}

function readOptions(argv: readonly string[], io: CliIo): StartOptions | undefined {
  const values = parse(argv);
  if (values.help === true) {
    io.out(USAGE);
    return undefined;
  }
  const port = Number(values.port ?? DEFAULT_PORT);
  if (!Number.isInteger(port) || port < 0 || port > 65_535) {
    throw new CliError(`--port must be a number up to 65535, not ${JSON.stringify(values.port)}`);
  }
  // npm runs scripts at the top of the package; paths are meant from where the user is.
  const from = io.env["INIT_CWD"] ?? io.cwd;
  return {
    dir: values.dir === undefined ? TEMPLATE_DIR : resolve(from, values.dir),
    port,
    state: values.state === undefined ? undefined : resolve(from, values.state),
    tourOnly: values["tour-only"] ?? false,
    tour: values["no-tour"] !== true,
  };
}

function parse(argv: readonly string[]) {
  try {
    return parseArgs({
      args: [...argv],
      options: {
        dir: { type: "string" },
        port: { type: "string" },
        state: { type: "string" },
        "tour-only": { type: "boolean" },
        "no-tour": { type: "boolean" },
        help: { type: "boolean" },
      },
    }).values;
  } catch (fault) {
    throw new CliError(fault instanceof Error ? fault.message : String(fault), {
      help: "npm start -- --help",
    });
  }
}

async function start(options: StartOptions, life: DevLife): Promise<ExitCode> {
  const { io, signal, runDir } = life;
  const servers = await step(
    io,
    "demo MCP servers",
    () => startDemoServers(runDir, { ownGroup: true, signal }),
    () => "sql-prod and jira over Streamable HTTP, finance-restricted over stdio",
  );
  life.atEnd(servers.stop);
  const run = await startDevRun(
    {
      dir: options.dir,
      runDir,
      environment: ENVIRONMENT,
      preferredPort: options.port,
      transports: servers.transports,
      programs: servers.programs,
      pinMaxAgeMs: { jira: JIRA_PIN_MAX_AGE_MS },
      onLog: life.log.write,
      signal,
    },
    io,
  );
  life.atEnd(run.server.stop);
  const deviations = options.tour ? await tour(run, servers, life) : [];
  if (options.tourOnly) {
    if (deviations.length > 0) return EXIT.gate;
    return run.tests.failed > 0 ? EXIT.testsFailed : EXIT.ok;
  }
  await showConnections(run.server, io);
  showFarewell(options.dir, run.server, life);
  await stayUp(run, life);
  return EXIT.ok;
}

async function tour(
  run: DevRun,
  servers: DemoServers,
  { io, signal, log }: DevLife,
): Promise<readonly string[]> {
  if (!tourFits(run.server)) {
    throw new CliError("the tour needs endpoints for sql-prod, jira and finance-restricted", {
      help: "add --no-tour for a repository without them",
    });
  }
  const deviations = await playTour({
    server: run.server,
    servers,
    pinMaxAgeMs: JIRA_PIN_MAX_AGE_MS,
    pinAlarms: log.pinAlarms,
    io,
    signal,
  });
  if (deviations.length === 0) {
    io.out(`\n${paint(io.colorOut, "green", "Every decision was as stated.")}\n`);
    return deviations;
  }
  io.err(`\n${paint(io.colorErr, "red", "Not as stated:")}\n`);
  for (const deviation of deviations) io.err(`  ${deviation}\n`);
  io.err(`The gateway's last lines:\n${log.tail()}\n`);
  return deviations;
}
