// aegis test: the repository's own suites, decided as the gateway decides.
import type { Command } from "commander";
import { renderTestJson, renderTestJunit, renderTestText, runSuites } from "#policy-test";
import { CliError } from "../output/cli-error.ts";
import { EXIT } from "../output/exit-codes.ts";
import { formatOption, repeatableOption } from "../output/options.ts";
import { compileProject, showDiagnostics } from "../output/project.ts";
import type { CommandHost } from "../program.ts";

const FORMATS = ["text", "json", "junit"] as const;
type Format = (typeof FORMATS)[number];

interface TestOptions {
  readonly format: Format;
  readonly filter?: readonly string[];
}

export function registerTest(program: Command, host: CommandHost): void {
  program
    .command("test")
    .argument("[dir]", "policy repository", ".")
    .description("Run the test suites in tests/ on the gateway's own evaluator.")
    .addOption(repeatableOption("--filter <text>", "run tests whose file, suite or name contains the text"))
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
        if (result.model.suites.every((suite) => suite.tests.length === 0)) {
          throw new CliError("there are no tests", {
            help: "write tests/access_test.yaml (kind: TestSuite); `aegis init` makes an example",
          });
        }
        const report = await runSuites(result, { filter });
        if (report.suites.length === 0) {
          const wanted = filter.map((text) => JSON.stringify(text)).join(" or ");
          throw new CliError(`no test matches ${wanted}`, {
            help: "--filter is looked for in the file, the suite and the name of a test",
          });
        }
        host.io.out(render(report, format, host.io.colorOut));
        return report.failed > 0 ? EXIT.testsFailed : EXIT.ok;
      }),
    );
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
