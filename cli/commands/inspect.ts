// aegis inspect: what a bundle holds.
import type { Command } from "commander";
import { inspectBundle } from "#release";
import type { BundleReport } from "#release";
import { EXIT } from "../output/exit-codes.ts";
import { readInput } from "../output/files.ts";
import { jsonDocument } from "../output/io.ts";
import { formatOption } from "../output/options.ts";
import type { CommandHost } from "../program.ts";

export function registerInspect(program: Command, host: CommandHost): void {
  program
    .command("inspect")
    .argument("<file.aegis>", "bundle")
    .summary("Show what a bundle holds.")
    .description(
      "Show what a bundle holds. It checks that the bundle is whole, not who released it: see `aegis verify`.",
    )
    .addOption(formatOption("text", "json"))
    .action(
      host.action(async (file: string, options: { readonly format: string }) => {
        const report = inspectBundle(await readInput(file, host.io.cwd));
        host.io.out(options.format === "json" ? jsonDocument(report) : describe(report));
        return EXIT.ok;
      }),
    );
}

function describe(report: BundleReport): string {
  const lines = [
    `${report.name}  sha256:${report.digest}`,
    `format ${report.bundleFormat}, compiler ${report.compilerVersion}, ${report.sizeBytes} bytes` +
      (report.requires.length === 0 ? "" : `, requires ${report.requires.join(", ")}`),
    `${report.policies} policies, ${report.slices} slices, ${report.residuals} residuals, ${report.limits} limits, ` +
      `${report.transforms} transforms, ${report.vectors} golden vectors`,
    "servers:",
    ...report.servers.map(
      (server) =>
        `  ${server.id}  tier ${server.tier}, ${server.leaves} ${server.leaves === 1 ? "leaf" : "leaves"}`,
    ),
    "environments:",
    ...report.environments.map((environment) => `  ${environment.name}  ${environment.routes.join(" ")}`),
    "files:",
    ...report.files.map((entry) => `  ${entry.sha256}  ${entry.name} (${entry.sizeBytes} bytes)`),
  ];
  return `${lines.join("\n")}\n`;
}
