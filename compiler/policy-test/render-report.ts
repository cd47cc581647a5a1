// A test report for people, for machines, and as JUnit XML.
import { showHidden } from "#compiler";
import type { InvariantResult } from "#compiler";
import { invariantLines, violated, violationLines } from "../invariants/render-invariants.ts";
import { percentOf } from "./coverage/coverage-report.ts";
import type { CoverageReport, Share } from "./coverage/coverage-report.ts";
import { missingOf } from "./coverage/missing.ts";
import { renderCoverageText } from "./coverage/render-coverage.ts";
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
  const { invariants = [] } = report;
  if (invariants.length > 0) {
    blocks.push([paint("bold", "Invariants"), ...invariantLines(invariants, paint)].join("\n"));
  }
  if (report.coverage !== undefined) blocks.push(renderCoverageText(report.coverage, options).trimEnd());
  return `${[...blocks, ...summaryLines(report, paint)].join("\n\n")}\n`;
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

function summaryLines(report: SuiteReport, paint: Paint): readonly string[] {
  const { invariants = [] } = report;
  const tests = summaryLine(report, paint);
  if (invariants.length === 0) return [tests];
  const failed = violated(invariants).length;
  const held = `${plural(invariants.length, "invariant")}: ${failed === 0 ? "0 violated" : paint("red", `${failed} violated`)}`;
  return [`${tests}\n${held}`];
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
    ...(report.invariants === undefined ? {} : { invariants: report.invariants }),
    ...(report.coverage === undefined ? {} : { coverage: coverageJson(report.coverage) }),
  };
  return `${JSON.stringify(document, null, 2)}\n`;
}

/** The shares with their percentage, and what is missing beside what was counted. */
function coverageJson(coverage: CoverageReport): object {
  const { outcomes, policies, leafSides, transformLines, files, byPolicy, byLeaf, byTransform } = coverage;
  const withPercent = (share: Share): object => ({ ...share, percent: percentOf(share) });
  return {
    outcomes: withPercent(outcomes),
    policies: withPercent(policies),
    leafSides: withPercent(leafSides),
    transformLines: withPercent(transformLines),
    files: files.map((file) => ({
      file: file.file,
      policies: withPercent(file.policies),
      outcomes: withPercent(file.outcomes),
    })),
    ...{ missing: missingOf(coverage), byPolicy, byLeaf, byTransform },
  };
}

/** JUnit XML: a `testsuite` for each suite, a `testcase` for each test. */
export function renderTestJunit(report: SuiteReport): string {
  const { invariants = [] } = report;
  const total = report.passed + report.failed + report.skipped + invariants.length;
  const lines = [
    `<?xml version="1.0" encoding="UTF-8"?>`,
    `<testsuites name="aegis test" ${counts(
      report.suites.flatMap((suite) => suite.tests),
      invariants,
    )}>`,
    ...junitCoverage(report.coverage),
    ...report.suites.flatMap(junitSuite),
    ...junitInvariants(invariants),
    `</testsuites>`,
  ];
  return total === 0 ? `${lines[0]}\n<testsuites name="aegis test" tests="0"/>\n` : `${lines.join("\n")}\n`;
}

/** JUnit has no coverage: readers that show properties show the percentages. */
function junitCoverage(coverage: CoverageReport | undefined): readonly string[] {
  if (coverage === undefined) return [];
  const { outcomes, policies, leafSides, transformLines } = coverage;
  const property = (name: string, share: Share): string =>
    `    <property name="coverage.${name}" value="${percentOf(share)}"/>`;
  return [
    "  <properties>",
    property("clauses", outcomes),
    property("policies", policies),
    property("definitions", leafSides),
    property("transforms", transformLines),
    "  </properties>",
  ];
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

/** One more suite, where there are invariants. One that was not checked is skipped. */
function junitInvariants(invariants: readonly InvariantResult[]): readonly string[] {
  if (invariants.length === 0) return [];
  return [
    `  <testsuite name="invariants" ${counts([], invariants)}>`,
    ...invariants.flatMap((invariant) => {
      const { name, at, status } = invariant;
      const open = `    <testcase name=${attribute(name)} classname="invariants" file=${attribute(at.file)} line="${at.line}"`;
      if (status === "unsearched") return [`${open}>`, `      <skipped/>`, `    </testcase>`];
      if (status !== "violated") return [`${open}/>`];
      const text = escapeXml(violationLines(invariant).join("\n"));
      const message = attribute(`${invariant.violations} calls are not ${invariant.expect}`);
      return [`${open}>`, `      <failure message=${message}>${text}</failure>`, `    </testcase>`];
    }),
    `  </testsuite>`,
  ];
}

function counts(tests: readonly TestResult[], invariants: readonly InvariantResult[] = []): string {
  const failed = tests.filter((test) => test.status === "failed");
  const errors = failed.filter(isFaulty).length;
  const skipped = tests.filter((test) => test.status === "skipped").length;
  const unchecked = invariants.filter(({ status }) => status === "unsearched").length;
  const failures = failed.length - errors + violated(invariants).length;
  return `tests="${tests.length + invariants.length}" failures="${failures}" errors="${errors}" skipped="${skipped + unchecked}"`;
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
