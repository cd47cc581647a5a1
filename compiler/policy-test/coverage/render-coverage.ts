// Coverage for people: a table of files, then what is missing and where. Fits 80 columns where names allow it.
import { showHidden } from "#compiler";
import { percentOf } from "./coverage-report.ts";
import type { CoverageReport, Share } from "./coverage-report.ts";
import { missingOf } from "./missing.ts";
import type { MissingOutcome } from "./missing.ts";

export interface CoverageTextOptions {
  readonly color: boolean;
}

type Style = "bold" | "dim" | "green" | "red" | "yellow";
const STYLE_CODES = { bold: 1, dim: 2, red: 31, green: 32, yellow: 33 } as const;
/** More than this are counted, not listed. */
const MAX_LISTED = 100;

/** The block as lines of text, ending with a newline. Deterministic. */
export function renderCoverageText(coverage: CoverageReport, options: CoverageTextOptions): string {
  const paint = (style: Style, text: string): string =>
    options.color ? `\u001b[${STYLE_CODES[style]}m${text}\u001b[0m` : text;
  const rows = [
    ...coverage.files.map(({ file, policies, outcomes }) => ({ name: showHidden(file), policies, outcomes })),
    { name: "all policies", policies: coverage.policies, outcomes: coverage.outcomes },
  ];
  const width = Math.max(...rows.map(({ name }) => name.length), "definitions".length);
  const row = (name: string, policies: string, outcomes: string, percent: string): string =>
    `  ${name.padEnd(width)}  ${policies.padStart(9)}  ${outcomes.padStart(9)}  ${percent.padStart(7)}`;
  const lines = [
    `${paint("bold", "Coverage")}${paint("dim", row("", "policies", "clauses", "").slice("Coverage".length))}`,
    ...rows.map(({ name, policies, outcomes }, index) => {
      const line = row(name, ratio(policies), ratio(outcomes), `${percentText(outcomes)} %`);
      const style = outcomes.covered === outcomes.total ? "green" : "yellow";
      return index === rows.length - 1 ? paint("bold", line) : paint(style, line);
    }),
    "",
    `  ${others(coverage)}`,
    ...missingLines(missingOf(coverage), paint),
  ];
  return `${lines.map((line) => line.trimEnd()).join("\n")}\n`;
}

function others({ leafSides, transformLines }: CoverageReport): string {
  const definitions = `definitions allowed and denied: ${ratio(leafSides)}`;
  if (transformLines.total === 0) return definitions;
  return `${definitions}; transforms with an effect: ${ratio(transformLines)}`;
}

function missingLines(
  missing: readonly MissingOutcome[],
  paint: (style: Style, text: string) => string,
): readonly string[] {
  if (missing.length === 0) return [];
  const shown = missing.slice(0, MAX_LISTED).map(({ at, text, missing: what }) => {
    if (at === undefined) return `  ${showHidden(text)}: ${paint("yellow", what)}`;
    return `  ${showHidden(at.file)}:${at.line}:${at.column} ${paint("yellow", what)}\n      ${showHidden(text)}`;
  });
  const more = missing.length - shown.length;
  return ["", paint("bold", "Not covered"), ...shown, ...(more === 0 ? [] : [`  and ${more} more`])];
}

function ratio({ covered, total }: Share): string {
  return `${covered}/${total}`;
}

function percentText(share: Share): string {
  return percentOf(share).toFixed(1).replace(/\.0$/u, "");
}
