// aegis pin: connects to the servers of the registry and writes, or compares, their approved definitions.
import { mkdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { Command } from "commander";
import { renderText } from "#compiler";
import { diffPins, formatPins, pinServers, readPins, readProjectServers } from "#registry";
import type { PinChange, PinContent, PinTarget } from "#registry";
import { loadPrograms } from "../dev/programs.ts";
import { CliError } from "../output/cli-error.ts";
import { EXIT } from "../output/exit-codes.ts";
import type { ExitCode } from "../output/exit-codes.ts";
import { jsonDocument, plural } from "../output/io.ts";
import { formatOption } from "../output/options.ts";
import { projectDir } from "../output/project.ts";
import type { CommandHost } from "../program.ts";

interface PinOptions {
  readonly check?: boolean;
  readonly environment?: string;
  readonly programs?: string;
  readonly format: string;
}

interface ServerOutcome {
  readonly server: string;
  readonly error?: string;
  readonly changes: readonly PinChange[];
}

export function registerPin(program: Command, host: CommandHost): void {
  program
    .command("pin")
    .argument("[dir]", "policy repository", ".")
    .argument("[servers...]", "servers to pin (default: all)")
    .summary("Write or compare the approved definitions of the servers.")
    .description(
      "Connect to the servers of the registry and write registry/pins/<server>.json.\n" +
        "What stands there is what callers are shown and may use: review the diff before you commit it.",
    )
    .option("--check", "write nothing; exit 7 where a live server differs from its pins")
    .option("--environment <name>", "environment whose addresses are used")
    .option("--programs <gateway.json>", "file whose `programs` say what stdio servers run")
    .addOption(formatOption("text", "json"))
    .action(
      host.action((dir: string, servers: readonly string[], options: PinOptions) =>
        pin(dir, servers, options, host),
      ),
    );
}

async function pin(
  dir: string,
  names: readonly string[],
  options: PinOptions,
  host: CommandHost,
): Promise<ExitCode> {
  const root = await projectDir(dir, host.io);
  const chosen = chooseServers(root, names, options, host);
  if (chosen === undefined) return EXIT.checkFailed;
  const live = await pinServers({
    servers: chosen,
    programs: await loadPrograms(options.programs, host.io, "resolve"),
    signal: AbortSignal.timeout(10 * 60_000),
    onProgress: ({ server, text }) => host.io.err(`${server}: ${text}\n`),
  });
  const outcomes: ServerOutcome[] = [];
  for (const { id } of chosen) {
    const outcome = live.get(id);
    if (outcome?.ok !== true)
      outcomes.push({ server: id, error: outcome?.error ?? "was not reached", changes: [] });
    else
      outcomes.push({ server: id, changes: await compare(root, id, outcome.value, options.check === true) });
  }
  report(outcomes, options, host);
  if (outcomes.some((outcome) => outcome.error !== undefined)) return EXIT.error;
  return options.check === true && outcomes.some((outcome) => outcome.changes.length > 0)
    ? EXIT.drift
    : EXIT.ok;
}

/** The servers to connect to, or undefined where the registry itself cannot be read; that is reported. */
function chooseServers(
  root: string,
  names: readonly string[],
  options: PinOptions,
  host: CommandHost,
): readonly PinTarget[] | undefined {
  const { servers, environment, environments, errors } = readProjectServers(root, options.environment);
  if (options.environment !== undefined && !environments.includes(options.environment)) {
    throw new CliError(`no environment ${JSON.stringify(options.environment)}`, {
      help: `known: ${environments.join(", ")}`,
    });
  }
  if (errors.length > 0) {
    host.io.err(renderText(errors, { color: host.io.colorErr, sourceOf: () => undefined }));
    return undefined;
  }
  const unknown = names.filter((name) => !servers.some((server) => server.id === name));
  if (unknown.length > 0) {
    throw new CliError(`no server ${unknown.join(", ")} in registry/servers`, {
      help: `known: ${servers.map((server) => server.id).join(", ")}`,
    });
  }
  const chosen = servers.filter((server) => names.length === 0 || names.includes(server.id));
  if (chosen.length === 0)
    throw new CliError("registry/servers names no server", { help: "add registry/servers/<id>.yaml" });
  return chosen.map(({ id, transport }) => {
    if (transport === undefined) throw new CliError(`${id} has no address in environment ${environment}`);
    return { id, transport };
  });
}

async function compare(
  root: string,
  id: string,
  live: PinContent,
  checkOnly: boolean,
): Promise<readonly PinChange[]> {
  const file = join(root, "registry", "pins", `${id}.json`);
  const text = await readFile(file, "utf8").catch(() => undefined);
  const before: PinContent = text === undefined ? { server: id, eras: {}, entries: [] } : readPins(text);
  const changes = diffPins(before, live);
  if (!checkOnly && (text === undefined || changes.length > 0)) {
    await mkdir(join(root, "registry", "pins"), { recursive: true });
    await writeFile(file, formatPins(live));
  }
  return changes;
}

function report(outcomes: readonly ServerOutcome[], options: PinOptions, host: CommandHost): void {
  if (options.format === "json") {
    host.io.out(jsonDocument({ formatVersion: 1, servers: outcomes }));
    return;
  }
  for (const outcome of outcomes) {
    if (outcome.error !== undefined) host.io.err(`${outcome.server}: ${outcome.error}\n`);
    else
      host.io.out(
        `${outcome.server}: ${outcome.changes.length === 0 ? "as pinned" : plural(outcome.changes.length, "change")}\n`,
      );
    for (const change of outcome.changes) host.io.out(describeChange(change));
  }
}

function describeChange(change: PinChange): string {
  const mark = change.what === "added" ? "+" : change.what === "removed" ? "-" : "~";
  const leaf = change.leaf === undefined ? "server" : `${change.leaf.kind} ${change.leaf.name}`;
  const member = change.member === undefined ? "" : ` ${change.member}`;
  const lines = [`  ${mark} ${leaf}${member} (${change.eras.join(", ")})`];
  if (change.before !== undefined) lines.push(`      - ${change.before}`);
  if (change.after !== undefined) lines.push(`      + ${change.after}`);
  return `${lines.join("\n")}\n`;
}
