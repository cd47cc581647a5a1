// What `aegis test` does with coverage: the tracefile, and the gate.
import { writeFile } from "node:fs/promises";
import { percentOf, renderLcov } from "#policy-test";
import type { CoverageReport } from "#policy-test";

import { CliError } from "./cli-error.ts";
import type { CliIo } from "./io.ts";

export interface CoverageOptions {
  readonly coverage?: true;
  readonly coverageOut?: string;
  /** Percentage of clause outcomes. */
  readonly minCoverage?: number;
}

/** A file or a gate asks for coverage as much as the option does. */
export function wantsCoverage({ coverage, coverageOut, minCoverage }: CoverageOptions): boolean {
  return coverage === true || coverageOut !== undefined || minCoverage !== undefined;
}

/** Writes the tracefile; false where less is covered than `--min-coverage` wants, after saying so. */
export async function concludeCoverage(
  report: CoverageReport | undefined,
  { coverageOut, minCoverage }: CoverageOptions,
  io: Pick<CliIo, "err">,
): Promise<boolean> {
  if (report === undefined) return true;
  if (coverageOut !== undefined) await write(coverageOut, renderLcov(report));
  const { covered, total } = report.outcomes;
  if (minCoverage === undefined || (total === 0 ? 100 : (covered / total) * 100) >= minCoverage) return true;
  io.err(
    `coverage ${percentOf(report.outcomes)} % (${covered} of ${total} clause outcomes) is below --min-coverage ${minCoverage}\n`,
  );
  return false;
}

async function write(file: string, text: string): Promise<void> {
  try {
    await writeFile(file, text);
  } catch (fault) {
    const cause = fault instanceof Error ? fault.message : "no reason given";
    throw new CliError(`cannot write the coverage: ${cause}`, { help: "--coverage-out takes a path" });
  }
}
