// What a transform of the call does to a form: its words are prose as the message is, and its mode is the protocol's.
import { expect, it } from "vitest";
import type { JsonObject } from "#std";
import { compileTransform } from "#transform";
import type { AskContext } from "../../../runtime/asks/ask-context.ts";
import { governAsk } from "../../../runtime/asks/govern-ask.ts";
import type { AskVerdict } from "../../../runtime/asks/govern-ask.ts";

const SSN = "078-05-1120";
const CALL = { tenant: "default", action: "tools/call:jobs/report", request: [] } as const;
const TRANSFORM = compileTransform({
  ...CALL,
  response: [{ policy: "p", verb: "redact", paths: [[{ kind: "name", name: "ssn" }]] }],
});
const DETECTING = compileTransform({
  ...CALL,
  response: [{ policy: "p", verb: "detect", paths: [[]], detectors: ["email"] }],
});

async function governed(params: JsonObject, transform: typeof TRANSFORM): Promise<AskVerdict> {
  const decision = { effect: "allow", reasons: ["p"], errors: [] };
  const evaluator = {
    prepare: () => Promise.resolve({ ok: true, query: {} }),
    decide: () => decision,
  };
  const leaf = { action: "elicitation/create:jobs" };
  const server = { entry: { id: "jobs", leaves: [] }, methods: new Map([["elicitation/create", leaf]]) };
  const context = {
    ...{ server, capabilities: { elicitation: { form: {} } }, action: "tools/call:jobs/report" },
    snapshot: { transformFor: () => transform, evaluator },
    route: { entry: { tenant: "default" }, servers: [server] },
    caller: { facts: {}, missingAttributes: [] },
  } as unknown as AskContext;
  return governAsk(context, "elicitation/create", params, {});
}

async function asked(params: JsonObject, transform = TRANSFORM): Promise<JsonObject> {
  const verdict = await governed(params, transform);
  if (!verdict.ok) throw new Error(`${verdict.refusal.code}: ${verdict.refusal.detail}`);
  return verdict.ask.params;
}

it("a form loses every word that could be the value, and stays a form", async () => {
  const text = { type: "string", title: `Is ${SSN} yours?`, description: SSN, default: SSN };
  const params = await asked({
    mode: "form",
    message: `We have ${SSN}`,
    requestedSchema: {
      ...{ type: "object", title: SSN, description: SSN },
      properties: { ssn: text, sure: { type: "boolean", default: true } },
      required: ["sure"],
    },
  });
  expect(JSON.stringify(params)).not.toContain(SSN);
  expect(params).toMatchObject({
    mode: "form",
    requestedSchema: {
      type: "object",
      properties: { ssn: { type: "string" }, sure: { type: "boolean", default: true } },
      required: ["sure"],
    },
  });
});

const form = (properties: JsonObject, required: readonly string[] = []): JsonObject => ({
  message: "Which account?",
  requestedSchema: { type: "object", properties, required },
});

const EMAIL = "ada@desk.example";
const CHOICES: ReadonlyMap<string, readonly [asked: JsonObject, kept: JsonObject]> = new Map([
  ["enum", [{ enum: ["none", EMAIL] }, { enum: ["none"] }]],
  [
    "enumNames",
    [
      { enum: ["1", EMAIL, "2"], enumNames: ["One", "Hers", `${EMAIL}'s`] },
      { enum: ["1", "2"], enumNames: ["One", "2"] },
    ],
  ],
  [
    "oneOf",
    [
      {
        oneOf: [
          { const: "1", title: EMAIL },
          { const: EMAIL, title: "Hers" },
          { const: "3", title: "Three" },
        ],
      },
      {
        oneOf: [
          { const: "1", title: "1" },
          { const: "3", title: "Three" },
        ],
      },
    ],
  ],
  ["a default", [{ enum: ["none", EMAIL], default: EMAIL }, { enum: ["none"] }]],
  ["a pattern and what no form has", [{ pattern: `^${EMAIL}$`, examples: [EMAIL, "b"] }, {}]],
]);

it.each([...CHOICES])("choices that the transform changes are not offered: %s", async (_, [field, kept]) => {
  const { requestedSchema } = await asked(form({ of: { type: "string", ...field } }, ["of"]), DETECTING);
  expect(requestedSchema).toMatchObject({ required: ["of"] });
  expect(requestedSchema).toEqual({
    type: "object",
    properties: { of: { type: "string", ...kept } },
    required: ["of"],
  });
});

it.each([
  [{ enum: ["none", EMAIL] }, { enum: ["none"] }],
  [
    {
      anyOf: [
        { const: EMAIL, title: "Hers" },
        { const: "3", title: EMAIL },
      ],
    },
    { anyOf: [{ const: "3", title: "3" }] },
  ],
])("choices of several: %j", async (items, kept) => {
  const field = { type: "array", items: { type: "string", ...items }, default: ["none", EMAIL], maxItems: 2 };
  const { requestedSchema } = await asked(form({ of: field }), DETECTING);
  expect(requestedSchema).toMatchObject({ properties: { of: { type: "array", maxItems: 2 } } });
  expect((requestedSchema as { properties: JsonObject }).properties["of"]).toEqual({
    ...{ type: "array", items: { type: "string", ...kept }, maxItems: 2 },
  });
});

it("a field without a choice is not asked for, and refuses the form where it must be filled in", async () => {
  const fields = { of: { type: "string", enum: [EMAIL] }, why: { type: "string" } };
  const { requestedSchema } = await asked(form(fields, ["why"]), DETECTING);
  expect(requestedSchema).toEqual({
    type: "object",
    properties: { why: { type: "string" } },
    required: ["why"],
  });
  expect(await governed(form(fields, ["of"]), DETECTING)).toMatchObject({
    ok: false,
    refusal: { code: "TRANSFORM_FAILED" },
  });
});

it("where a path hides values, prose does not pass as a choice", async () => {
  const fields = { of: { type: "string", enum: ["yes", SSN] }, age: { type: "integer", minimum: 78051120 } };
  const { requestedSchema } = await asked(form(fields));
  expect(requestedSchema).toEqual({ type: "object", properties: { age: { type: "integer" } }, required: [] });
});

it.each<[string, JsonObject]>([
  ["the type of the form", { type: SSN, properties: { a: { type: "string" } } }],
  ["the type of a field", { type: "object", properties: { a: { type: SSN } } }],
  ["what is no field", { type: "object", properties: { a: SSN, b: [SSN] } }],
  ["a required name that no field has", { type: "object", properties: {}, required: [SSN, [SSN]] }],
  ["a list of required names that is none", { type: "object", properties: {}, required: SSN }],
])("what stands in a form in the place of %s is a text like all others", async (_name, requestedSchema) => {
  const params = await asked({ mode: "form", message: "Yes?", requestedSchema });
  expect(JSON.stringify(params)).not.toContain(SSN);
});
