// Policies in shadow mode: decided and told, never enforced, and nothing that only they need may refuse a call.
import { describe, expect, test } from "vitest";
import { definitionDigest } from "#bundle";
import type { BundleContent, PrincipalFacts } from "#bundle";
import { compile, formatPins, memoryWorkspace } from "#compiler";
import type { CompileResult } from "#compiler";
import { explainCall } from "#explain";
import { UNKNOWN_REQUEST, createCedarPdp, createEvaluator } from "#pdp";
import type { Decision } from "#pdp";
import { planChanges } from "#plan";
import { runSuites } from "#policy-test";
import type { JsonObject } from "#std";
import { baseFiles } from "./case-project.ts";

const ACTION = "tools/call:geo/places.find";
const CALLER: PrincipalFacts = {
  type: "User",
  id: "dana",
  tenant: "default",
  roles: ["Developer"],
  groups: [],
  attributes: { is_external: false },
};

const TOOL: JsonObject = {
  name: "places.find",
  inputSchema: {
    type: "object",
    properties: {
      name: { type: "string" },
      lat: { type: "number" },
      sql: { type: "string" },
    },
  },
};

const SERVER = `apiVersion: aegis.dev/v1
kind: Server
metadata: { name: geo, owner: maps }
transport: { type: streamable-http, url: "http://127.0.0.1:9/mcp" }
tier: internal
pinMaxAge: 60s
sql: { places.find: { argument: sql, dialect: postgresql } }
`;

const PERMIT = `permit (principal, action, resource == Server::"geo") when { context.arguments has name };\n`;

async function compiled(files: Readonly<Record<string, string>>): Promise<CompileResult> {
  const all = baseFiles();
  const serverInfo = { name: "geo", version: "1" };
  const definition = { kind: "tool", name: "places.find", eras: ["modern"] } as const;
  all.set("registry/servers/geo.yaml", SERVER);
  all.set(
    "registry/pins/geo.json",
    formatPins({
      server: "geo",
      eras: { modern: { protocolVersion: "2026-07-28", capabilities: { tools: {} }, serverInfo } },
      entries: [{ ...definition, digest: definitionDigest(TOOL), definition: TOOL }],
    }),
  );
  all.set("policies/geo.cedar", PERMIT);
  for (const [path, text] of Object.entries(files)) all.set(path, text);
  const result = await compile({ dir: "memory", workspace: memoryWorkspace(all) });
  expect(result.diagnostics.filter((item) => item.severity === "error")).toEqual([]);
  return result;
}

async function contentOf(files: Readonly<Record<string, string>>): Promise<BundleContent> {
  const { content } = await compiled(files);
  if (content === undefined) throw new Error("nothing was compiled");
  return content;
}

type Engine = "interpreter" | "cedar-wasm";

async function decide(
  content: BundleContent,
  args: JsonObject,
  engine: Engine = "interpreter",
): Promise<Decision | string> {
  const evaluator = await createEvaluator(
    content,
    engine === "cedar-wasm" ? { createPdp: createCedarPdp } : {},
  );
  try {
    const prepared = await evaluator.prepare({
      tenant: "default",
      action: ACTION,
      arguments: args,
      principal: CALLER,
      request: UNKNOWN_REQUEST,
      signal: AbortSignal.timeout(5_000),
    });
    return prepared.ok ? evaluator.decide(prepared.query) : prepared.code;
  } finally {
    evaluator.dispose();
  }
}

function slice(content: BundleContent): BundleContent["policies"]["slices"][number] {
  const found = content.policies.slices.find((item) => item.action === ACTION);
  if (found === undefined) throw new Error("no slice");
  return found;
}

function shadowCedar(condition: string, effect = "forbid"): Readonly<Record<string, string>> {
  const text = `@mode("shadow")\n${effect} (principal, action, resource == Server::"geo") when { ${condition} };\n`;
  return { "policies/shadow.cedar": text };
}

const SHADOW_ID = "policies/shadow.cedar#0";
const ENGINES: readonly Engine[] = ["interpreter", "cedar-wasm"];

