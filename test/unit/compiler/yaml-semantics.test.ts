// What YAML documents mean (allow, deny, constraints), decided by the evaluator the gateway uses.
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { compile, memoryWorkspace } from "#compiler";
import { baseFiles } from "./case-project.ts";

interface SemanticsCase {
  readonly about: string;
  readonly policies: Readonly<Record<string, string>>;
  /** Cells of developer, employee × select, drop, search, reindex that are allowed. */
  readonly allowed: readonly string[];
}

const CASES = JSON.parse(
  readFileSync(join(import.meta.dirname, "../../data/compile-semantics.json"), "utf8"),
) as readonly SemanticsCase[];

const SUITE = `
principals:
  developer: { id: dana, roles: [Developer], attrs: { is_external: false } }
  employee: { id: erin, roles: [Employee], attrs: { is_external: false } }
calls:
  select: { server: sql-prod, tool: sql.query, arguments: { sql: "select 1" } }
  drop: { server: sql-prod, tool: sql.query, arguments: { sql: "select 1; drop table customers" } }
  search: { server: jira, tool: jira.search, arguments: { jql: "x" } }
  reindex: { server: jira, tool: jira.reindex, arguments: { project: OPS } }
  project: { server: jira, resource: "jira://projects/OPS" }
  summarise: { server: jira, prompt: jira.summarise, arguments: { key: OPS-17 } }
tests:
  - name: t
    matrix: { principals: [developer, employee], calls: [select, drop, search, reindex, project, summarise] }
`;

async function allowedCells(policies: Readonly<Record<string, string>>): Promise<readonly string[]> {
  const files = baseFiles();
  files.set("tests/base_test.yaml", SUITE);
  for (const [name, text] of Object.entries(policies)) files.set(`policies/${name}`, text);
  const { content, diagnostics } = await compile({ dir: "memory", workspace: memoryWorkspace(files) });
  expect(diagnostics.filter((item) => item.severity === "error")).toEqual([]);
  return (content?.vectors.vectors ?? [])
    .filter((vector) => vector.expect.effect === "allow")
    .map((vector) => vector.name.replace("tests/base_test.yaml: t: ", ""))
    .sort();
}

describe("documents", () => {
  test.each(CASES.map((item) => [item.about, item] as const))("%s", async (_about, item) => {
    expect(await allowedCells(item.policies)).toEqual([...item.allowed].sort());
  });
});
