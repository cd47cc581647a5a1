// aegis verify: what a gateway would say of a channel directory, or of a bundle's integrity.
import { stat } from "node:fs/promises";
import { resolve } from "node:path";
import type { Command } from "commander";
import { TrustError } from "#errors";
import { inspectBundle, openChannelDirectory, openTrustRoot, verifyChannelDirectory } from "#release";
import { CliError } from "../output/cli-error.ts";
import { EXIT } from "../output/exit-codes.ts";
import { jsonDocument } from "../output/io.ts";
import { formatOption } from "../output/options.ts";
import { readBundleInput, readRootInput } from "../output/trust-files.ts";
import type { CommandHost } from "../program.ts";

interface VerifyOptions {
  readonly root?: string;
  readonly rootSha256?: string;
  readonly channel?: string;
  readonly format: string;
}

export function registerVerify(program: Command, host: CommandHost): void {
  program
    .command("verify")
    .argument("<channel dir | file.aegis>", "what to verify")
    .summary("Verify a release as a gateway would.")
    .description(
      "Verify a channel as a gateway would: signatures, thresholds, expiry, bundle.\n" +
        "Exit 6 where it would be refused. Of a file alone, only that the bundle is whole.",
    )
    .option("--root <root.json>", "root of trust (needed for a channel)")
    .option("--root-sha256 <hex>", "pin of the root, as in gateway.json")
    .option("--channel <name>", "channel the release must be for")
    .addOption(formatOption("text", "json"))
    .action(host.action((target: string, options: VerifyOptions) => verify(target, options, host)));
}

async function verify(target: string, options: VerifyOptions, host: CommandHost): Promise<0> {
  const path = resolve(host.io.cwd, target);
  if (!(await stat(path)).isDirectory()) {
    const report = inspectBundle(await readBundleInput(target, host.io.cwd));
    if (options.format === "json")
      host.io.out(jsonDocument({ formatVersion: 1, digest: report.digest, name: report.name }));
    else host.io.out(`${report.digest}  ${target}\n`);
    host.io.err("the bundle is whole; who released it is in its channel: verify that with --root\n");
    return EXIT.ok;
  }
  if (options.root === undefined) {
    // A directory that is no channel is refused as what it is; a root would not help.
    if ((await openChannelDirectory(path).readRelease()) === undefined) {
      throw new TrustError("RELEASE_SOURCE_UNAVAILABLE", `${target} is a directory without release.json`);
    }
    throw new CliError("--root is needed to verify a channel", {
      help: "name the root.json your gateways are pinned to",
    });
  }
  const root = await openTrustRoot(await readRootInput(options.root, host.io.cwd), options.rootSha256);
  const report = await verifyChannelDirectory(path, {
    root,
    nowMs: Date.now(),
    ...(options.channel === undefined ? {} : { channel: options.channel }),
  });
  if (options.format === "json") {
    host.io.out(jsonDocument(report));
    return EXIT.ok;
  }
  const { statement, keyIds, threshold, rootVersion } = report;
  host.io.out(`${statement.channel} sequence ${statement.sequence}  ${statement.digest}\n`);
  host.io.err(
    `${keyIds.length} of ${threshold} needed signatures, root version ${rootVersion}, expires ${statement.expiresAt}\n`,
  );
  return EXIT.ok;
}
