// The options of aegis plan, as commander hands them over, and what they mean.
import type { Command } from "commander";
import { CliError } from "../output/cli-error.ts";
import { EXIT } from "../output/exit-codes.ts";
import { repeatableOption } from "../output/options.ts";

const FORMATS = ["text", "json", "markdown", "html"] as const;

/** A form in which a plan is written. */
export type PlanFormat = (typeof FORMATS)[number];

/** Options of `aegis plan`. */
export interface PlanCommandOptions {
  readonly base: string;
  readonly format: string;
  readonly out?: string;
  /** Labels of the pull request, for gates that require one. */
  readonly label?: readonly string[];
  /** Audit directories, or single segments. */
  readonly replay?: readonly string[];
  readonly symbolic?: true;
  readonly symbolicTimeout?: string;
  readonly detailedExitcode?: true;
}

/** Declares the options of `aegis plan`. */
export function planOptions(command: Command): Command {
  return command
    .requiredOption("--base <ref|file|channel>", "Git reference, .aegis file, or channel directory")
    .option("--format <format>", `output format: ${FORMATS.join(", ")}`, "text")
    .option(
      "--out <file>",
      "write the plan to a file as well; a .json file gets JSON and a .html file HTML, whatever the format",
    )
    .addOption(
      repeatableOption("--label <name>", "label that the pull request carries, for gates that require one"),
    )
    .addOption(
      repeatableOption(
        "--replay <dir>",
        "decide the calls of an audit log on both sides too: its directory, or one segment of it",
      ),
    )
    .option(
      "--symbolic",
      "let a solver prove that nothing is newly allowed, or find a call (needs z3-solver)",
    )
    .option("--symbolic-timeout <seconds>", "for one question to the solver (default: 5)")
    .option("--detailed-exitcode", `exit ${EXIT.changes} where there are changes`);
}

/** Throws CliError for an unknown format. */
export function parseFormat(text: string): PlanFormat {
  const format = FORMATS.find((candidate) => candidate === text);
  if (format !== undefined) return format;
  throw new CliError(`unknown format ${JSON.stringify(text)}`, { help: `one of ${FORMATS.join(", ")}` });
}

const LABEL_PREFIX = "label:";

/** Names of labels as the pull request carries them. Throws CliError for one that no pull request can carry. */
export function parseLabels(labels: readonly string[]): readonly string[] {
  for (const label of labels) {
    if (label.startsWith(LABEL_PREFIX))
      throw new CliError(`--label ${JSON.stringify(label)}: ${LABEL_PREFIX} is written in the gate only`, {
        help: `give the name of the label: --label ${label.slice(LABEL_PREFIX.length)}`,
      });
    if (label.trim() !== label || label === "" || label.includes("\n"))
      throw new CliError(`--label ${JSON.stringify(label)} is no name of a label that a gate can require`, {
        help: "a name without blanks around it; repeat --label for several",
      });
  }
  return labels;
}
