// What a transform of the call does to a form: its words are prose as the message is, and its mode is the protocol's.
import { expect, it } from "vitest";
import type { JsonObject } from "#std";
import { compileTransform } from "#transform";
import type { AskContext } from "../../../runtime/asks/ask-context.ts";
import { governAsk } from "../../../runtime/asks/govern-ask.ts";

const SSN = "078-05-1120";
const TRANSFORM = compileTransform({
  tenant: "default",
  action: "tools/call:jobs/report",
  request: [],
  response: [{ policy: "p", verb: "redact", paths: [[{ kind: "name", name: "ssn" }]] }],
});

async function asked(params: JsonObject): Promise<JsonObject> {
  const decision = { effect: "allow", reasons: ["p"], errors: [] };
  const evaluator = {
    prepare: () => Promise.resolve({ ok: true, query: {} }),
    decide: () => decision,
  };
  const leaf = { action: "elicitation/create:jobs" };
  const server = { entry: { id: "jobs", leaves: [] }, methods: new Map([["elicitation/create", leaf]]) };
  const context = {
    ...{ server, capabilities: { elicitation: { form: {} } }, action: "tools/call:jobs/report" },
    snapshot: { transformFor: () => TRANSFORM, evaluator },
    route: { entry: { tenant: "default" }, servers: [server] },
    caller: { facts: {}, missingAttributes: [] },
  } as unknown as AskContext;
  const verdict = await governAsk(context, "elicitation/create", params, {});
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
