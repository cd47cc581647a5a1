// A bundle as a command line may name it: a file, the release of a channel directory, or a commit to compile.
import { stat } from "node:fs/promises";
import { join, resolve } from "node:path";
import { RELEASE_FILE, peekStatement } from "#bundle";
import { WorkspaceError, compile, gitWorkspace, renderText } from "#compiler";
import type { Workspace } from "#compiler";
import { TrustError } from "#errors";
import { diffSide, openChannelDirectory } from "#release";
import type { DiffSide } from "#release";
import { CliError } from "./cli-error.ts";
import { EXIT } from "./exit-codes.ts";
import { textOptions } from "./io.ts";
import type { CliIo } from "./io.ts";
import { readBundleInput } from "./trust-files.ts";

/**
 * Opens what `reference` names. What a channel or a bundle says is compared, not trusted: `aegis verify` checks
 * signatures. `dir` is the policy repository that Git references are about.
 */
export async function openBundleReference(reference: string, dir: string, io: CliIo): Promise<DiffSide> {
  const path = resolve(io.cwd, reference);
  const status = await stat(path).catch(() => undefined);
  if (status?.isDirectory() === true && reference.endsWith(".aegis"))
    throw new TrustError("BUNDLE_UNREADABLE", `${reference} is a directory`);
  if (status !== undefined && !status.isDirectory())
    return diffSide(await readBundleInput(reference, io.cwd));
  if (reference.endsWith(".aegis")) throw new CliError(`no such file or directory: ${reference}`);
  const hasRelease = await stat(join(path, RELEASE_FILE)).catch(() => undefined);
  if (hasRelease !== undefined) return openChannel(path, reference);
  if (status !== undefined && /^[./]/u.test(reference))
    throw new TrustError("RELEASE_SOURCE_UNAVAILABLE", `${reference} is a directory without ${RELEASE_FILE}`);
  return openCommit(reference, resolve(io.cwd, dir), io);
}

async function openChannel(path: string, reference: string): Promise<DiffSide> {
  const channel = openChannelDirectory(path);
  const release = await channel.readRelease();
  if (release === undefined)
    throw new TrustError("RELEASE_SOURCE_UNAVAILABLE", `${reference} has no ${RELEASE_FILE}`);
  const { digest } = peekStatement(release);
  const bytes = await channel.readBundle(digest);
  if (bytes === undefined)
    throw new TrustError("BUNDLE_UNREADABLE", `${reference} lacks its bundle ${digest}`);
  const side = diffSide(bytes);
  if (side.digest !== digest)
    throw new TrustError(
      "BUNDLE_DIGEST_MISMATCH",
      `${reference} names ${digest}, its file is ${side.digest}`,
    );
  return side;
}

async function openCommit(reference: string, dir: string, io: CliIo): Promise<DiffSide> {
  const workspace = openGit(reference, dir);
  const { bundle, diagnostics, model } = await compile({ dir, workspace });
  if (bundle !== undefined) return diffSide(bundle.bytes);
  const errors = diagnostics.filter(({ severity }) => severity === "error");
  io.err(renderText(errors, { ...textOptions(io), sourceOf: model.textOf }));
  throw new CliError(`${reference} does not compile, so there is nothing to compare`, {
    exitCode: EXIT.checkFailed,
  });
}

function openGit(reference: string, dir: string): Workspace {
  try {
    return gitWorkspace(dir, reference);
  } catch (fault) {
    const reason = fault instanceof WorkspaceError ? `: ${fault.message}` : "";
    throw new CliError(`${reference} is no bundle, no channel directory and no Git reference here${reason}`, {
      help: "name an .aegis file, a directory with release.json, or a commit of the repository (--dir)",
      cause: fault,
    });
  }
}
