// Golden vectors: every decided cell of the tests, as many as are replayed.
import { expect, test } from "vitest";
import { compileEdited } from "./plan/edited-sides.ts";
import { compileWith } from "./tenants/escape-lab.ts";

const CALLS = `
  a: { server: jira, tool: jira.search, arguments: { jql: "project = OPS" } }
  b: { server: jira, tool: jira.search, arguments: { jql: "project = FIN" } }
  wrong: { server: jira, tool: jira.search, arguments: {} }`;

async function vectorsOf(
  suite: string,
): Promise<readonly { readonly name: string; readonly action: string }[]> {
  const { bundle } = await compileEdited([{ file: "tests/extra_test.yaml", replace: suite }]);
  return bundle.content.vectors.vectors.filter(({ name }) => name.startsWith("tests/extra_test.yaml"));
}

test("tests of one name keep their cells, and refused arguments are no vectors", async () => {
  const one = (call: string): string =>
    `  - { name: same, matrix: { principals: [employee], calls: [${call}] }, allow: [] }\n`;
  const local = `  - name: same
    as: employee
    call: { server: jira, tool: jira.search, arguments: { jql: "x" } }
    expectRequest: { jql: "x" }
  - name: same
    as: employee
    call: { server: jira, tool: jira.search, arguments: { jql: "y" } }
    expectRequest: { jql: "y" }
`;
  const suite = `calls:${CALLS}\ntests:\n${one("a")}${one("a")}${one("b")}${one("wrong")}${local}`;
  expect((await vectorsOf(suite)).map(({ name }) => name.replace("tests/extra_test.yaml: ", ""))).toEqual([
    "same",
    "same (2)",
    "same: employee a",
    "same: employee b",
  ]);
});

test("of too many cells every definition keeps some, always the same ones", async () => {
  const many = Array.from({ length: 250 }, (_none, index) => `u${index}`);
  const principals = many.map(
    (name) => `  ${name}: { id: ${name}, roles: [], attrs: { is_external: true } }`,
  );
  const suite = `principals:\n${principals.join("\n")}
calls:${CALLS}
  last: { server: sql-prod, tool: sql.query, arguments: { sql: "select 1" } }
tests:
${["one", "two", "three"].map((name) => `  - { name: ${name}, matrix: { principals: [${many.join(", ")}], calls: [a, b, last] }, allow: [] }`).join("\n")}
`;
  const vectors = await vectorsOf(suite);
  const actions = Map.groupBy(vectors, ({ action }) => action);
  // 750 and 1,500 cells, and those of the template: only the larger one is cut.
  expect(actions.get("tools/call:sql-prod/sql.query")?.length).toBe(750);
  expect(actions.get("tools/call:jira/jira.search")?.length).toBeGreaterThan(1_200);
  expect(actions.get("tools/call:jira/jira.search")?.length).toBeLessThan(1_250);
  expect(vectors.length).toBeLessThanOrEqual(2_000);
  expect(await vectorsOf(suite)).toEqual(vectors);
});

test("the tests of one tenant displace none of another", async () => {
  const users = Array.from({ length: 50 }, (_none, index) => `u${index}`);
  const searches = Array.from({ length: 45 }, (_none, index) => `s${index}`);
  const suite = `principals:
${users.map((name) => `  ${name}: { id: ${name} }`).join("\n")}
calls:
${searches.map((name) => `  ${name}: { server: jira, tool: jira.search, arguments: { jql: ${name} } }`).join("\n")}
tests:
  - { name: flood, matrix: { principals: [${users.join(", ")}], calls: [${searches.join(", ")}] }, allow: [] }
`;
  const { content, diagnostics } = await compileWith({ "tenants/acme/tests/flood_test.yaml": suite });
  expect(diagnostics.filter(({ severity }) => severity === "error")).toEqual([]);
  const vectors = content?.vectors.vectors ?? [];
  expect(vectors).toHaveLength(2_000);
  const others = vectors.filter(({ principal }) => principal.tenant !== "acme");
  expect(others.map(({ name }) => name)).toEqual(
    (await compileWith({})).content?.vectors.vectors.map(({ name }) => name),
  );
});
