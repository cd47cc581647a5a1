// Numbers that a double or Cedar cannot carry: forwarded as written where no policy reads them, denied where one does.
import { describe, expect, test } from "vitest";
import { definitionDigest } from "#bundle";
import type { PrincipalFacts } from "#bundle";
import { compile, formatPins, memoryWorkspace } from "#compiler";
import type { CompileResult } from "#compiler";
import { CLIENT_JSON_LIMITS, parseStrictText } from "#mcp";
import { UNKNOWN_REQUEST, createEvaluator } from "#pdp";
import { isJsonObject } from "#std";
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
      id: { type: "integer" },
      near: {
        type: "object",
        properties: { lat: { type: "number" }, label: { type: "string" } },
        required: ["lat"],
      },
      items: {
        type: "array",
        items: {
          type: "object",
          properties: { qty: { type: "integer" }, price: { type: "number" }, sku: { type: "string" } },
          required: ["qty", "price"],
        },
      },
    },
  },
};

const SERVER = `apiVersion: aegis.dev/v1
kind: Server
metadata: { name: geo, owner: maps }
transport: { type: streamable-http, url: "http://127.0.0.1:9/mcp" }
tier: internal
pinMaxAge: 60s
`;

function compiled(condition: string, document?: string): Promise<CompileResult> {
  const files = baseFiles();
  const serverInfo = { name: "geo", version: "1" };
  const definition = { kind: "tool", name: "places.find", eras: ["modern"] } as const;
  files.set("registry/servers/geo.yaml", SERVER);
  files.set(
    "registry/pins/geo.json",
    formatPins({
      server: "geo",
      eras: { modern: { protocolVersion: "2026-07-28", capabilities: { tools: {} }, serverInfo } },
      entries: [{ ...definition, digest: definitionDigest(TOOL), definition: TOOL }],
    }),
  );
  const when = condition === "" ? "" : ` when { ${condition} }`;
  files.set("policies/geo.cedar", `permit (principal, action, resource == Server::"geo")${when};\n`);
  if (document !== undefined) files.set("policies/geo.yaml", document);
  return compile({ dir: "memory", workspace: memoryWorkspace(files) });
}

async function content(condition: string, document?: string): Promise<NonNullable<CompileResult["content"]>> {
  const { content: result, diagnostics } = await compiled(condition, document);
  expect(diagnostics.filter((item) => item.severity === "error")).toEqual([]);
  if (result === undefined) throw new Error("nothing was compiled");
  return result;
}

/** The decision on arguments as they come over the wire: `allow`, `deny`, or the code of a refusal. */
async function decide(condition: string, text: string, document?: string): Promise<string> {
  const evaluator = await createEvaluator(await content(condition, document));
  try {
    const value = parseStrictText(text, CLIENT_JSON_LIMITS);
    if (!isJsonObject(value)) throw new Error("arguments are an object");
    expect(JSON.stringify(value)).toBe(text);
    const prepared = await evaluator.prepare({
      tenant: "default",
      action: ACTION,
      arguments: value,
      principal: CALLER,
      request: UNKNOWN_REQUEST,
      signal: AbortSignal.timeout(5_000),
    });
    return prepared.ok ? evaluator.decide(prepared.query).effect : prepared.code;
  } finally {
    evaluator.dispose();
  }
}

const LAT = '{"lat":52.520008}';
const BIG = '{"id":9223372036854775808}';
const NEAR = '{"near":{"lat":52.520008,"label":"Berlin"}}';
const REFUSED = "ARGUMENTS_NOT_REPRESENTABLE";

