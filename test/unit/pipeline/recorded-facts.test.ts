// What a decision record keeps of the facts: by mode, by what the policies read, within its bounds.
import { afterAll, beforeAll, expect, test } from "vitest";
import type { BundleContent, PrincipalFacts } from "#bundle";
import { UNKNOWN_REQUEST, createEvaluator } from "#pdp";
import type { DecisionQuery, Evaluator } from "#pdp";
import type { JsonObject } from "#std";
import { createFactsRecorder } from "../../../runtime/pipeline/recorded-facts.ts";
import { ONE_TOOL, compileTool } from "../compiler/one-tool.ts";

const ACTION = `tools/call:one/${ONE_TOOL}`;
const TOOL = {
  properties: {
    sql: { type: "string" },
    note: { type: "string" },
    limit: { type: "integer" },
    rate: { type: "number" },
    dry: { type: "boolean" },
    tags: { type: "array", items: { type: "string" } },
    unread: { type: "string" },
    place: { type: "object", properties: { city: { type: "string" }, floor: { type: "integer" } } },
  },
  sql: "sql",
};
const POLICY = `
permit (principal in Role::"Developer", action == Action::"tools/call", resource == Server::"one")
when {
  context.arguments has limit && context.arguments.limit < 10 &&
  context.arguments has dry && context.arguments.dry &&
  context.arguments has tags && context.arguments.tags.contains("a") &&
  context.arguments has place && context.arguments.place has floor && context.arguments.place.floor > 1 &&
  context.arguments.place has city && context.arguments.place.city == "Bern" &&
  context.arguments has note && context.arguments.note.matches("^ok") &&
  principal has email && principal.email like "*@corp.example" && context.auth.mfa
};
`;
const CALLER: PrincipalFacts = {
  type: "User",
  id: "dana",
  tenant: "default",
  roles: ["Developer"],
  groups: ["staff"],
  attributes: { is_external: false, email: "dana@corp.example" },
};

let content: BundleContent;
let evaluator: Evaluator;

beforeAll(async () => {
  const constraints = `metadata: { name: c }\nscope: { servers: [one] }\nconstraints:\n  ${ONE_TOOL}:\n    operations: [SELECT]\n`;
  const result = await compileTool(TOOL, { "policies/one.cedar": POLICY, "policies/c.yaml": constraints });
  if (result.content === undefined) throw new Error(JSON.stringify(result.diagnostics));
  content = result.content;
  evaluator = await createEvaluator(content);
});

afterAll(() => evaluator.dispose());

async function queryOf(args: JsonObject, principal = CALLER): Promise<DecisionQuery> {
  const prepared = await evaluator.prepare({
    ...{ tenant: "default", action: ACTION, arguments: args, principal, request: UNKNOWN_REQUEST },
    signal: AbortSignal.timeout(5_000),
  });
  if (!prepared.ok) throw new Error(prepared.detail);
  return prepared.query;
}

async function recorded(
  mode: "none" | "without-text" | "all",
  args: JsonObject,
  principal = CALLER,
): Promise<JsonObject | undefined> {
  const asked = { ...content, retention: { tenants: {}, facts: { default: mode, tenants: {} } } };
  return createFactsRecorder(asked)?.factsOf(await queryOf(args, principal), "d1");
}

const ARGS = {
  ...{ sql: "select 1 from secret", note: "ok then", limit: 3, dry: true, tags: ["a"], unread: "u" },
  place: { city: "Bern", floor: 2 },
};

test("without-text: numbers, Booleans and derived facts, no word of the arguments", async () => {
  const facts = await recorded("without-text", ARGS);
  const text = JSON.stringify(facts);
  for (const word of ["secret", "ok then", "Bern", '"a"', '"u"']) expect(text).not.toContain(word);
  expect(facts).toMatchObject({
    mode: "without-text",
    definition: "d1",
    principal: {
      type: "User",
      tenant: "default",
      attributes: { email: "dana@corp.example" },
      otherAttributes: ["is_external"],
    },
    context: { arguments: { limit: 3, dry: true, place: { floor: 2 } }, auth: { mfa: false } },
  });
  expect(facts?.["withheld"]).toEqual(
    expect.arrayContaining(["arguments.note", "arguments.place.city", "arguments.tags"]),
  );
  const sql = Object.values((facts?.["context"] as { readonly _d: JsonObject })._d)[0];
  expect(sql).toMatchObject({ ok: true, operations: ["SELECT"] });
  expect(sql).not.toHaveProperty("tables");
  expect(Object.values((facts?.["context"] as { readonly _m: JsonObject })._m)).toEqual([true]);
});

test("all: the texts too, and nothing that no policy reads", async () => {
  const facts = await recorded("all", ARGS);
  expect(facts).toMatchObject({
    context: { arguments: { note: "ok then", tags: ["a"], place: { city: "Bern" } } },
    withheld: [],
  });
  expect(JSON.stringify(facts)).not.toContain("unread");
  expect(facts?.["principal"]).not.toHaveProperty("groups");
});

test("what a policy reads and the call lacks is named as absent", async () => {
  const facts = await recorded("without-text", { sql: "select 1" }, { ...CALLER, attributes: {} });
  expect(facts?.["absent"]).toEqual(
    expect.arrayContaining(["arguments.limit", "arguments.place", "principal.email"]),
  );
});

test("texts beyond the bound are withheld, and the record stays below it", async () => {
  const facts = await recorded("all", { ...ARGS, tags: ["x".repeat(20_000)] });
  expect(facts?.["withheld"]).toEqual(["arguments.tags"]);
  expect(facts).toMatchObject({ context: { arguments: { note: "ok then" } } });
  const many = await recorded("all", { ...ARGS, note: `ok${"é".repeat(5_000)}`, tags: ["y".repeat(9_000)] });
  expect(Buffer.byteLength(JSON.stringify(many))).toBeLessThan(18 * 1024);
  expect(many?.["withheld"]).toHaveLength(1);
});

test("none: nothing is made at all", async () => {
  expect(createFactsRecorder(content)).toBeUndefined();
  expect(await recorded("none", ARGS)).toBeUndefined();
});

test("by tenant", async () => {
  const facts = { default: "none", tenants: { default: "all" } } as const;
  const recorder = createFactsRecorder({ ...content, retention: { tenants: {}, facts } });
  const query = await queryOf(ARGS);
  expect(recorder?.factsOf(query, undefined)).toMatchObject({ mode: "all" });
  expect(recorder?.factsOf({ ...query, tenant: "acme" }, undefined)).toBeUndefined();
});