describe.each(ENGINES)("a shadow policy, decided by %s", (engine) => {
  test("a forbid would deny and does not", async () => {
    const content = await contentOf(
      shadowCedar('context.arguments has name && context.arguments.name == "x"'),
    );
    expect(await decide(content, { name: "x" }, engine)).toEqual({
      effect: "allow",
      reasons: ["policies/geo.cedar#0"],
      errors: [],
      shadow: { effect: "deny", reasons: [SHADOW_ID], errors: [] },
    });
    expect(await decide(content, { name: "y" }, engine)).toMatchObject({ shadow: { effect: "allow" } });
  });

  test("a permit would allow and does not", async () => {
    const content = await contentOf(shadowCedar("true", "permit"));
    expect(await decide(content, {}, engine)).toEqual({
      effect: "deny",
      reasons: [],
      errors: [],
      shadow: { effect: "allow", reasons: [SHADOW_ID], errors: [] },
    });
  });

  test("an error is told and does not deny", async () => {
    const overflow = "(if context.arguments has name then 9007199254740991 else 0) * 9007199254740991 > 0";
    const content = await contentOf(shadowCedar(overflow));
    expect(await decide(content, { name: "x" }, engine)).toMatchObject({
      effect: "allow",
      errors: [],
      shadow: { effect: "deny", errors: [{ policy: SHADOW_ID }] },
    });
  });

  test("a number that only it reads, and Cedar cannot hold, refuses no call", async () => {
    const lat = 'context.arguments has lat && context.arguments.lat.lessThan(decimal("60.0"))';
    const content = await contentOf(shadowCedar(lat));
    expect(await decide(content, { name: "x", lat: 52.520008 }, engine)).toMatchObject({
      effect: "allow",
      errors: [],
      shadow: { effect: "deny", reasons: [], errors: [{ policy: "(engine)" }] },
    });
    expect(await decide(content, { name: "x", lat: 52.5 }, engine)).toMatchObject({
      effect: "allow",
      shadow: { effect: "deny", reasons: [SHADOW_ID], errors: [] },
    });
    const enforced = await contentOf({
      "policies/e.cedar": `forbid (principal, action, resource == Server::"geo") when { ${lat} };`,
    });
    expect(await decide(enforced, { name: "x", lat: 52.520008 }, engine)).toBe("ARGUMENTS_NOT_REPRESENTABLE");
  });

  test("a text too long for its pattern refuses no call", async () => {
    const content = await contentOf(
      shadowCedar('context.arguments has sql && context.arguments.sql.matches("^x")'),
    );
    const long = { name: "x", sql: "y".repeat(200_000) };
    expect(await decide(content, long, engine)).toMatchObject({
      effect: "allow",
      errors: [],
      shadow: { effect: "deny", errors: [{ policy: "(engine)" }] },
    });
    expect(await decide(content, { name: "x", sql: "xx" }, engine)).toMatchObject({
      effect: "allow",
      shadow: { effect: "deny", reasons: [SHADOW_ID] },
    });
  });

  test("members of the context that only it reads are there for it", async () => {
    const content = await contentOf(
      shadowCedar(
        'context.protocol.era == "modern" && context.primitive == "tool" && !context.annotations.readOnlyHint',
      ),
    );
    expect(await decide(content, { name: "x" }, engine)).toMatchObject({
      effect: "allow",
      shadow: { effect: "deny", reasons: [SHADOW_ID] },
    });
  });
});

