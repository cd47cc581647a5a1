// Deciding with a slice equals deciding with the whole, unspecialised policy set; visibility hides nothing callable.
import { createRequire } from "node:module";
import type * as CedarModule from "@cedar-policy/cedar-wasm/nodejs";
import type { Context, EntityJson, PolicyJson, PolicySet, Schema } from "@cedar-policy/cedar-wasm/nodejs";
import fc from "fast-check";
import { RE2JS } from "re2js";
import { describe, expect, test } from "vitest";
import type { Derivation, LeafEntry, PolicySection, SchemaProgram, ServerEntry, SlicePolicy } from "#bundle";
import { REQUEST_MEMBERS } from "#pdp";
import { validateAndProject } from "#schema";
import type { JsonObject } from "#std";
import { compileCedar } from "../../../../compiler/cedar/index.ts";
import { MODEL, SERVERS } from "./model.ts";
import { PATTERNS, policy } from "./random-policies.ts";
import type { Pattern, Written } from "./random-policies.ts";

const cedar = createRequire(import.meta.url)("@cedar-policy/cedar-wasm/nodejs") as typeof CedarModule;

interface RandomRequest {
  readonly leaf: number;
  readonly user: string;
  readonly roles: readonly string[];
  readonly attributes: Readonly<Record<string, string | number | boolean | readonly string[]>>;
  readonly sql: string;
  readonly limit: number | undefined;
  readonly extra: readonly string[];
}

const LEAVES: readonly { readonly server: ServerEntry; readonly leaf: LeafEntry }[] = SERVERS.flatMap(
  (server) => server.leaves.map((leaf) => ({ server, leaf })),
);

const request: fc.Arbitrary<RandomRequest> = fc.record({
  leaf: fc.oneof(fc.constant(0), fc.nat(LEAVES.length - 1)),
  user: fc.constantFrom("alice", "bob"),
  roles: fc.subarray(["Developer", "Employee"]),
  attributes: fc
    .record({
      is_external: fc.boolean(),
      email: fc.constantFrom("a@example.org", "b@example.com"),
      teams: fc.subarray(["core", "data", "web"]),
      department: fc.option(fc.constantFrom("it", "hr"), { nil: undefined }),
      level: fc.option(fc.integer({ min: -1, max: 5 }), { nil: undefined }),
    })
    .map((facts) => JSON.parse(JSON.stringify(facts)) as RandomRequest["attributes"]),
  sql: fc.constantFrom("select 1", " SELECT 2", "drop table t", ""),
  limit: fc.option(fc.integer({ min: 0, max: 20 }), { nil: undefined }),
  extra: fc.subarray(["zz", "yy"]),
});

function argumentsOf(leaf: LeafEntry, asked: RandomRequest): JsonObject {
  const extra = Object.fromEntries(asked.extra.map((name) => [name, 1]));
  return { ...namedArguments(leaf, asked), ...extra };
}

function namedArguments(leaf: LeafEntry, asked: RandomRequest): JsonObject {
  switch (leaf.name) {
    case "sql.query":
      return { sql: asked.sql, ...(asked.limit === undefined ? {} : { limit: asked.limit }) };
    case "jira.search":
      return { jql: asked.sql === "" ? "a" : asked.sql, archived: asked.roles.length === 1 };
    case "finance.wire_transfer":
      return { amount: 12.5, to: "x" };
    case "jira://issue/{id}":
      return { id: "1" };
    default:
      return {};
  }
}

/** The arguments as a leaf's program shows them to policies. */
function projected(program: SchemaProgram, value: JsonObject): Pick<Context, "arguments" | "extra"> {
  const outcome = validateAndProject(program, value);
  if (!outcome.ok) throw new Error(outcome.message);
  return { arguments: outcome.projected as Context, extra: [...outcome.extra] };
}

interface Facts {
  readonly server: ServerEntry;
  readonly leaf: LeafEntry;
  readonly context: Context;
  readonly entities: EntityJson[];
  readonly asked: RandomRequest;
}

function factsOf(asked: RandomRequest): Facts {
  const { server, leaf } = LEAVES[asked.leaf] ?? (LEAVES[0] as { server: ServerEntry; leaf: LeafEntry });
  const method = leaf.action.slice(0, leaf.action.indexOf(":"));
  const roles = asked.roles.map((id) => ({ type: "Role", id }));
  const entities: EntityJson[] = [
    { uid: { type: "User", id: asked.user }, attrs: asked.attributes as EntityJson["attrs"], parents: roles },
    ...roles.map((uid) => ({ uid, attrs: {}, parents: [] })),
    {
      uid: { type: "Server", id: server.id },
      attrs: { tier: server.tier, labels: [...server.labels] },
      parents: [],
    },
    { uid: { type: "Action", id: leaf.action }, attrs: {}, parents: [{ type: "Action", id: method }] },
  ];
  const context: Context = {
    primitive: leaf.kind === "resource-template" ? "resource" : leaf.kind,
    target: leaf.name,
    server: server.id,
    ...projected(leaf.argumentsProgram, argumentsOf(leaf, asked)),
    _d: {},
  };
  return { server, leaf, context, entities, asked };
}

