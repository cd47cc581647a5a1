import { describe, expect, test } from "vitest";
import { compile } from "#compiler";
import { renderTestJson, renderTestJunit, renderTestText, runSuites } from "#policy-test";
import type { SuiteReport } from "#policy-test";
import { editedTemplate } from "../../../e2e/edited-template.ts";

const plain = { color: false };

async function runEdited(file: string, find: string, replace: string): Promise<SuiteReport> {
  const edit = (text: string): string => text.replace(find, () => replace);
  return runSuites(await compile({ dir: "", workspace: editedTemplate({ [file]: edit }) }));
}

function failuresOf(report: SuiteReport): readonly string[] {
  return report.suites.flatMap(({ tests }) =>
    tests.flatMap(({ failures }) =>
      failures.map(({ kind, at, subject, expected, actual, policies }) => {
        const by = policies.map(({ id }) => id).join(", ");
        return `${kind} ${at.file}:${at.line} ${subject}: ${expected} / ${actual} / ${by}`;
      }),
    ),
  );
}

const ACCESS = "tests/access_test.yaml";

test("the suites of the template pass", async () => {
  const report = await runSuites(await compile({ dir: "", workspace: editedTemplate({}) }));
  expect(report).toMatchObject({ passed: 4, failed: 0, skipped: 0, cells: 28 });
  expect(renderTestText(report, plain)).toContain("✓ truth table (12 calls)");
});

interface FailingCase {
  readonly name: string;
  readonly edit: readonly [file: string, find: string, replace: string];
  readonly failures: readonly string[];
}

const FAILING: readonly FailingCase[] = [
  {
    name: "a cell that allow lists is denied",
    edit: ["policies/jira.yaml", "in: [Employee]", "in: [Developer]"],
    failures: [
      `failure ${ACCESS}:13 employee calls jira-search: allow / deny, as no policy permits it / `,
      `failure ${ACCESS}:6 external calls jira-search: deny, as no entry of allow lists it / allow / policies/jira.yaml#/allow/tools/0`,
      `failure tests/redaction_test.yaml:5 employee calls jira.search: allow, as only allowed calls are transformed / deny, as no policy permits it / `,
    ],
  },
  {
    name: "a reason is missing and there is no error",
    edit: [
      ACCESS,
      'wire-transfer: { reasons: ["policies/baseline.yaml#/deny/tools/0"], errors: 0 }',
      'select: { reasons: ["policies/sql-prod.cedar#0"], errors: 1 }',
    ],
    failures: [
      `failure ${ACCESS}:16 developer calls select: 1 evaluation error / 0 evaluation errors: allow / policies/sql-prod.cedar#0`,
      `failure ${ACCESS}:16 employee calls select: policies/sql-prod.cedar#0 among the reasons / deny, as no policy permits it / `,
      `failure ${ACCESS}:16 employee calls select: 1 evaluation error / 0 evaluation errors: deny, as no policy permits it / `,
      `failure ${ACCESS}:16 external calls select: 1 evaluation error / 0 evaluation errors: allow / policies/sql-prod.cedar#0`,
    ],
  },
  {
    name: "arguments that the schema refuses are an error of the test",
    edit: ["tests/testdata/calls.yaml", 'jql: "project = OPS"', "jql: 7"],
    failures: [
      ...["developer", "employee", "external"].map(
        (name) =>
          `error tests/testdata/calls.yaml:6 ${name} calls jira-search: valid arguments (or invalid: true on the call) / deny (ARGUMENTS_INVALID: /jql does not satisfy type) / `,
      ),
      `error tests/testdata/calls.yaml:6 employee calls jira.search: valid arguments (or invalid: true on the call) / deny (ARGUMENTS_INVALID: /jql does not satisfy type) / `,
    ],
  },
  {
    name: "a caller without a required attribute is denied",
    edit: ["tests/testdata/principals.yaml", "attrs: { is_external: true }", "attrs: {}"],
    failures: [
      `failure ${ACCESS}:14 external calls select: allow / deny (PRINCIPAL_ATTRIBUTE_MISSING: is_external) / `,
      `failure ${ACCESS}:16 external calls wire-transfer: policies/baseline.yaml#/deny/tools/0 among the reasons / deny (PRINCIPAL_ATTRIBUTE_MISSING: is_external) / `,
      `failure ${ACCESS}:27 external calls wire-transfer: policies/sql-prod.cedar#1 among the reasons / deny (PRINCIPAL_ATTRIBUTE_MISSING: is_external) / `,
    ],
  },
  {
    name: "a result is not what the transform makes",
    edit: ["tests/redaction_test.yaml", 'email: "[redacted]"', "email: ada@example.com"],
    failures: [
      'failure tests/redaction_test.yaml:5 employee calls jira.search: result $.structuredContent.assignee.email = "ada@example.com" / "[redacted]" / policies/jira.yaml#/allow/tools/0',
    ],
  },
];

