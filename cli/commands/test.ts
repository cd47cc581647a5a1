// aegis test: the repository's own suites, decided as the gateway decides.
import type { Command } from "commander";
import { checkInvariants, violated } from "#plan";
import { renderTestJson, renderTestJunit, renderTestText, runSuites } from "#policy-test";
import { CliError } from "../output/cli-error.ts";
import { EXIT } from "../output/exit-codes.ts";
import { formatOption, percentOption, repeatableOption } from "../output/options.ts";
import { compileProject, showDiagnostics } from "../output/project.ts";
import { concludeCoverage, wantsCoverage } from "../output/test-coverage.ts";
import { reachesThreshold, runMutation, withMutation } from "../output/test-mutation.ts";
import type { CommandHost } from "../program.ts";

const FORMATS = ["text", "json", "junit"] as const;
type Format = (typeof FORMATS)[number];

interface TestOptions {
  readonly format: Format;
  readonly filter?: readonly string[];
  readonly coverage?: true;
  readonly coverageOut?: string;
  readonly minCoverage?: number;
  readonly mutation?: true;
  readonly mutationThreshold?: number;
  readonly mutationBase?: string;
}

export function registerTest(program: Command, host: CommandHost): void {
  program
    .command("test")
    .argument("[dir]", "policy repository", ".")
    .description("Run the test suites in tests/ and check invariants/ on the gateway's own evaluator.")
    .addOption(repeatableOption("--filter <text>", "run tests whose file, suite or name contains the text"))
    .option("--coverage", "count which policies, clauses and definitions the tests reach")
    .option("--coverage-out <file>", "write the coverage as an LCOV tracefile")
    .addOption(percentOption("--min-coverage <n>", "fail below this percentage of clause outcomes"))
    .option("--mutation", "change the policies one step at a time, and see whether a test fails")
    .addOption(
      percentOption("--mutation-threshold <n>", "fail below this percentage of mutants that are killed"),
    )
    .option("--mutation-base <ref>", "change only policies that differ from this commit, bundle or channel")
    .addOption(formatOption(...FORMATS))
    .action(
      host.action(async (dir: string, options: TestOptions) => {
        const { format, filter = [] } = options;
        const result = await compileProject(dir, host.io);
        if (result.bundle === undefined) {
          showDiagnostics(result, host.io);
          host.io.err("not tested: the repository does not compile\n");
          return EXIT.checkFailed;
        }
        const { invariants } = result.model;
        if (
          invariants.length === 0 &&
          result.model.suites.every((suite) => suite.tests.length + suite.visibility.length === 0)
        ) {
          throw new CliError("there are no tests", {
            help: "write tests/access_test.yaml (kind: TestSuite); `aegis init` makes an example",
          });
        }
        const suites = await runSuites(result, { filter, coverage: wantsCoverage(options) });
        const chosen = invariants.filter(({ name, at }) =>
          isChosen(`${at.file} › invariants › ${name}`, filter),
        );
        const checked = await checkInvariants(result, chosen);
        const report = chosen.length === 0 ? suites : { ...suites, invariants: checked };
        if (report.suites.length === 0 && chosen.length === 0) {
          const wanted = filter.map((text) => JSON.stringify(text)).join(" or ");
          throw new CliError(`no test matches ${wanted}`, {
            help: "--filter is looked for in the file, the suite and the name of a test",
          });
        }
        const mutants = await runMutation(result, dir, report.failed, options, host.io);
        const text = render(report, format, host.io.colorOut);
        host.io.out(withMutation(text, mutants, format, host.io.colorOut));
        const isCovered = await concludeCoverage(report.coverage, options, host.io);
        const isTested = reachesThreshold(mutants, options, host.io);
        if (report.failed > 0 || !isCovered || !isTested) return EXIT.testsFailed;
        return violated(checked).length > 0 ? EXIT.gate : EXIT.ok;
      }),
    );
}

function isChosen(title: string, filter: readonly string[]): boolean {
  const text = title.toLowerCase();
  return filter.length === 0 || filter.some((needle) => text.includes(needle.toLowerCase()));
}

function render(report: Parameters<typeof renderTestJson>[0], format: Format, color: boolean): string {
  switch (format) {
    case "text":
      return renderTestText(report, { color });
    case "json":
      return renderTestJson(report);
    case "junit":
      return renderTestJunit(report);
  }
}
