// aegis check: compiles without emitting and reports what it found.
import type { Command } from "commander";
import { COMPILER_VERSION, renderGithub, renderJson, renderSarif, renderText } from "#compiler";
import type { CompileResult } from "#compiler";
import { CliError } from "../output/cli-error.ts";
import { EXIT } from "../output/exit-codes.ts";
import { plural, textOptions } from "../output/io.ts";
import { formatOption } from "../output/options.ts";
import { compileProject, hasErrors } from "../output/project.ts";
import type { CommandHost } from "../program.ts";

const FORMATS = ["text", "json", "github", "sarif"] as const;
type Format = (typeof FORMATS)[number];

interface CheckOptions {
  readonly format: Format;
  readonly maxWarnings?: string;
}

export function registerCheck(program: Command, host: CommandHost): void {
  program
    .command("check")
    .argument("[dir]", "policy repository", ".")
    .summary("Validate policies, registry, routes, identity and tests.")
    .description(
      "Validate policies, registry, routes, identity and tests against each other and the pinned tools.\n" +
        "Exit 3 where there is an error, or more warnings than allowed.",
    )
    .addOption(formatOption(...FORMATS))
    .option("--max-warnings <n>", "fail where there are more warnings")
    .action(
      host.action(async (dir: string, options: CheckOptions) => {
        const { format } = options;
        const maxWarnings = parseCount(options.maxWarnings);
        const result = await compileProject(dir, host.io);
        if (format === "text")
          host.io.err(
            renderText(result.diagnostics, { ...textOptions(host.io), sourceOf: result.model.textOf }),
          );
        else host.io.out(render(result, format));
        const warnings = result.diagnostics.filter((diagnostic) => diagnostic.severity === "warning").length;
        if (hasErrors(result)) return EXIT.checkFailed;
        if (maxWarnings !== undefined && warnings > maxWarnings) {
          host.io.err(`${plural(warnings, "warning")}, at most ${maxWarnings} allowed\n`);
          return EXIT.checkFailed;
        }
        return EXIT.ok;
      }),
    );
}

function parseCount(text: string | undefined): number | undefined {
  if (text === undefined) return undefined;
  if (!/^\d{1,6}$/u.test(text))
    throw new CliError(`--max-warnings must be a number, not ${JSON.stringify(text)}`);
  return Number(text);
}

function render(result: CompileResult, format: Exclude<Format, "text">): string {
  switch (format) {
    case "json":
      return renderJson(result.diagnostics);
    case "github":
      return renderGithub(result.diagnostics);
    case "sarif":
      return renderSarif(result.diagnostics, COMPILER_VERSION);
  }
}
