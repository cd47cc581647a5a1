import { readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { parse } from "yaml";
import { compile } from "#compiler";
import { runSuites } from "#policy-test";
import { editedTemplate } from "../../../e2e/edited-template.ts";

interface SuiteCase {
  readonly name: string;
  /** Whole files; an empty text stands for a suite without a bearing on the case. */
  readonly files: Readonly<Record<string, string>>;
  readonly failures?: readonly string[];
  readonly findings?: readonly string[];
}

const CASES = parse(
  readFileSync(join(import.meta.dirname, "../../../data/policy-test/suites.yaml"), "utf8"),
) as readonly SuiteCase[];

const NO_TESTS =
  "tests:\n  - { name: none, skip: none, matrix: { principals: [employee], calls: [drop] } }\n";

test.each(CASES)("$name", async ({ files, failures = [], findings = [] }) => {
  const edits = Object.entries(files).map(([file, text]) => [file, () => text || NO_TESTS] as const);
  const result = await compile({ dir: "", workspace: editedTemplate(Object.fromEntries(edits)) });
  const found = result.diagnostics
    .filter(({ severity }) => severity === "error")
    .map(({ code, file, line, column, message, help }) => {
      const text = message.replace(/(?<=canonical form: ).*/u, "*");
      return `${file}:${line}:${column} ${code} ${text} [${help ?? ""}]`;
    });
  expect(found).toEqual(findings);
  if (findings.length > 0) return;
  const report = await runSuites(result);
  const failed = report.suites.flatMap(({ tests }) =>
    tests.flatMap((item) =>
      item.failures.map(
        ({ at, subject, expected, actual }) =>
          `${at.file}:${at.line}:${at.column} ${subject}: ${expected} / ${actual}`,
      ),
    ),
  );
  expect(failed).toEqual(failures);
});
