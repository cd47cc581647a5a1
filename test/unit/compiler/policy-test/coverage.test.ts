import { readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { parse } from "yaml";
import { compile } from "#compiler";
import { missingOf, renderCoverageText, renderLcov, runSuites } from "#policy-test";
import type { CoverageReport, Share } from "#policy-test";
import { editedTemplate } from "../../../e2e/edited-template.ts";

interface CoverageCase {
  readonly name: string;
  readonly files: Readonly<Record<string, string>>;
  readonly of?: string;
  readonly outcomes: string;
  readonly definitions: string;
  readonly transforms: string;
  readonly missing: readonly string[];
}

const CASES = parse(
  readFileSync(join(import.meta.dirname, "../../../data/policy-test/coverage.yaml"), "utf8"),
) as readonly CoverageCase[];

async function coverageOf(files: Readonly<Record<string, string>>): Promise<CoverageReport> {
  const edits = Object.entries(files).map(([file, text]) => [file, () => text] as const);
  const result = await compile({ dir: "", workspace: editedTemplate(Object.fromEntries(edits)) });
  const errors = result.diagnostics.filter(({ severity }) => severity === "error");
  expect(errors).toEqual([]);
  const { coverage } = await runSuites(result, { coverage: true });
  if (coverage === undefined) throw new Error("no coverage was counted");
  return coverage;
}

function ratio({ covered, total }: Share): string {
  return `${covered}/${total}`;
}

test.each(CASES)("$name", async ({ files, of = "", missing, ...shares }) => {
  const coverage = await coverageOf(files);
  const found = missingOf(coverage).map(({ at, text, missing: what }) =>
    at === undefined ? `${text} ${what}` : `${at.file}:${at.line}:${at.column} ${what}: ${text}`,
  );
  expect(found.filter((line) => line.startsWith(of))).toEqual(missing);
  expect({
    outcomes: ratio(coverage.outcomes),
    definitions: ratio(coverage.leafSides),
    transforms: ratio(coverage.transformLines),
  }).toEqual({ outcomes: shares.outcomes, definitions: shares.definitions, transforms: shares.transforms });
});

const PARTIAL = {
  "tests/access_test.yaml":
    "tests:\n  - { name: search, matrix: { principals: [external], calls: [jira-search, select] }, allow: [[external, select]] }\n",
};

test("the tracefile has a function for each policy, a branch for each side, a line for each clause", async () => {
  const lcov = renderLcov(await coverageOf(PARTIAL));
  const record = lcov.split("end_of_record\n").find((text) => text.includes("SF:policies/sql-prod.cedar\n"));
  expect(record?.split("\n")).toEqual([
    "TN:aegis",
    "SF:policies/sql-prod.cedar",
    ...["FN:2,policies/sql-prod.cedar#0", "FN:15,policies/sql-prod.cedar#1"],
    ...["FNDA:1,policies/sql-prod.cedar#0", "FNDA:0,policies/sql-prod.cedar#1", "FNF:2", "FNH:1"],
    ...["BRDA:3,0,0,1", "BRDA:3,0,1,0", "BRDA:11,0,0,1", "BRDA:11,0,1,0", "BRDA:20,0,0,-", "BRDA:20,0,1,-"],
    ...["BRF:6", "BRH:2"],
    ...["DA:2,1", "DA:3,1", "DA:11,1", "DA:15,0", "DA:20,0", "LF:5", "LH:3", ""],
  ]);
});

test("the table fits a terminal of 80 columns and says what is missing where", async () => {
  const text = renderCoverageText(await coverageOf(PARTIAL), { color: false });
  expect(text.split("\n").filter((line) => line.length > 80)).toEqual([]);
  expect(text).toContain(
    [
      "Coverage                    policies    clauses",
      "  policies/baseline.yaml         0/3        1/4     25 %",
      "  policies/jira.yaml             1/1        2/2    100 %",
      "  policies/sql-prod.cedar        1/2        2/6   33.3 %",
      "  all policies                   2/6       5/12   41.6 %",
    ].join("\n"),
  );
  expect(text).toContain('policies/sql-prod.cedar:3:3 never false\n      principal in Role::"Developer"\n');
});