describe("a number that the context cannot carry", () => {
  const cases: readonly (readonly [condition: string, text: string, outcome: string])[] = [
    ["", LAT, "allow"],
    ["", BIG, "allow"],
    ["", NEAR, "allow"],
    ['!(context.arguments has name && context.arguments.name == "x")', LAT, "allow"],
    ['context.arguments has lat && context.arguments.lat.lessThan(decimal("60.0"))', LAT, REFUSED],
    ['context.arguments has lat && context.arguments.lat.lessThan(decimal("60.0"))', BIG, "deny"],
    ["!(context.arguments has id && context.arguments.id > 5)", BIG, REFUSED],
    ["!(context.arguments has id && context.arguments.id > 5)", LAT, "allow"],
    ["context.arguments has near", NEAR, "allow"],
    ["context.arguments has near && context.arguments.near has label", NEAR, "allow"],
    ['context.arguments has near.label && context.arguments.near.label == "Berlin"', NEAR, "allow"],
    ['context.arguments has near && context.arguments.near.lat.lessThan(decimal("60.0"))', NEAR, REFUSED],
    ["context.arguments == context.arguments", LAT, REFUSED],
    ['context.extra.contains("lat")', LAT, "deny"],
    ['context.extra.contains("other")', '{"lat":52.520008,"other":1e400}', "allow"],
    ['!(context.arguments has name && context.arguments.name.matches("x"))', LAT, "allow"],
  ];
  test.each(cases)("when { %s } %s: %s", async (condition, text, outcome) => {
    expect(await decide(condition, text)).toBe(outcome);
  });

  test("is denied where a constraint of a document reads it", async () => {
    const document = [
      "metadata: { name: geo, owner: maps, reason: bounds }",
      "scope: { servers: [geo] }",
      "constraints:",
      "  places.find:",
      "    arguments: { id: { max: 5 } }",
      "",
    ].join("\n");
    expect(await decide("", BIG, document)).toBe(REFUSED);
    expect(await decide("", LAT, document)).toBe("allow");
    expect(await decide("", '{"id":6}', document)).toBe("deny");
  });
});

describe("elements of an array, of which a constraint reads", () => {
  const constrained = (rules: string): string =>
    [
      "metadata: { name: geo, owner: maps, reason: bounds }",
      "scope: { servers: [geo] }",
      "constraints:",
      "  places.find:",
      `    arguments: { ${rules} }`,
      "",
    ].join("\n");
  const items = (...list: readonly string[]): string => `{"items":[${list.join(",")}]}`;
  const PRICE = '{"qty":1,"price":1.12345}';
  const SKU = '{"qty":1,"price":1.12345,"sku":"a-1"}';
  const cases: readonly (readonly [rules: string, text: string, outcome: string])[] = [
    ["items: { minItems: 1 }", items(PRICE), "allow"],
    ["items: { minItems: 2 }", items(PRICE), "deny"],
    // Equal elements stay apart although nothing of them is visible.
    ["items: { minItems: 2 }", items(PRICE, PRICE), "allow"],
    ["items: { maxItems: 1 }", items(PRICE, PRICE), "deny"],
    ['items: { minItems: 1 }, "items[].qty": { max: 5 }', items(PRICE), "allow"],
    ['items: { minItems: 1 }, "items[].qty": { max: 5 }', items('{"qty":6,"price":1.12345}'), "deny"],
    ['"items[].qty": { max: 5 }', items(PRICE, '{"qty":9223372036854775808,"price":1}'), REFUSED],
    ['"items[].sku": { pattern: "^a" }', items(PRICE, SKU), "allow"],
    ['"items[].sku": { pattern: "^b" }', items(PRICE, SKU), "deny"],
    ['"items[].sku": { pattern: "^a" }, "items[].qty": { min: 2 }', items(SKU), "deny"],
  ];
  test.each(cases)("{ %s } %s: %s", async (rules, text, outcome) => {
    expect(await decide("", text, constrained(rules))).toBe(outcome);
  });

  test("a policy that reads the array reads its elements whole", async () => {
    const condition = "context.arguments has items && context.arguments.items == context.arguments.items";
    expect(await decide(condition, items(PRICE), constrained("items: { minItems: 1 }"))).toBe(REFUSED);
  });
});

test("a policy that reads an argument the tool does not have is still an error", async () => {
  const { diagnostics } = await compiled("context.arguments has lat && context.arguments.lat > 5");
  expect(diagnostics.filter((item) => item.severity === "error").map((item) => item.code)).toEqual([
    "CEDAR_TYPE",
  ]);
  const misspelt = await compiled('context.arguments.nmae == "x"');
  expect(misspelt.diagnostics.filter((item) => item.severity === "error")).toMatchObject([
    { code: "CEDAR_UNKNOWN_ATTRIBUTE", help: expect.stringContaining("name") as string },
  ]);
});

test("the bundle stays the same bytes, and its schemas show what is read only", async () => {
  const condition = 'context.arguments has near.label && context.arguments.near.label == "Berlin"';
  const [one, two] = await Promise.all([compiled(condition), compiled(condition)]);
  expect(one.bundle?.digest).toBe(two.bundle?.digest);
  const slice = one.content?.policies.slices.find((item) => item.action === ACTION);
  const text = JSON.stringify(one.content?.policies.schemas[slice?.schema ?? ""]);
  expect(text).toContain('"near"');
  expect(text).not.toContain('"lat"');
});
