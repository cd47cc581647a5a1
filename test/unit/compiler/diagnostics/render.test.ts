// How diagnostics are shown.
import { describe, expect, test } from "vitest";
import { renderGithub, renderJson, renderSarif, renderText } from "#compiler";
import type { Diagnostic } from "#compiler";

const TEXT = "deny:\n  tools: [sql.qurey] # \u202e\n";
const ERROR: Diagnostic = {
  code: "NAME_UNKNOWN",
  severity: "error",
  file: "policies/p.yaml",
  line: 2,
  column: 11,
  endLine: 2,
  endColumn: 20,
  message: 'no pinned tool is named "sql.qurey"',
  help: 'did you mean "sql.query"?',
};
const WARNING: Diagnostic = {
  code: "SERVER_UNROUTED",
  severity: "warning",
  file: "registry/a,b:c.yaml",
  line: 1,
  column: 1,
  message: "50% unreached\nsecond line",
};

describe("text", () => {
  test("place, frame, help, counts; what could steer a terminal is escaped", () => {
    const sourceOf = (file: string): string | undefined => (file === ERROR.file ? TEXT : undefined);
    expect(renderText([ERROR, WARNING], { color: false, sourceOf })).toBe(
      [
        'policies/p.yaml:2:11: error NAME_UNKNOWN: no pinned tool is named "sql.qurey"',
        "  2 |   tools: [sql.qurey] # \\u{202e}",
        "    |           ^^^^^^^^^",
        '  help: did you mean "sql.query"?',
        "registry/a,b:c.yaml:1:1: warning SERVER_UNROUTED: 50% unreached\\u{000a}second line",
        "1 error, 1 warning",
        "",
      ].join("\n"),
    );
  });

  test.each([
    { name: "at the start", column: 1 },
    { name: "in the middle", column: 200 },
    { name: "at the end", column: 399 },
    { name: "wider than the terminal", column: 10, endColumn: 390 },
  ])("a long line is shown around what is marked: $name", ({ column, endColumn = column + 3 }) => {
    const line = Array.from({ length: 40 }, (_none, index) => `item-${String(index).padStart(3, "0")},`).join(
      " ",
    );
    const text = line.padEnd(401, "x");
    const diagnostic = { ...ERROR, line: 1, endLine: 1, column, endColumn };
    const columns = 60;
    const [, frame = "", marks = ""] = renderText([diagnostic], {
      color: false,
      columns,
      sourceOf: () => text,
    }).split("\n");
    expect(frame.length).toBeLessThanOrEqual(columns);
    expect(marks.length).toBeLessThanOrEqual(columns);
    const from = marks.indexOf("^");
    const marked = frame.slice(from, marks.length).replace(/…$/u, "");
    expect(marked.length).toBeGreaterThan(0);
    expect(text.slice(column - 1, endColumn - 1).startsWith(marked)).toBe(true);
  });

  test("colour only where asked", () => {
    const options = { color: true, sourceOf: () => undefined };
    expect(renderText([ERROR], options)).toContain("\u001b[31merror\u001b[0m");
    expect(renderText([ERROR], { ...options, color: false })).not.toContain("\u001b");
  });
});

test("json is one document with a format version", () => {
  const parsed = JSON.parse(renderJson([ERROR, WARNING])) as unknown;
  expect(parsed).toEqual({ formatVersion: 1, errors: 1, warnings: 1, diagnostics: [ERROR, WARNING] });
});

test("github commands escape properties and data", () => {
  expect(renderGithub([ERROR, WARNING], "repo/")).toBe(
    '::error file=repo/policies/p.yaml,line=2,col=11,endLine=2,endColumn=20,title=NAME_UNKNOWN::no pinned tool is named "sql.qurey"%0Adid you mean "sql.query"?\n' +
      "::warning file=repo/registry/a%2Cb%3Ac.yaml,line=1,col=1,title=SERVER_UNROUTED::50%25 unreached%0Asecond line\n",
  );
});

test("sarif names the rules it uses", () => {
  const log = JSON.parse(renderSarif([ERROR, WARNING], "0.1.0")) as {
    readonly version: string;
    readonly runs: readonly [
      {
        readonly tool: { readonly driver: { readonly rules: readonly { readonly id: string }[] } };
        readonly results: readonly {
          readonly ruleId: string;
          readonly ruleIndex: number;
          readonly level: string;
        }[];
      },
    ];
  };
  const [run] = log.runs;
  expect(log.version).toBe("2.1.0");
  expect(run.tool.driver.rules.map((rule) => rule.id)).toEqual(["NAME_UNKNOWN", "SERVER_UNROUTED"]);
  for (const result of run.results) {
    expect(run.tool.driver.rules[result.ruleIndex]?.id).toBe(result.ruleId);
  }
  expect(run.results.map((result) => result.level)).toEqual(["error", "warning"]);
});