describe("failures", () => {
  test.each(FAILING)("$name", async ({ edit, failures }) => {
    const report = await runEdited(...edit);
    expect(failuresOf(report)).toEqual(failures);
    expect(report.failed).toBeGreaterThan(0);
  });

  test("arguments that are meant to be invalid must be", async () => {
    const valid = 'jira-search: { server: jira, tool: jira.search, arguments: { jql: "project = OPS" } }';
    const marked = await runEdited(
      "tests/testdata/calls.yaml",
      valid,
      valid.replace(" }\n", "").replace(/\}$/u, ", invalid: true }"),
    );
    expect(failuresOf(marked)[0]).toContain("the arguments are valid");
    const invalid = valid.replace('"project = OPS"', "7").replace(/\}$/u, ", invalid: true }");
    const refused = await runEdited("tests/testdata/calls.yaml", valid, invalid);
    expect(failuresOf(refused).join("\n")).toContain(
      "developer calls jira-search: allow / deny (ARGUMENTS_INVALID",
    );
  });
});

describe("selection", () => {
  test("a filter looks at file, suite and test; a skipped test is counted and says why", async () => {
    const skipped = await compile({
      dir: "",
      workspace: editedTemplate({
        [ACCESS]: (text) => text.replace("name: truth table", "name: truth table\n    skip: being rewritten"),
      }),
    });
    expect(await runSuites(skipped)).toMatchObject({ passed: 3, failed: 0, skipped: 1, cells: 16 });
    const onlyRedaction = await runSuites(skipped, { filter: ["E-MAIL"] });
    expect(onlyRedaction.suites.map(({ name }) => name)).toEqual(["redaction"]);
    expect((await runSuites(skipped, { filter: ["nothing like it"] })).suites).toEqual([]);
    expect(renderTestText(await runSuites(skipped), plain)).toContain(
      "- truth table (skipped: being rewritten)",
    );
  });

  test("an aborted run rejects", async () => {
    const result = await compile({ dir: "", workspace: editedTemplate({}) });
    await expect(runSuites(result, { signal: AbortSignal.abort(new Error("stopped")) })).rejects.toThrow(
      "stopped",
    );
  });
});

describe("formats", () => {
  test("JSON carries the counts that a release records; equal runs give equal bytes", async () => {
    const report = await runEdited("policies/jira.yaml", "in: [Employee]", "in: [Developer]");
    const text = renderTestJson(report);
    expect(JSON.parse(text)).toMatchObject({ formatVersion: 1, passed: 2, failed: 2, skipped: 0, cells: 28 });
    expect(renderTestJson(await runEdited("policies/jira.yaml", "in: [Employee]", "in: [Developer]"))).toBe(
      text,
    );
  });

  test("JUnit counts tests and escapes what tests are called", async () => {
    const report = await runEdited(ACCESS, "name: truth table", 'name: "a <b> & \\"c\\" \\u0001"');
    expect(renderTestText(report, plain)).toContain('a <b> & "c" \\u0001');
    const text = renderTestJunit(report);
    expect(text).toContain('<testsuites name="aegis test" tests="4" failures="0" errors="0" skipped="0">');
    expect(text).toContain('<testcase name="a &lt;b&gt; &amp; &quot;c&quot; \ufffd" classname="access"');
    const failing = renderTestJunit(
      await runEdited("policies/jira.yaml", "in: [Employee]", "in: [Developer]"),
    );
    expect(failing).toContain('tests="4" failures="2" errors="0" skipped="0"');
    expect(failing).toContain("employee calls jira-search: expected allow");
  });
});
