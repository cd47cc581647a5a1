// Opens what a plan compares with: a bundle file, the current release of a channel directory, or a Git commit.
import { stat } from "node:fs/promises";
import { join, resolve } from "node:path";
import { MAX_BUNDLE_BYTES, RELEASE_FILE, peekStatement, readBounded } from "#bundle";
import { WorkspaceError, compile, gitWorkspace, openChannelDirectory, renderText } from "#compiler";
import type { Workspace } from "#compiler";
import { bundleInput } from "#plan";
import type { PlanBase, PlanInput } from "#plan";
import { CliError } from "../output/cli-error.ts";
import { EXIT } from "../output/exit-codes.ts";
import { textOptions } from "../output/io.ts";
import type { CliIo } from "../output/io.ts";

/** What is compared with, and which kind of thing named it. */
export interface Base {
  readonly kind: PlanBase["kind"];
  readonly input: PlanInput;
}

/** A bundle file, a channel directory, or else a Git reference. Throws CliError where it cannot be opened or compiled. */
export async function openBase(base: string, dir: string, io: CliIo): Promise<Base> {
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
  io.err(renderText(errors, { ...textOptions(io), sourceOf: result.model.textOf }));
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
