// aegis plan: which decisions change between a base and the working tree.
import { stat, writeFile } from "node:fs/promises";
import { join, resolve } from "node:path";
import type { Command } from "commander";
import { MAX_BUNDLE_BYTES, RELEASE_FILE, peekStatement, readBounded } from "#bundle";
import {
  WorkspaceError,
  compile,
  gitWorkspace,
  openChannelDirectory,
  renderText,
  showHidden,
} from "#compiler";
import type { Workspace } from "#compiler";
import {
  bundleInput,
  checkInvariants,
  planChanges,
  planDigest,
  renderPlanJson,
  renderPlanMarkdown,
  renderPlanText,
  violated,
} from "#plan";
import type { Plan, PlanBase, PlanInput } from "#plan";
import { CliError } from "../output/cli-error.ts";
import { EXIT } from "../output/exit-codes.ts";
import type { CliIo } from "../output/io.ts";
import { compileProject, projectDir, showDiagnostics } from "../output/project.ts";
import type { CommandHost } from "../program.ts";

const FORMATS = ["text", "json", "markdown"] as const;
type Format = (typeof FORMATS)[number];

interface PlanCommandOptions {
  readonly base: string;
  readonly format: string;
  readonly out?: string;
  readonly detailedExitcode?: true;
}

interface Base {
  readonly kind: PlanBase["kind"];
  readonly input: PlanInput;
}

export function registerPlan(program: Command, host: CommandHost): void {
  program
    .command("plan")
    .argument("[dir]", "policy repository", ".")
    .description(
      "Show which decisions change against a base: newly allowed, newly denied, and a call for each.",
    )
    .requiredOption("--base <ref|file|channel>", "Git reference, .aegis file, or channel directory")
    .option("--format <format>", `output format: ${FORMATS.join(", ")}`, "text")
    .option("--out <file>", "write the plan to a file as well; a .json file gets JSON, whatever the format")
    .option("--detailed-exitcode", `exit ${EXIT.changes} where there are changes`)
    .action(
      host.action(async (dir: string, options: PlanCommandOptions) => {
        const format = parseFormat(options.format);
        const head = await compileProject(dir, host.io);
        if (head.bundle === undefined) {
          showDiagnostics(head, host.io);
          host.io.err("not planned: the repository does not compile\n");
          return EXIT.checkFailed;
        }
        const { kind, input } = await openBase(options.base, await projectDir(dir, host.io), host.io);
        const changes = await planChanges(input, head, { base: { kind, ref: options.base } });
        const invariants = await checkInvariants(head, head.model.invariants);
        const plan: Plan = invariants.length === 0 ? changes : { ...changes, invariants };
        await write(plan, format, options.out, host.io);
        if (violated(invariants).length > 0) return EXIT.gate;
        return options.detailedExitcode === true && plan.changes.length > 0 ? EXIT.changes : EXIT.ok;
      }),
    );
}

function parseFormat(text: string): Format {
  const format = FORMATS.find((candidate) => candidate === text);
  if (format !== undefined) return format;
  throw new CliError(`unknown format ${JSON.stringify(text)}`, { help: `one of ${FORMATS.join(", ")}` });
}

async function write(plan: Plan, format: Format, out: string | undefined, io: CliIo): Promise<void> {
  io.out(render(plan, format, io.colorOut));
  if (out === undefined) return;
  const isJson = out.endsWith(".json");
  await writeFile(resolve(io.cwd, out), render(plan, isJson ? "json" : format, false));
  // A release records this digest: it is the sha-256 of the JSON form.
  io.err(`wrote ${out}${isJson || format === "json" ? ` (sha256 ${planDigest(plan)})` : ""}\n`);
}

function render(plan: Plan, format: Format, color: boolean): string {
  switch (format) {
    case "text":
      return renderPlanText(plan, { color, printable: showHidden });
    case "json":
      return renderPlanJson(plan);
    case "markdown":
      return renderPlanMarkdown(plan);
  }
}

/** A bundle file, a channel directory, or else a Git reference. */
async function openBase(base: string, dir: string, io: CliIo): Promise<Base> {
  const path = resolve(io.cwd, base);
  const status = await stat(path).catch(() => undefined);
  if (status?.isFile() === true) {
    const bytes = await readBounded(path, MAX_BUNDLE_BYTES);
    if (bytes === undefined) throw new CliError(`${base} cannot be read`);
    return { kind: "bundle", input: bundleInput(bytes) };
  }
  if (base.endsWith(".aegis")) throw new CliError(`no such file: ${base}`);
  if (status?.isDirectory() === true && (await stat(join(path, RELEASE_FILE)).catch(() => undefined))) {
    return { kind: "channel", input: await openChannel(path, base) };
  }
  return { kind: "git", input: await openCommit(base, dir, status?.isDirectory() === true, io) };
}

/** The bundle of the current release. What it says is compared, not trusted: `aegis verify` checks signatures. */
async function openChannel(path: string, base: string): Promise<PlanInput> {
  const channel = openChannelDirectory(path);
  const release = await channel.readRelease();
  if (release === undefined) throw new CliError(`${base} holds no release`);
  const { digest } = peekStatement(release);
  const bytes = await channel.readBundle(digest);
  if (bytes === undefined) throw new CliError(`${base} lacks the bundle ${digest} of its release`);
  const input = bundleInput(bytes);
  if (input.bundle.digest !== digest) {
    throw new CliError(`the bundle in ${base} is not the one that its release names`, {
      exitCode: EXIT.trust,
    });
  }
  return input;
}

async function openCommit(ref: string, dir: string, isDirectory: boolean, io: CliIo): Promise<PlanInput> {
  const workspace = openGit(ref, dir, isDirectory);
  const result = await compile({ dir, workspace });
  if (result.bundle !== undefined) return result;
  const errors = result.diagnostics.filter(({ severity }) => severity === "error");
  io.err(renderText(errors, { color: io.colorErr, sourceOf: result.model.textOf }));
  throw new CliError(
    `the base ${workspace.description} does not compile, so there is nothing to compare with`,
    {
      help: "the lines above are about the base, not about the working tree",
    },
  );
}

function openGit(ref: string, dir: string, isDirectory: boolean): Workspace {
  try {
    return gitWorkspace(dir, ref);
  } catch (fault) {
    if (fault instanceof WorkspaceError) {
      throw new CliError(`the base ${ref} cannot be read: ${fault.path}: ${fault.message}`, { cause: fault });
    }
    throw new CliError(gitFault(ref, fault, isDirectory), { cause: fault });
  }
}

function gitFault(ref: string, fault: unknown, isDirectory: boolean): string {
  const { code, stderr } = fault as { readonly code?: unknown; readonly stderr?: unknown };
  if (code === "ENOENT") return "git is not installed, and the base is not a file or a channel directory";
  const words = stderr instanceof Uint8Array ? Buffer.from(stderr).toString("utf8").trim() : "";
  if (words.includes("not a git repository"))
    return `${ref}: the policy repository is not in a Git work tree`;
  if (isDirectory) return `${ref} is a directory without ${RELEASE_FILE}, and no Git reference either`;
  return `${ref} is not a commit, branch or tag of this repository${words === "" ? "" : `: ${words}`}`;
}
