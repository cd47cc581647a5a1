// aegis dev: serves a policy repository with throw-away keys and swaps on every save.
import type { Command } from "commander";
import { compile } from "#compiler";
import { readProjectServers } from "#registry";
import { closestName } from "#std";
import type { ProgramEntry } from "#upstream";
import { startDemoServers } from "../demo/demo-servers.ts";
import type { DemoServers } from "../demo/demo-servers.ts";
import { stayUp, untilStopped } from "../dev/dev-life.ts";
import type { DevLife } from "../dev/dev-life.ts";
import { startDevRun } from "../dev/dev-run.ts";
import { loadPrograms } from "../dev/programs.ts";
import { step } from "../dev/progress.ts";
import { showConnections, showFarewell } from "../dev/show-connections.ts";
import { CliError } from "../output/cli-error.ts";
import { EXIT } from "../output/exit-codes.ts";
import type { ExitCode } from "../output/exit-codes.ts";
import type { CliIo } from "../output/io.ts";
import { projectDir } from "../output/project.ts";
import { loadCredentials } from "../pin/pin-credentials.ts";
import type { CommandHost } from "../program.ts";

interface DevOptions {
  readonly port: string;
  readonly environment: string;
  readonly programs?: string;
  readonly state?: string;
  readonly demoServers?: boolean;
}

export function registerDev(program: Command, host: CommandHost): void {
  program
    .command("dev")
    .argument("[dir]", "policy repository", ".")
    .description("Compile, sign with a throw-away key, serve, and swap on every save.")
    .option("--port <n>", "port of the gateway; a free one where it is taken", "8080")
    .option("--environment <name>", "environment that is served", "dev")
    .option("--programs <gateway.json>", "file whose `programs` say what stdio servers run")
    .option(
      "--demo-servers",
      "start the demo MCP servers and use them for sql-prod, jira and finance-restricted",
    )
    .option("--state <dir>", "keep keys, releases and audit log below this directory")
    .action(
      host.action(async (dir: string, options: DevOptions, command: Command) => {
        const root = await projectDir(dir, host.io);
        const port = parsePort(options.port);
        if (command.getOptionValueSource("environment") === "cli")
          await requireEnvironment(root, options.environment);
        const programs = await loadPrograms(options.programs, host.io, "keep");
        const credentials = await loadCredentials([], options.programs, host.io, "keep");
        return untilStopped(host.io, options.state, (life) =>
          dev(
            {
              root,
              port,
              programs,
              credentials,
              environment: options.environment,
              demo: options.demoServers === true,
            },
            life,
          ),
        );
      }),
    );
}

/** The environment that is asked for by name; without one, `dev` is served declared or not. */
async function requireEnvironment(dir: string, name: string): Promise<void> {
  const { environments } = (await compile({ dir })).model;
  if (environments.includes(name) || environments.length === 0) return;
  const near = closestName(name, environments);
  throw new CliError(`aegis.yaml declares no environment ${JSON.stringify(name)}`, {
    help: near === undefined ? `environments: ${environments.join(", ")}` : `did you mean ${near}?`,
  });
}

interface DevSettings {
  readonly root: string;
  readonly port: number;
  readonly programs: ReadonlyMap<string, ProgramEntry>;
  readonly credentials: ReadonlyMap<string, string>;
  readonly environment: string;
  readonly demo: boolean;
}

async function dev(settings: DevSettings, life: DevLife): Promise<ExitCode> {
  const { io, signal, runDir } = life;
  const demo = settings.demo ? await demoServers(life) : undefined;
  if (demo === undefined) offerDemoServers(settings, io);
  const run = await startDevRun(
    {
      dir: settings.root,
      runDir,
      environment: settings.environment,
      preferredPort: settings.port,
      programs: { ...Object.fromEntries(settings.programs), ...demo?.programs },
      credentials: settings.credentials,
      ...(demo === undefined ? {} : { transports: demo.transports }),
      onLog: life.log.write,
      signal,
    },
    io,
  );
  life.atEnd(run.server.stop);
  await showConnections(run.server, io);
  showFarewell(settings.root, run.server, life);
  await stayUp(run, life);
  return EXIT.ok;
}

async function demoServers({ io, signal, runDir, atEnd }: DevLife): Promise<DemoServers> {
  const servers = await step(io, "demo MCP servers", () =>
    startDemoServers(runDir, { ownGroup: true, signal }),
  );
  atEnd(servers.stop);
  return servers;
}

const DEMO_SERVER_IDS: ReadonlySet<string> = new Set(["sql-prod", "jira", "finance-restricted"]);

/** A repository made from the template names servers that run nowhere yet. */
function offerDemoServers({ root, environment, programs }: DevSettings, io: CliIo): void {
  const { servers } = readProjectServers(root, environment);
  const isDemo = servers.some(({ id, transport }) => {
    if (!DEMO_SERVER_IDS.has(id) || transport === undefined) return false;
    return transport.type === "stdio"
      ? !programs.has(transport.program)
      : /^http:\/\/(?:127\.0\.0\.1|localhost)[:/]/u.test(transport.url);
  });
  if (isDemo) io.err("note: this repository names the demo MCP servers; --demo-servers starts them\n");
}

function parsePort(text: string): number {
  const port = /^\d{1,5}$/u.test(text) ? Number(text) : Number.NaN;
  if (port >= 0 && port <= 65_535) return port;
  throw new CliError(`--port must be a number up to 65535, not ${JSON.stringify(text)}`);
}
