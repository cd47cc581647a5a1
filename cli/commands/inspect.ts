// aegis inspect: what a bundle, a channel, a release statement or a root holds.
import { stat } from "node:fs/promises";
import { resolve } from "node:path";
import type { Command } from "commander";
import { TrustError } from "#errors";
import { inspectBundle, inspectDocument, isDocument, openChannelDirectory } from "#release";
import { describeBundle, describeRoot, describeStatement } from "../output/bundle-text.ts";
import { EXIT } from "../output/exit-codes.ts";
import { jsonDocument } from "../output/io.ts";
import { formatOption } from "../output/options.ts";
import { readBundleInput } from "../output/trust-files.ts";
import type { CommandHost } from "../program.ts";

interface Shown {
  readonly report: object;
  readonly text: string;
}

export function registerInspect(program: Command, host: CommandHost): void {
  program
    .command("inspect")
    .argument("<file.aegis>", "bundle, channel directory, release statement or root")
    .summary("Show what a bundle, a channel or a root holds.")
    .description(
      "Show what a bundle, a channel, a release statement or a root holds. It checks\n" +
        "that a bundle is whole, not who released it: see `aegis verify`.",
    )
    .addOption(formatOption("text", "json"))
    .action(
      host.action(async (file: string, options: { readonly format: string }) => {
        const { cwd } = host.io;
        const path = resolve(cwd, file);
        const { report, text } = (await stat(path)).isDirectory()
          ? await showChannel(path, file)
          : showBytes(await readBundleInput(file, cwd));
        host.io.out(options.format === "json" ? jsonDocument(report) : text);
        return EXIT.ok;
      }),
    );
}

function showBytes(bytes: Uint8Array): Shown {
  if (!isDocument(bytes)) {
    const report = inspectBundle(bytes);
    return { report, text: describeBundle(report) };
  }
  const report = inspectDocument(bytes);
  return { report, text: report.kind === "root" ? describeRoot(report) : describeStatement(report) };
}

async function showChannel(path: string, file: string): Promise<Shown> {
  const channel = openChannelDirectory(path);
  const bytes = await channel.readRelease();
  if (bytes === undefined)
    throw new TrustError("RELEASE_SOURCE_UNAVAILABLE", `${file} is a directory without release.json`);
  const release = inspectDocument(bytes);
  if (release.kind === "root") throw new TrustError("RELEASE_INVALID", `${file}/release.json is a root`);
  const { digest } = release.statement;
  const content = await channel.readBundle(digest);
  if (content === undefined) throw new TrustError("BUNDLE_UNREADABLE", `${file} has no bundle ${digest}`);
  const bundle = inspectBundle(content);
  if (bundle.digest !== digest)
    throw new TrustError("BUNDLE_DIGEST_MISMATCH", `${file} names ${digest}, its file is ${bundle.digest}`);
  const { statement, signatures } = release;
  return {
    report: { formatVersion: 1, kind: "channel", statement, signatures, bundle },
    text: `${describeStatement(release)}\n${describeBundle(bundle)}`,
  };
}
