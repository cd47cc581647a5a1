// aegis root init | rotate: the keys that vouch for releases, and how many of them it takes.
import { mkdir, writeFile } from "node:fs/promises";
import { basename, dirname, resolve } from "node:path";
import type { Command } from "commander";
import { sha256Hex } from "#bundle";
import type { RootDocument } from "#bundle";
import {
  cosignRoot,
  initRoot,
  isDraftOf,
  loadPublicKey,
  openChannelDirectory,
  openTrustRoot,
  readRootFile,
  refusalUnder,
  rotateRoot,
} from "#release";
import type { PublicKey, RootChange, RootDraft } from "#release";
import { CliError } from "../output/cli-error.ts";
import { EXIT } from "../output/exit-codes.ts";
import { openSigners, withSignerOptions } from "../output/signers.ts";
import type { SignerOptions } from "../output/signers.ts";
import { readRootInput } from "../output/trust-files.ts";
import { parseExpiry } from "../output/instants.ts";
import { jsonDocument } from "../output/io.ts";
import { formatOption, repeatableOption } from "../output/options.ts";
import type { CommandHost } from "../program.ts";

interface InitOptions extends SignerOptions {
  readonly releaseKey?: readonly string[];
  readonly threshold: string;
  readonly releaseThreshold: string;
  readonly expires: string;
  readonly output: string;
  readonly format: string;
}

interface RotateOptions extends SignerOptions {
  readonly root: string;
  readonly addReleaseKey?: readonly string[];
  readonly addRootKey?: readonly string[];
  readonly remove?: readonly string[];
  readonly revokeDigest?: readonly string[];
  readonly raiseEpoch?: boolean;
  readonly threshold?: string;
  readonly releaseThreshold?: string;
  readonly expires?: string;
  readonly output: string;
  readonly format: string;
}

export function registerRoot(program: Command, host: CommandHost): void {
  const root = program.command("root").description("Make and change the root of trust.").helpCommand(false);
  withSignerOptions(root.command("init"), "root")
    .summary("Make the first root.")
    .description("Make root version 1 from key files and print its sha-256, which goes into gateway.json.")
    .addOption(
      repeatableOption(
        "--release-key <file>",
        "key that may sign releases, private or public; without it the root keys",
      ),
    )
    .option("--threshold <n>", "root signatures needed to change the root", "1")
    .option("--release-threshold <n>", "release signatures needed", "1")
    .option("--expires <when>", "life of this root", "1y")
    .requiredOption("-o, --output <root.json>", "file to write; never overwritten")
    .addOption(formatOption("text", "json"))
    .action(host.action((options: InitOptions) => init(options, host)));
  withSignerOptions(root.command("rotate"), "root")
    .summary("Make the next root from the current one.")
    .description(
      "Make the next root from the current one. It needs the thresholds of both: where\n" +
        "signatures are missing, run the same command again with the next --key.",
    )
    .requiredOption("--root <root.json>", "current root")
    .addOption(repeatableOption("--add-root-key <file>", "key to add to the root role"))
    .addOption(repeatableOption("--add-release-key <file>", "key to add to the release role"))
    .addOption(repeatableOption("--remove <keyId>", "key to take out of every role"))
    .addOption(repeatableOption("--revoke-digest <sha256>", "bundle that must never run again"))
    .option("--raise-epoch", "void every sequence released so far: the cure for a leaked release key")
    .option("--threshold <n>", "root signatures needed to change the root from now on")
    .option("--release-threshold <n>", "release signatures needed from now on")
    .option("--expires <when>", "life of the new root")
    .requiredOption(
      "-o, --output <file.json>",
      "file to write; put it into the channel as roots/<version>.json",
    )
    .addOption(formatOption("text", "json"))
    .action(host.action((options: RotateOptions) => rotate(options, host)));
}

async function init(options: InitOptions, host: CommandHost): Promise<0> {
  const path = (file: string): string => resolve(host.io.cwd, file);
  const signers = await openSigners(options, host.io);
  const releaseKeys: readonly PublicKey[] =
    options.releaseKey === undefined
      ? signers
      : await Promise.all(options.releaseKey.map((file) => loadPublicKey(path(file))));
  const draft = await initRoot(
    {
      rootKeys: signers,
      releaseKeys,
      rootThreshold: parseThreshold(options.threshold),
      releaseThreshold: parseThreshold(options.releaseThreshold),
      expiresAtMs: parseExpiry(options.expires, Date.now()),
    },
    signers,
  );
  return writeRoot(draft, path(options.output), options, host);
}

