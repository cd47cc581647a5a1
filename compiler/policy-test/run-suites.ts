// Runs the suites of a repository on the gateway's own evaluator.
import type { CompileResult, TestSuite } from "#compiler";
import { createEvaluator } from "#pdp";
import { CoverageRecorder } from "./coverage/coverage-recorder.ts";
import { runTest } from "./run-test.ts";
import { runVisibility } from "./run-visibility.ts";
import type { SuiteReport, SuiteResult } from "./suite-report.ts";

export interface RunSuitesOptions {
  /** Runs the tests whose "file › suite › test" contains one of these, whatever the case. Absent or empty = all. */
  readonly filter?: readonly string[];
  /** Counts what of the policies the tests reach: `SuiteReport.coverage`. */
  readonly coverage?: boolean;
  readonly signal?: AbortSignal;
}

/** Suites with only the tests that the filter selects; suites without any are left out. */
function selected(suites: readonly TestSuite[], filter: readonly string[]): readonly TestSuite[] {
  const needles = filter.map((text) => text.toLowerCase());
  return suites.flatMap((suite) => {
    const isSelected = (test: { readonly name: string }): boolean => {
      const title = `${suite.file} › ${suite.name} › ${test.name}`.toLowerCase();
      return needles.length === 0 || needles.some((needle) => title.includes(needle));
    };
    const tests = suite.tests.filter(isSelected);
    const visibility = suite.visibility.filter(isSelected);
    return tests.length + visibility.length === 0 ? [] : [{ ...suite, tests, visibility }];
  });
}

type RunInput = Pick<CompileResult, "bundle" | "model">;

/** Runs the tests of a repository that compiles. Throws Error where it does not, and the reason of `signal`. */
export async function runSuites(result: RunInput, options: RunSuitesOptions = {}): Promise<SuiteReport> {
  const { bundle } = result;
  if (bundle === undefined) throw new Error("the repository does not compile");
  const { signal } = options;
  const evaluator = await createEvaluator(bundle.content, signal === undefined ? {} : { signal });
  try {
    const recorder =
      options.coverage === true ? new CoverageRecorder(result.model, bundle.content) : undefined;
    const bench = { content: bundle.content, evaluator, signal, coverage: recorder };
    const suites: SuiteResult[] = [];
    for (const suite of selected(result.model.suites, options.filter ?? [])) {
      const tests = [];
      for (const test of suite.tests) tests.push(await runTest(bench, test));
      for (const test of suite.visibility) tests.push(runVisibility(bench, test));
      tests.sort((a, b) => a.at.line - b.at.line);
      suites.push({ file: suite.file, name: suite.name, tests });
    }
    const report = summary(bundle.digest, suites);
    return recorder === undefined ? report : { ...report, coverage: await recorder.report() };
  } finally {
    evaluator.dispose();
  }
}

function summary(digest: string, suites: readonly SuiteResult[]): SuiteReport {
  const tests = suites.flatMap((suite) => suite.tests);
  const having = (status: string): number => tests.filter((test) => test.status === status).length;
  return {
    digest,
    suites,
    passed: having("passed"),
    failed: having("failed"),
    skipped: having("skipped"),
    cells: tests.reduce((sum, test) => sum + test.cells, 0),
  };
}