function search(facts: Facts, { path, pattern }: Pattern): boolean {
  let value: unknown =
    path[0] === "principal" ? facts.asked.attributes : path[0] === "resource" ? facts.server : facts.context;
  for (const name of path.slice(1)) value = (value as Readonly<Record<string, unknown>> | undefined)?.[name];
  return typeof value === "string" && RE2JS.compile(pattern).test(value);
}

function derivedFact(facts: Facts, derivation: Derivation): readonly [string, boolean] {
  if (derivation.kind !== "matches") throw new Error("only patterns are derived here");
  const [root] = derivation.path;
  const path =
    root === "principal" || root === "resource" ? derivation.path : ["context", ...derivation.path];
  return [derivation.name, search(facts, { path, pattern: derivation.pattern })];
}

/** Allow ⇔ Cedar allows and nothing errored. */
function decide(facts: Facts, context: Context, policies: PolicySet, schema?: Schema): string {
  const answer = cedar.isAuthorized({
    principal: { type: "User", id: facts.asked.user },
    action: { type: "Action", id: facts.leaf.action },
    resource: { type: "Server", id: facts.server.id },
    context,
    policies,
    // With a schema the action hierarchy is the schema's.
    entities: schema === undefined ? facts.entities : facts.entities.filter((item) => !isAction(item)),
    ...(schema === undefined ? {} : { schema, validateRequest: true }),
  });
  if (answer.type === "failure") throw new Error(JSON.stringify(answer.errors));
  const { decision, diagnostics } = answer.response;
  const allowed = decision === "allow" && diagnostics.errors.length === 0;
  return allowed ? `allow ${diagnostics.reason.toSorted().join(" ")}` : "deny";
}

function isAction(entity: EntityJson): boolean {
  return "type" in entity.uid && entity.uid.type === "Action";
}

function residualSet(section: PolicySection, policies: readonly SlicePolicy[]): PolicySet {
  const entries = policies.map(({ id, residual }) => [
    id,
    section.residuals[residual] as unknown as PolicyJson,
  ]);
  return { staticPolicies: Object.fromEntries(entries) as Record<string, PolicyJson> };
}

function compare(written: readonly Written[], asked: readonly RandomRequest[]): void {
  const source = { file: "p.cedar", text: written.map((item) => item.source).join("\n") };
  const output = compileCedar({ sources: [source], generated: [], model: MODEL });
  const { policies: section, findings } = output;
  const shown = new Map(
    output.servers.flatMap(({ leaves }) => leaves.map((leaf) => [leaf.action, leaf.argumentsProgram])),
  );
  expect(findings.filter((item) => item.severity === "error")).toEqual([]);
  const whole: PolicySet = {
    staticPolicies: Object.fromEntries(
      written.map((item, index) => [`p.cedar#${String(index)}`, item.reference]),
    ),
  };
  for (const one of asked) {
    const facts = factsOf(one);
    const slice = section.slices.find((item) => item.action === facts.leaf.action);
    if (slice === undefined) throw new Error("no slice");
    const referenceFacts = Object.fromEntries(
      PATTERNS.map((item, index) => [`p${String(index)}`, search(facts, item)]),
    );
    const expected = decide(facts, { ...facts.context, _m: referenceFacts }, whole);
    const derived = Object.fromEntries(slice.derivations.map((item) => derivedFact(facts, item)));
    const schema = section.schemas[slice.schema] as unknown as Schema;
    const program = shown.get(facts.leaf.action) ?? { nodes: [], root: 0 };
    const read = projected(program, argumentsOf(facts.leaf, one));
    const context = { ...facts.context, ...read, _m: derived };
    const call = decide(facts, context, residualSet(section, slice.call), schema);
    expect(call).toBe(expected);
    // Without anything else in the context: visibility reads nothing of the arguments.
    const request = Object.entries(facts.context).filter(([name]) =>
      REQUEST_MEMBERS.some((member) => member === name),
    );
    const visible = decide(facts, Object.fromEntries(request), residualSet(section, slice.visibility));
    if (call !== "deny") expect(visible).toMatch(/^allow/);
  }
}

describe("slices", () => {
  test("decide as the whole policy set does, and show what may be called", () => {
    fc.assert(
      fc.property(
        fc.array(policy, { minLength: 1, maxLength: 5 }),
        fc.array(request, { minLength: 4, maxLength: 8 }),
        compare,
      ),
      { seed: 20_261_122, numRuns: 100 },
    );
  });
});
