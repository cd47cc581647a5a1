// What the dispatch stage makes of an upstream that says it lacks a capability: the names of capabilities, and nothing
// else that a server may have written beside them, since no transform looks at a refusal.
import { expect, it } from "vitest";
import type { JsonObject } from "#std";
import type { UpstreamReply } from "#upstream";
import type { Recorded } from "../../../runtime/pipeline/exchange.ts";
import { createDispatchStage } from "../../../runtime/stages/dispatch.ts";

const SSN = "078-05-1120";

/** Dispatches a modern call of a client with these capabilities, to a server that answers as given. */
async function refusalOf(reply: UpstreamReply, capabilities: JsonObject): Promise<JsonObject> {
  const entry = { id: "desk", leaves: [], eras: { modern: { capabilities: {} } } };
  const upstream = { server: "desk", request: () => Promise.resolve(reply) };
  const server = { entry, binding: { upstream } };
  const stage = createDispatchStage({
    answerLocally: () => ({ kind: "accepted" }),
    observe: () => ({
      onNotification: () => undefined,
      onServerRequest: () => Promise.reject(new Error("no")),
    }),
    onUpstream: () => undefined,
    clock: { nowMs: () => 0, monotonicMs: () => 0 },
    subscribe: () => undefined,
    answersAhead: () => undefined,
    bridge: { over: () => Promise.reject(new Error("not bridged")) } as never,
    deferLarge: false,
  });
  const message = {
    kind: "request",
    id: 1,
    method: "tools/call",
    params: { _meta: { "io.modelcontextprotocol/clientCapabilities": capabilities } },
  };
  const exchange = {
    era: "modern",
    control: { waitForServer: () => () => undefined },
    message,
    session: undefined,
    principal: { bindingKey: "ada" },
    target: { kind: "leaf", server },
    route: { entry: { maxResponseBytes: 1_000 }, servers: [server] },
    outbound: { method: "tools/call", params: {}, paramHeaders: {} },
  } as unknown as Recorded;
  try {
    await stage.run(exchange, new AbortController().signal);
    return { code: "none" };
  } catch (fault) {
    const { code, detail, data } = fault as { code: string; detail: string; data?: JsonObject };
    return { code, detail, ...(data === undefined ? {} : { data }) };
  }
}

it("tells the client the names of what it lacks, and nothing that the server wrote beside them", async () => {
  const data = {
    requiredCapabilities: { sampling: { tools: { ssn: SSN } }, [SSN]: {}, elicitation: { note: SSN } },
  };
  const refusal = await refusalOf({ kind: "error", error: { code: -32021, message: SSN, data } }, {});
  expect(refusal).toMatchObject({
    code: "CAPABILITY_REQUIRED",
    data: { requiredCapabilities: { sampling: { tools: {} }, elicitation: {} } },
  });
  expect(JSON.stringify(refusal)).not.toContain(SSN);
});

it("says that policies refuse it where the client declared all of it", async () => {
  const data = { requiredCapabilities: { sampling: {} } };
  const reply: UpstreamReply = { kind: "error", error: { code: -32021, message: "m", data } };
  expect(await refusalOf(reply, { sampling: {} })).toMatchObject({ code: "SERVER_REQUEST_DENIED" });
});