async function rotate(options: RotateOptions, host: CommandHost): Promise<0> {
  const path = (file: string): string => resolve(host.io.cwd, file);
  const load = (files: readonly string[] = []): Promise<PublicKey[]> =>
    Promise.all(files.map((file) => loadPublicKey(path(file))));
  const current = await openTrustRoot(await readRootInput(options.root, host.io.cwd));
  const signers = await openSigners(options, host.io);
  const change: RootChange = {
    addRootKeys: await load(options.addRootKey),
    addReleaseKeys: await load(options.addReleaseKey),
    removeKeys: options.remove ?? [],
    revokeDigests: options.revokeDigest ?? [],
    raiseEpoch: options.raiseEpoch === true,
    ...(options.threshold === undefined ? {} : { rootThreshold: parseThreshold(options.threshold) }),
    ...(options.releaseThreshold === undefined
      ? {}
      : { releaseThreshold: parseThreshold(options.releaseThreshold) }),
    ...(options.expires === undefined ? {} : { expiresAtMs: parseExpiry(options.expires, Date.now()) }),
  };
  const existing = await readRootFile(path(options.output));
  // A second signer adds to the draft the first one left, and must not sign what this command does not say.
  if (existing !== undefined) {
    if (!isDraftOf(current, change, existing)) {
      throw new CliError(`${options.output} holds a root that says something else than this command`, {
        help: `see what with \`aegis inspect ${options.output}\`; name another file, or repeat its command`,
        exitCode: EXIT.trust,
      });
    }
    const draft = await cosignRoot(current, existing, signers);
    return writeRoot(draft, path(options.output), options, host, "replace");
  }
  const draft = await rotateRoot(current, change, signers);
  await writeRoot(draft, path(options.output), options, host);
  await warnOfRelease(current.document, draft, path(options.output), host);
  return EXIT.ok;
}

/** A root that lies in a channel is held against the release there; elsewhere it is only said what to look for. */
async function warnOfRelease(
  before: RootDocument,
  draft: RootDraft,
  file: string,
  host: CommandHost,
): Promise<void> {
  const channel = basename(dirname(file)) === "roots" ? dirname(dirname(file)) : undefined;
  const release = channel === undefined ? undefined : await openChannelDirectory(channel).readRelease();
  if (channel !== undefined && release !== undefined) {
    const refusal = await refusalUnder({ document: draft.document, bytes: draft.bytes }, release, Date.now());
    if (refusal === undefined) return;
    host.io.err(
      `warning: gateways that follow this root refuse the release in ${channel}\n` +
        `  ${refusal.code}: ${refusal.detail}\n` +
        "  help: release again under this root; a gateway that restarts before that serves nothing\n",
    );
  } else if (!keepsReleases(before, draft.document)) {
    host.io.err(
      "note: releases signed only by removed keys, by fewer keys than needed now, of an earlier epoch or of a revoked\n" +
        "  bundle stop verifying: release again where that is the current one\n",
    );
  }
}

/** True where every release that the old root vouches for verifies under the new one. */
function keepsReleases(before: RootDocument, after: RootDocument): boolean {
  const { keyids, threshold } = after.roles.release;
  return (
    before.epoch === after.epoch &&
    threshold <= before.roles.release.threshold &&
    before.roles.release.keyids.every((keyId) => keyids.includes(keyId)) &&
    after.revokedDigests.length === before.revokedDigests.length
  );
}

async function writeRoot(
  draft: RootDraft,
  file: string,
  options: { readonly output: string; readonly format: string },
  host: CommandHost,
  mode: "new" | "replace" = "new",
): Promise<0> {
  await mkdir(dirname(file), { recursive: true });
  await writeFile(file, draft.bytes, { flag: mode === "new" ? "wx" : "w" });
  const sha256 = sha256Hex(draft.bytes);
  const { version, epoch } = draft.document;
  if (options.format === "json") {
    host.io.out(jsonDocument({ formatVersion: 1, file, sha256, version, epoch, complete: draft.complete }));
  } else {
    host.io.out(`${sha256}  ${options.output}\n`);
    const state = draft.complete
      ? "complete"
      : "needs further signatures: run the same command with the next --key";
    host.io.err(`root version ${version}, epoch ${epoch}, ${state}\n`);
  }
  return EXIT.ok;
}

function parseThreshold(text: string): number {
  if (!/^[1-9]\d?$/u.test(text))
    throw new CliError(`a threshold is a number from 1 to 99, not ${JSON.stringify(text)}`);
  return Number(text);
}
