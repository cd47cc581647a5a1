// A test report for people, for machines, and as JUnit XML.
import { showHidden } from "#compiler";
import type { SuiteReport, SuiteResult, TestFailure, TestResult } from "./suite-report.ts";

export const TEST_REPORT_FORMAT_VERSION = 1;

export interface TestTextOptions {
  readonly color: boolean;
}

type Paint = (style: "bold" | "dim" | "green" | "red" | "yellow", text: string) => string;
const STYLE_CODES = { bold: 1, dim: 2, red: 31, green: 32, yellow: 33 } as const;

/** The report as lines of text, ending with a newline. Deterministic; invisible characters are shown as escapes. */
export function renderTestText(report: SuiteReport, options: TestTextOptions): string {
  const paint: Paint = (style, text) =>
    options.color ? `\u001b[${STYLE_CODES[style]}m${text}\u001b[0m` : text;
  const blocks = report.suites.map((suite) => suiteLines(suite, paint).join("\n"));
  return `${[...blocks, summaryLine(report, paint)].join("\n\n")}\n`;
}

function suiteLines(suite: SuiteResult, paint: Paint): readonly string[] {
  const title = suite.name === suite.file ? "" : `  ${paint("dim", showHidden(suite.name))}`;
  return [
    `${paint("bold", showHidden(suite.file))}${title}`,
    ...suite.tests.flatMap((test) => testLines(test, paint)),
  ];
}

function testLines(test: TestResult, paint: Paint): readonly string[] {
  switch (test.status) {
    case "passed":
      return [
        `  ${paint("green", "✓")} ${showHidden(test.name)} ${paint("dim", `(${plural(test.cells, "call")})`)}`,
      ];
    case "skipped":
      return [
        `  ${paint("yellow", "-")} ${showHidden(test.name)} ${paint("dim", `(skipped: ${showHidden(test.skip ?? "")})`)}`,
      ];
    case "failed":
      return [
        `  ${paint("red", "✗")} ${showHidden(test.name)}`,
        ...test.failures.flatMap((failure) => failureLines(failure, paint)),
      ];
  }
}

function failureLines(failure: TestFailure, paint: Paint): readonly string[] {
  const { at, subject, expected, actual, policies } = failure;
  const label = failure.kind === "error" ? "test error: " : "";
  return [
    `    ${showHidden(at.file)}:${at.line}:${at.column}: ${paint("red", label)}${showHidden(subject)}`,
    `      expected: ${showHidden(expected)}`,
    `      decided:  ${showHidden(actual)}`,
    ...policies.map((policy) => `      by:       ${showHidden(policyPlace(policy))}`),
  ];
}

function policyPlace(policy: TestFailure["policies"][number]): string {
  if (policy.file === undefined) return policy.id;
  return `${policy.id} (${policy.file}:${policy.line ?? 1}:${policy.column ?? 1})`;
}

function summaryLine(report: SuiteReport, paint: Paint): string {
  const { passed, failed, skipped, cells } = report;
  const parts = [
    paint(passed > 0 && failed === 0 ? "green" : "bold", `${passed} passed`),
    failed === 0 ? "0 failed" : paint("red", `${failed} failed`),
    ...(skipped === 0 ? [] : [paint("yellow", `${skipped} skipped`)]),
  ];
  return `${plural(passed + failed + skipped, "test")}: ${parts.join(", ")} (${plural(cells, "call")} decided)`;
}

function plural(amount: number, noun: string): string {
  return `${amount} ${noun}${amount === 1 ? "" : "s"}`;
}

/** One JSON document: `{formatVersion, digest, passed, failed, skipped, cells, suites}`. Deterministic. */
export function renderTestJson(report: SuiteReport): string {
  const { digest, passed, failed, skipped, cells, suites } = report;
  const document = {
    formatVersion: TEST_REPORT_FORMAT_VERSION,
    digest,
    passed,
    failed,
    skipped,
    cells,
    suites,
  };
  return `${JSON.stringify(document, null, 2)}\n`;
}

/** JUnit XML: a `testsuite` for each suite, a `testcase` for each test. */
export function renderTestJunit(report: SuiteReport): string {
  const total = report.passed + report.failed + report.skipped;
  const lines = [
    `<?xml version="1.0" encoding="UTF-8"?>`,
    `<testsuites name="aegis test" ${counts(report.suites.flatMap((suite) => suite.tests))}>`,
    ...report.suites.flatMap(junitSuite),
    `</testsuites>`,
  ];
  return total === 0 ? `${lines[0]}\n<testsuites name="aegis test" tests="0"/>\n` : `${lines.join("\n")}\n`;
}

function junitSuite(suite: SuiteResult): readonly string[] {
  return [
    `  <testsuite name=${attribute(suite.name)} file=${attribute(suite.file)} ${counts(suite.tests)}>`,
    ...suite.tests.flatMap((test) => junitCase(suite, test)),
    `  </testsuite>`,
  ];
}

function isFaulty(test: TestResult): boolean {
  return test.failures.some(({ kind }) => kind === "error");
}

function counts(tests: readonly TestResult[]): string {
  const failed = tests.filter((test) => test.status === "failed");
  const errors = failed.filter(isFaulty).length;
  const skipped = tests.filter((test) => test.status === "skipped").length;
  return `tests="${tests.length}" failures="${failed.length - errors}" errors="${errors}" skipped="${skipped}"`;
}

function junitCase(suite: SuiteResult, test: TestResult): readonly string[] {
  const open = `    <testcase name=${attribute(test.name)} classname=${attribute(suite.name)} file=${attribute(test.at.file)} line="${test.at.line}"`;
  if (test.status === "passed") return [`${open}/>`];
  if (test.status === "skipped") {
    return [`${open}>`, `      <skipped message=${attribute(test.skip ?? "")}/>`, `    </testcase>`];
  }
  const [first] = test.failures;
  const element = isFaulty(test) ? "error" : "failure";
  const message = first === undefined ? "" : `${first.subject}: expected ${first.expected}`;
  const noPaint: Paint = (_style, text) => text;
  const text = test.failures.flatMap((failure) => failureLines(failure, noPaint)).join("\n");
  return [
    `${open}>`,
    `      <${element} message=${attribute(message)}>${escapeXml(text)}</${element}>`,
    `    </testcase>`,
  ];
}

function attribute(text: string): string {
  return `"${escapeXml(text).replaceAll("\n", "&#10;")}"`;
}

const XML_ESCAPES: Readonly<Record<string, string>> = {
  "<": "&lt;",
  ">": "&gt;",
  "&": "&amp;",
  '"': "&quot;",
  "'": "&apos;",
};

// XML 1.0 has no form for most control characters, escaped or not.
function escapeXml(text: string): string {
  return text
    .toWellFormed()
    .replace(/(?![\t\n\r])[\p{Cc}\ufffe\uffff]/gu, "\ufffd")
    .replace(/[<>&"']/gu, (character) => XML_ESCAPES[character] ?? character);
}
