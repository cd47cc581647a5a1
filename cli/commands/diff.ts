// aegis diff: what is in one bundle and not in the other.
import type { Command } from "commander";
import { diffBundles } from "#release";
import { renderBundleDiff } from "../output/bundle-diff.ts";
import { openBundleReference } from "../output/bundle-references.ts";
import { EXIT } from "../output/exit-codes.ts";
import { jsonDocument } from "../output/io.ts";
import { formatOption } from "../output/options.ts";
import type { CommandHost } from "../program.ts";

interface DiffOptions {
  readonly dir: string;
  readonly detailedExitcode?: true;
  readonly format: string;
}

export function registerDiff(program: Command, host: CommandHost): void {
  program
    .command("diff")
    .argument("<before>", ".aegis file, channel directory, or Git reference")
    .argument("<after>", "the same")
    .summary("Show what differs between two bundles.")
    .description(
      "Show what differs between two bundles, section by section. It trusts neither:\n" +
        "see `aegis verify`. What they do to decisions is shown by `aegis plan`.",
    )
    .option("--dir <dir>", "policy repository that Git references are about", ".")
    .option("--detailed-exitcode", `exit ${EXIT.changes} where the bundles differ`)
    .addOption(formatOption("text", "json"))
    .action(
      host.action(async (before: string, after: string, options: DiffOptions) => {
        const { io } = host;
        const diff = diffBundles(
          await openBundleReference(before, options.dir, io),
          await openBundleReference(after, options.dir, io),
        );
        io.out(options.format === "json" ? jsonDocument(diff) : renderBundleDiff(diff, io.colorOut));
        return options.detailedExitcode === true && !diff.same ? EXIT.changes : EXIT.ok;
      }),
    );
}
