// aegis pin: connects to the servers of the registry and writes, or compares, their approved definitions.
import { mkdir, readFile, readdir, rename, writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { Command } from "commander";
import { WORKSPACE_LIMITS, compile, renderText } from "#compiler";
import {
  PinReaders,
  definitionLabel,
  diffPins,
  formatPins,
  pinServers,
  readPins,
  readProjectServers,
  scanPins,
  showCodePoints,
} from "#registry";
import type { OtherTools, PinContent, PinFinding, PinServersOptions, PinTarget } from "#registry";
import { closestName } from "#std";
import { loadPrograms } from "../dev/programs.ts";
import { CliError } from "../output/cli-error.ts";
import { EXIT } from "../output/exit-codes.ts";
import type { ExitCode } from "../output/exit-codes.ts";
import { jsonDocument, plural } from "../output/io.ts";
import { formatOption, repeatableOption } from "../output/options.ts";
import { projectDir } from "../output/project.ts";
import { acceptSuspicious, keptAcceptances } from "../pin/accept-suspicious.ts";
import { loadCredentials } from "../pin/pin-credentials.ts";
import { endWithSignal } from "../pin/end-with-signal.ts";
import { loadEgress } from "../pin/pin-egress.ts";
import { pinProgress } from "../pin/pin-progress.ts";
import { renderPinMarkdown, renderPinText } from "../pin/pin-report.ts";
import type { ServerOutcome } from "../pin/pin-report.ts";
import type { CommandHost } from "../program.ts";

interface PinOptions {
  readonly check?: boolean;
  readonly environment?: string;
  readonly programs?: string;
  readonly credential?: readonly string[];
  readonly allowEgress?: readonly string[];
  readonly timeout: string;
  readonly acceptHidden?: boolean;
  readonly acceptMirroredSecrets?: boolean;
  readonly acceptSuspicious?: readonly string[];
  readonly allowEmpty?: boolean;
  readonly format: string;
}

const PROGRAMS_HELP =
  "--programs <gateway.json> names the file whose `programs` say what each stdio server runs";
const EGRESS_HELP =
  "name it with --allow-egress <network>, or in `egress.allow` of the file that --programs names, if the server is meant";

const MAX_TIMEOUT_S = 3_600;
/** Slack beyond the time of all servers, for stopping the last ones. */
const SLACK_MS = 60_000;

export function registerPin(program: Command, host: CommandHost): void {
  program
    .command("pin")
    .argument("[dir]", "policy repository", ".")
    .argument("[servers...]", "servers to pin (default: all)")
    .summary("Write or compare the approved definitions of the servers.")
    .description(
      "Connect to the servers of the registry and write registry/pins/<server>.json.\n" +
        "What stands there is what callers are shown and may use: review the diff before you commit it.\n" +
        "A server that is dead, slow or hostile fails alone; the others are pinned all the same.",
    )
    .option("--check", "write nothing; exit 7 where a live server differs from its pins")
    .option("--environment <name>", "environment whose addresses are used")
    .option("--programs <gateway.json>", "file whose `programs` say what stdio servers run")
    .addOption(repeatableOption("--credential <name=ref>", "secret of a server, as env:NAME or file:path"))
    .addOption(
      repeatableOption(
        "--allow-egress <network>",
        "address, range or host that is not public and may be reached",
      ),
    )
    .option("--timeout <seconds>", "time for each server", "30")
    .option("--accept-hidden", "pin definitions although they have hidden characters")
    .option(
      "--accept-mirrored-secrets",
      "pin tools although clients would repeat what looks like a secret in a header",
    )
    .addOption(
      repeatableOption(
        "--accept-suspicious <id>",
        "accept one finding in the committed pins; asks no server",
      ),
    )
    .option("--allow-empty", "replace pins of a kind by none")
    .addOption(formatOption("text", "json", "markdown"))
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
  if (options.acceptSuspicious !== undefined)
    return accept(root, names, options.acceptSuspicious, options, host);
  const timeoutMs = parseTimeoutMs(options.timeout);
  const chosen = chooseServers(root, names, options, host);
  if (chosen === undefined) return EXIT.checkFailed;
  const progress = pinProgress(host.io, chosen.length);
  const reading: PinServersOptions = {
    servers: chosen,
    programs: await loadPrograms(options.programs, host.io, "resolve"),
    credentials: await loadCredentials(options.credential, options.programs, host.io),
    egress: await loadEgress(options.allowEgress, options.programs, host.io),
    signal: AbortSignal.timeout(timeoutMs * chosen.length + SLACK_MS),
    timeoutMs,
    onProgress: progress.onProgress,
  };
  const live = await endWithSignal(() => pinServers(reading)).finally(progress.end);
  const committed = await readCommitted(root);
  const readers = await loadReaders(root);
  const others = toolsOf(
    committed,
    [...live.values()].flatMap((outcome) => (outcome.ok ? [outcome.value] : [])),
  );
  const outcomes: ServerOutcome[] = [];
  for (const { id } of chosen) {
    const outcome = live.get(id);
    if (outcome?.ok !== true) {
      const error = outcome?.error ?? "was not reached";
      const help = helpFor(error);
      const nothing = { definitions: {}, changes: [], findings: [] };
      outcomes.push({ server: id, error, ...help, status: "failed", ...nothing });
    } else outcomes.push(await settle({ root, options, committed, readers, others }, outcome.value));
  }
  write(outcomes, options, host);
  if (outcomes.some((outcome) => outcome.error !== undefined)) return EXIT.error;
  return outcomes.some((outcome) => outcome.status === "differs") ? EXIT.drift : EXIT.ok;
}

function helpFor(error: string): { readonly help?: string } {
  if (error.includes("no executable is configured")) return { help: PROGRAMS_HELP };
  return error.includes("egress.allow does not name it") ? { help: EGRESS_HELP } : {};
}

async function accept(
  root: string,
  names: readonly string[],
  ids: readonly string[],
  options: PinOptions,
  host: CommandHost,
): Promise<ExitCode> {
  if (options.check === true) throw new CliError("--check writes nothing: it cannot accept");
  const committed = await readCommitted(root);
  const chosen = [...committed].flatMap(([id, pins]) =>
    pins !== undefined && (names.length === 0 || names.includes(id)) ? [pins] : [],
  );
  for (const { pins, findings } of acceptSuspicious(chosen, toolsOf(committed, []), ids)) {
    await writePins(root, pins);
    for (const { subject, message } of findings)
      host.io.out(`${pins.server}: accepted: ${showCodePoints(`${subject}: ${message}`)}\n`);
  }
  return EXIT.ok;
}

function parseTimeoutMs(text: string): number {
  const seconds = /^\d{1,4}$/u.test(text) ? Number(text) : Number.NaN;
  if (seconds >= 1 && seconds <= MAX_TIMEOUT_S) return seconds * 1_000;
  throw new CliError(`--timeout must be 1 to ${MAX_TIMEOUT_S} seconds, not ${JSON.stringify(text)}`);
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
    const ids = servers.map((server) => server.id);
    const meant = closestName(unknown[0] ?? "", ids);
    throw new CliError(`no server ${unknown.join(", ")} in registry/servers`, {
      help: meant === undefined ? `known: ${ids.join(", ")}` : `did you mean ${meant}?`,
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

/** What stands in registry/pins; a file that cannot be read stands for no pins. */
async function readCommitted(root: string): Promise<ReadonlyMap<string, PinContent | undefined>> {
  const dir = join(root, "registry", "pins");
  const files = await readdir(dir).catch(() => []);
  const committed = new Map<string, PinContent | undefined>();
  for (const file of files.filter((name) => name.endsWith(".json"))) {
    const text = await readFile(join(dir, file), "utf8").catch(() => "");
    try {
      committed.set(file.slice(0, -".json".length), readPins(text));
    } catch {
      committed.set(file.slice(0, -".json".length), undefined);
    }
  }
  return committed;
}

/** What the committed repository compiles to says which rules read what; without it nothing can be said. */
async function loadReaders(root: string): Promise<PinReaders | undefined> {
  const { content, model } = await compile({ dir: root });
  return content === undefined ? undefined : new PinReaders(content, model.textOf);
}

function toolsOf(
  committed: ReadonlyMap<string, PinContent | undefined>,
  live: readonly PinContent[],
): readonly OtherTools[] {
  const pins = new Map(
    [...committed].flatMap(([id, content]) => (content === undefined ? [] : [[id, content] as const])),
  );
  for (const content of live) pins.set(content.server, content);
  return [...pins].map(([server, { entries }]) => ({
    server,
    names: entries.filter(({ kind }) => kind === "tool").map(({ name }) => name),
  }));
}

interface Settling {
  readonly root: string;
  readonly options: PinOptions;
  readonly committed: ReadonlyMap<string, PinContent | undefined>;
  readonly readers: PinReaders | undefined;
  readonly others: readonly OtherTools[];
}

async function settle(settling: Settling, live: PinContent): Promise<ServerOutcome> {
  const { root, options, committed, readers, others } = settling;
  const before = committed.get(live.server);
  const known: PinContent = before ?? { server: live.server, eras: {}, entries: [] };
  const isCheck = options.check === true;
  const isUnreadable = before === undefined && committed.has(live.server);
  const changes = diffPins(known, live).map((change) => ({
    ...change,
    readBy: readers?.readersOf(live.server, change) ?? [],
  }));
  const differs = changes.length > 0 || before === undefined;
  const { acceptedSuspicious = [] } = known;
  const scanned = scanPins({ ...live, definitions: live.entries, acceptedSuspicious }, others);
  const findings = scanned.filter(({ isAccepted }) => !isAccepted);
  const definitions: Record<string, number> = {};
  for (const { kind } of live.entries) definitions[kind] = (definitions[kind] ?? 0) + 1;
  const base = {
    server: live.server,
    ...(before === undefined && !isUnreadable ? { isFirst: true as const } : {}),
    ...{ definitions, changes, findings: isCheck && !differs ? [] : findings },
  };
  if (isCheck) {
    if (isUnreadable)
      return {
        ...base,
        status: "failed",
        error: "its pin file cannot be read",
        help: "`aegis pin` writes it anew",
      };
    return { ...base, status: differs ? "differs" : "as pinned" };
  }
  if (!differs) return { ...base, status: "as pinned" };
  const accepted = acceptedHidden(known, live, scanned, options.acceptHidden === true);
  const refusal = refusalOf(known, live, scanned, accepted, options);
  if (refusal !== undefined) return { ...base, ...refusal, status: "refused" };
  const kept = keptAcceptances(scanned, options.acceptMirroredSecrets === true);
  await writePins(root, { ...live, acceptedHidden: accepted, acceptedSuspicious: kept });
  return { ...base, status: "pinned" };
}

/** Subjects with hidden characters that are approved: now, or before in the very same definition. */
function acceptedHidden(
  known: PinContent,
  live: PinContent,
  findings: readonly PinFinding[],
  acceptsAll: boolean,
): readonly string[] {
  const subjects = new Set(
    findings.filter(({ severity }) => severity === "hidden").map(({ subject }) => subject),
  );
  if (acceptsAll) return [...subjects];
  const unchanged = new Set(
    live.entries
      .filter((entry) =>
        known.entries.some(({ kind, digest }) => kind === entry.kind && digest === entry.digest),
      )
      .map(({ kind, name }) => definitionLabel(kind, name)),
  );
  return (known.acceptedHidden ?? []).filter((subject) => subjects.has(subject) && unchanged.has(subject));
}

function refusalOf(
  known: PinContent,
  live: PinContent,
  findings: readonly PinFinding[],
  accepted: readonly string[],
  options: PinOptions,
): Pick<ServerOutcome, "error" | "help"> | undefined {
  const hidden = findings.find(
    ({ severity, subject }) => severity === "hidden" && !accepted.includes(subject),
  );
  if (hidden !== undefined) {
    return {
      error: `${hidden.subject} has hidden characters`,
      help: "have them removed; --accept-hidden pins it as it is",
    };
  }
  const secret = findings.find(({ severity, isAccepted }) => severity === "secret" && !isAccepted);
  if (secret !== undefined && options.acceptMirroredSecrets !== true) {
    return {
      error: `${secret.subject} has clients repeat what looks like a secret in a header (${secret.excerpt})`,
      help: "have `x-mcp-header` taken off the argument; --accept-mirrored-secrets pins it as it is",
    };
  }
  const amount = (content: PinContent, kind: string): number =>
    content.entries.filter((entry) => entry.kind === kind).length;
  const kinds = [...new Set(known.entries.map(({ kind }) => kind))].filter(
    (kind) => amount(live, kind) === 0,
  );
  const [kind] = kinds;
  if (kind === undefined || options.allowEmpty === true) return undefined;
  return {
    error: `it shows no ${kind} any more; ${plural(amount(known, kind), "pin")} would be lost`,
    help: "find out why; --allow-empty removes the pins",
  };
}

/** Complete or not at all: a reader never sees half a file. */
async function writePins(root: string, content: PinContent): Promise<void> {
  const dir = join(root, "registry", "pins");
  const text = formatPins(content);
  if (Buffer.byteLength(text) > WORKSPACE_LIMITS.maxFileBytes)
    throw new CliError(`the pins of ${content.server} are larger than any file of a repository may be`);
  await mkdir(dir, { recursive: true });
  const partial = join(dir, `.${content.server}.json.partial`);
  await writeFile(partial, text);
  await rename(partial, join(dir, `${content.server}.json`));
}

function write(outcomes: readonly ServerOutcome[], options: PinOptions, host: CommandHost): void {
  if (options.format === "json") host.io.out(jsonDocument({ formatVersion: 1, servers: outcomes }));
  else if (options.format === "markdown") host.io.out(renderPinMarkdown(outcomes));
  else host.io.out(renderPinText(outcomes, { color: host.io.colorOut }));
  const failed = outcomes.filter((outcome) => outcome.error !== undefined);
  if (failed.length === 0) return;
  const done = outcomes.length - failed.length;
  const verb = options.check === true ? "compared" : "pinned or as pinned";
  host.io.err(
    `${done} of ${plural(outcomes.length, "server")} ${verb}; not: ${failed.map(({ server }) => server).join(", ")}\n`,
  );
}