describe("a document in shadow mode", () => {
  const document = (mode: string): Readonly<Record<string, string>> => ({
    "policies/s.yaml": `policy: { mode: ${mode} }
scope: { servers: [geo] }
constraints: { places.find: { operations: [SELECT] } }
`,
  });

  test("constrains nothing, and says what it would", async () => {
    const content = await contentOf(document("shadow"));
    const { call, visibility, shadow, derivations, shadowFacts } = slice(content);
    expect([...call, ...visibility].map(({ id }) => id)).toEqual([
      "policies/geo.cedar#0",
      "policies/geo.cedar#0",
    ]);
    expect(shadow.length).toBeGreaterThan(0);
    expect(derivations).toEqual([]);
    expect(shadowFacts?.derivations).toMatchObject([{ kind: "sql" }]);
    const drop = { name: "x", sql: "drop table t" };
    expect(await decide(content, drop)).toMatchObject({ effect: "allow", shadow: { effect: "deny" } });
    const enforced = await contentOf(document("enforce"));
    expect(await decide(enforced, drop)).toMatchObject({ effect: "deny" });
    expect(await decide(enforced, drop)).not.toHaveProperty("shadow");
  });

  test("leaves the enforced part of the bundle as it is without the document", async () => {
    const without = await contentOf({});
    const { shadow, shadowFacts, ...enforced } = slice(await contentOf(document("shadow")));
    expect({ ...enforced, shadow: [] }).toEqual(slice(without));
    expect([shadow.length > 0, shadowFacts === undefined]).toEqual([true, false]);
    const leaves = (content: BundleContent): unknown => content.registry;
    expect(leaves(await contentOf(document("shadow")))).toEqual(leaves(without));
  });

  test("exposes and closes nothing", async () => {
    const exposing = (mode: string): string => `policy: { mode: ${mode} }\nallow: { tools: [jira.search] }\n`;
    const shown = await contentOf({ "policies/s.yaml": exposing("shadow") });
    const closedBy = (content: BundleContent): number =>
      content.policies.slices.filter(({ call }) => call.some(({ id }) => id.startsWith("policies/s.yaml")))
        .length;
    expect(closedBy(shown)).toBe(0);
    expect(
      shown.policies.slices.some(({ shadow }) => shadow.some(({ id }) => id.includes("others@jira"))),
    ).toBe(true);
    expect(closedBy(await contentOf({ "policies/s.yaml": exposing("enforce") }))).toBeGreaterThan(0);
  });

  test("is marked where policies are listed", async () => {
    const { sources } = await contentOf({ ...document("shadow"), ...shadowCedar("true") });
    const marked = Object.entries(sources.policies).filter(([, { mode }]) => mode === "shadow");
    expect(marked.map(([id]) => id).sort()).toEqual(
      [SHADOW_ID, "policies/s.yaml#/constraints/places.find/operations"].sort(),
    );
  });

  test("is checked like an enforced one, and needs no test of its own", async () => {
    const all = baseFiles();
    all.set("policies/s.yaml", "policy: { mode: shadow }\ndeny: { tools: [sql.qurey] }\n");
    const { diagnostics } = await compile({ dir: "memory", workspace: memoryWorkspace(all) });
    expect(diagnostics.map(({ code }) => code)).toContain("NAME_UNKNOWN");
    const quiet = await compiled(shadowCedar("true"));
    const untested = quiet.diagnostics.filter(({ code }) => code === "DOCUMENT_UNTESTED");
    expect(untested.map(({ file }) => file)).toEqual(["policies/geo.cedar"]);
  });
});

describe("tools", () => {
  const suite = (shadow: string): Readonly<Record<string, string>> => ({
    "tests/geo_test.yaml": `principals: { dev: { id: dana, roles: [Developer], attrs: { is_external: false } } }
calls: { find: { server: geo, tool: places.find, arguments: { name: x } } }
tests:
  - name: geo
    matrix: { principals: [dev], calls: [find] }
    allow: [[dev, find]]
    expect: { find: { shadow: ${shadow} } }
`,
  });

  test("aegis test compares the shadow decision", async () => {
    const forbid = shadowCedar("context.arguments has name");
    const good = await runSuites(await compiled({ ...forbid, ...suite("deny") }), { filter: ["geo"] });
    expect([good.passed, good.failed]).toEqual([1, 0]);
    const bad = await runSuites(await compiled({ ...forbid, ...suite("allow") }), { filter: ["geo"] });
    expect(bad.suites[0]?.tests[0]?.failures).toMatchObject([
      { expected: "allow in shadow mode", actual: "deny in shadow mode", policies: [{ id: SHADOW_ID }] },
    ]);
    const none = await runSuites(await compiled(suite("allow")), { filter: ["geo"] });
    expect(none.failed).toBe(0);
  });

  test("explain shows the shadow decision and marks its policies", async () => {
    const content = await contentOf(shadowCedar("context.arguments has name"));
    const caller = { facts: CALLER, missingAttributes: [] };
    const explanation = await explainCall(content, { caller, action: ACTION, arguments: { name: "x" } });
    expect(explanation).toMatchObject({
      decision: "allow",
      shadow: { decision: "deny", reasons: [SHADOW_ID] },
      policies: [
        { id: "policies/geo.cedar#0", mode: "enforce", outcome: "satisfied" },
        { id: SHADOW_ID, mode: "shadow", outcome: "satisfied", isDetermining: true },
      ],
    });
  });

  test("plan says that a mode changed, and what is decided otherwise", async () => {
    const forbid = shadowCedar("context.arguments has name");
    const enforced = {
      "policies/shadow.cedar": (forbid["policies/shadow.cedar"] ?? "").replace(/^.*\n/u, ""),
    };
    const calls = suite("deny");
    const base = await compiled({ ...forbid, ...calls });
    const plan = await planChanges(base, await compiled({ ...enforced, ...calls }));
    expect(plan.changes).toContainEqual({
      kind: "policy-mode-changed",
      evidence: "structural",
      subject: SHADOW_ID,
      before: { mode: "shadow" },
      after: { mode: "enforce" },
      details: ["this forbid is enforced now"],
    });
    expect(plan.summary.newlyDenied).toBeGreaterThan(0);
    expect(plan.summary.newlyAllowed).toBe(0);
  });
});
