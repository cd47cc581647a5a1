// Random layers of a hostile tenant: whatever compiles leaves every other tenant's part of the bundle as it was.
import fc from "fast-check";
import { expect, test } from "vitest";
import { ATTACKERS, allowed, compileWith, seenByOthers } from "./escape-lab.ts";
import type { Files } from "./escape-lab.ts";

const RUNS = 40;
const SEED = 20_270_301;

/** Mostly what compiles, so that most layers are compared and not merely refused. */
const mostly = <T>(usual: readonly T[], hostile: readonly T[]): fc.Arbitrary<T> =>
  fc.oneof(
    { weight: 15, arbitrary: fc.constantFrom(...usual) },
    { weight: 1, arbitrary: fc.constantFrom(...hostile) },
  );
const name = mostly(["Developer", "Employee", "Auditor"], ["globex/Clerk", "default/x", "../globex", "ACME"]);
const principal = fc.oneof(
  fc.constant("principal"),
  fc.constant('principal in Tenant::"acme"'),
  fc.tuple(fc.constantFrom("Role", "Group"), name).map(([type, id]) => `principal in ${type}::"${id}"`),
  name.map((id) => `principal == User::"${id}"`),
);
const resource = fc.constantFrom("resource", 'resource == Server::"jira"', 'resource == Server::"sql-prod"');
const action = fc.constantFrom(
  "action",
  'action == Action::"tools/call"',
  'action == Action::"resources/read"',
);
const clause = fc.constantFrom(
  "",
  'when { context.target == "jira.reindex" }',
  'when { context.target == "sql.query" && context.arguments.sql.matches("^(?i)select") }',
  'unless { context.target like "jira*" }',
  'when { context.server == "jira" || context.primitive == "resource" }',
  'when { context has sourceIp && context.sourceIp.isInRange(ip("10.0.0.0/8")) }',
  "when { principal has region }",
  "when { principal has is_external && principal.is_external }",
);
const cedar = fc
  .tuple(
    fc.constantFrom("", '@mode("shadow") '),
    fc.constantFrom("permit", "forbid"),
    principal,
    action,
    resource,
    clause,
  )
  .map(([mode, effect, who, what, where, when]) => `${mode}${effect} (${who}, ${what}, ${where}) ${when};`);
const tools = mostly(
  [["sql.query"], ["jira.search", "jira.reindex"], ["jira.search"], ["sql.query", "jira.reindex"]],
  [["finance.wire_transfer"]],
);
const yaml = fc
  .record({
    mode: fc.constantFrom("enforce", "shadow"),
    principals: fc.option(
      fc.oneof(
        fc.constant("any"),
        name.map((role) => `{ in: ["${role}"] }`),
      ),
    ),
    verb: fc.constantFrom("allow", "deny"),
    tools,
    redact: fc.option(mostly(["$.response.summary", "$.response.assignee"], ["$.request.jql"])),
    pattern: fc.option(fc.constantFrom("jira/jira://**", "jira/jira://projects/*")),
  })
  .map(({ mode, principals, verb, tools: named, redact, pattern }) =>
    [
      `policy: { mode: ${mode} }`,
      ...(principals === null ? [] : [`scope: { principals: ${principals} }`]),
      `${verb}: { tools: ${JSON.stringify(named)}${pattern === null ? "" : `, resources: ["${pattern}"]`} }`,
      ...(redact === null ? [] : [`transforms: { jira.search: { redact: ["${redact}"] } }`]),
    ].join("\n"),
  );
const limits = fc
  .tuple(fc.constantFrom("sql", "per-principal", "own"), fc.constantFrom("tenant", "server", "principal"))
  .map(([id, per]) => `limits:\n  - { id: ${id}, per: [${per}], limit: 1, window: 1h }\n`);
const identity = mostly(
  ["https://acme.example/", "https://login.globex.example"],
  ["https://login.globex.example/", "https://login.example.com/"],
).map(
  (issuer) =>
    `issuers:\n  - { issuer: "${issuer}", jwksUrl: "https://acme.example/keys", attributes: { region: { type: Long } } }\n`,
);
const layer: fc.Arbitrary<Files> = fc
  .record(
    {
      "tenants/acme/policies/a.cedar": fc
        .array(cedar, { minLength: 1, maxLength: 4 })
        .map((items) => items.join("\n")),
      "tenants/acme/policies/b.yaml": yaml,
      "tenants/acme/policies/globex/c.yaml": yaml,
      "tenants/acme/limits.yaml": limits,
      "tenants/acme/identity.yaml": identity,
    },
    { requiredKeys: [] },
  )
  .map((files) => files as Files);

test("a random layer changes nothing for anyone else", { timeout: 240_000 }, async () => {
  const { content: base } = await compileWith({});
  if (base === undefined) throw new Error("the base does not compile");
  const expected = JSON.stringify(seenByOthers(base));
  let compiled = 0;
  await fc.assert(
    fc.asyncProperty(layer, async (files) => {
      const { content, diagnostics } = await compileWith(files);
      if (content === undefined) {
        expect(diagnostics.some(({ severity }) => severity === "error")).toBe(true);
        return;
      }
      compiled += 1;
      expect(JSON.stringify(seenByOthers(content))).toBe(expected);
      const gained = await allowed(content, ATTACKERS);
      expect(gained.filter((line) => /(?: drop| wire| reindex)$/u.test(line))).toEqual([]);
    }),
    { numRuns: RUNS, seed: SEED },
  );
  expect(compiled).toBeGreaterThan(RUNS / 4);
});
