// Legacy callers of a server that speaks the modern era alone.
import { afterEach, beforeEach, expect, test } from "vitest";
import type { JsonObject } from "#std";
import type { ExchangeObserver } from "#upstream";
import { json, startRawHttpServer } from "../upstream/raw-http-server.ts";
import { Recording, codeOf, legacyRequest } from "../upstream/recording.ts";
import { answerTo, callLegacy, resultOf, startPeers, textOf } from "./bridge-peers.ts";
import type { Peers } from "./bridge-peers.ts";

let peers: Peers;
let asked: JsonObject[];
let client: ExchangeObserver;
beforeEach(async () => {
  peers = await startPeers("modern");
  asked = [];
  client = {
    onNotification: () => undefined,
    onServerRequest: (request) => {
      asked.push(request);
      return Promise.resolve({ kind: "result", result: answerTo(request["method"]) });
    },
  };
});
afterEach(() => peers.close());

const call = (name: string, args: JsonObject = {}): ReturnType<typeof legacyRequest> =>
  legacyRequest("tools/call", { name, arguments: args });

test("a result has nothing that the legacy era does not know", async () => {
  const result = resultOf(await callLegacy(peers, { request: call("test_simple_text"), observer: client }));
  expect(Object.keys(result)).toEqual(["content"]);
  const read = legacyRequest("resources/read", { uri: "test://static-text" });
  expect(Object.keys(resultOf(await callLegacy(peers, { request: read, observer: client })))).toEqual([
    "contents",
  ]);
});

test.each([
  ["test_input_required_result_elicitation", ["elicitation/create"], "Ada"],
  ["test_input_required_result_sampling", ["sampling/createMessage"], "Paris"],
  ["test_input_required_result_list_roots", ["roots/list"], "file:///work"],
  ["test_input_required_result_request_state", ["elicitation/create"], "state-ok"],
  [
    "test_input_required_result_multiple_inputs",
    ["elicitation/create", "sampling/createMessage", "roots/list"],
    "All three",
  ],
  ["test_input_required_result_multi_round", ["elicitation/create", "elicitation/create"], "Ada likes red"],
])("%s becomes requests to the client", async (name, methods, answer) => {
  const reply = await callLegacy(peers, { request: call(name), observer: client });
  expect(textOf(reply)).toContain(answer);
  expect(asked.map(({ method }) => method)).toEqual(methods);
});

test("a prompt may ask as well", async () => {
  const request = legacyRequest("prompts/get", { name: "test_input_required_result_prompt" });
  expect(resultOf(await callLegacy(peers, { request, observer: client }))).toHaveProperty("messages");
  expect(asked).toHaveLength(1);
});

test("an elicitation that could not be made is cancelled; anything else ends the call", async () => {
  const refusing: ExchangeObserver = {
    ...client,
    onServerRequest: () => Promise.resolve({ kind: "error", error: { code: -32601, message: "denied" } }),
  };
  const request = call("test_input_required_result_elicitation");
  expect(textOf(await callLegacy(peers, { request, observer: refusing }))).toContain("nobody");
  const sampling = call("test_input_required_result_sampling");
  const refused = await callLegacy(peers, { request: sampling, observer: refusing });
  expect(refused).toMatchObject({ kind: "error", error: { message: "denied" } });
});

test("a client is not asked for what it did not declare", async () => {
  const request = call("test_input_required_result_sampling");
  const reply = await callLegacy(peers, { request, observer: client, capabilities: { roots: {} } });
  // What the caller is told of it is the pipeline's matter.
  expect(reply).toMatchObject({ kind: "error", error: { code: -32021 } });
  expect(asked).toHaveLength(0);
});

test("the session's log level travels with every request, and is set without the server", async () => {
  const recording = new Recording();
  const set = legacyRequest("logging/setLevel", { level: "debug" });
  expect(resultOf(await callLegacy(peers, { request: set, observer: client }))).toEqual({});
  const request = call("test_tool_with_logging");
  await callLegacy(peers, { request, observer: recording.observer });
  expect(recording.notifications).toHaveLength(0);
  await callLegacy(peers, { request, observer: recording.observer, logLevel: "debug" });
  expect(recording.notifications).toHaveLength(3);
});

test("a missing resource has the legacy code", async () => {
  const request = legacyRequest("resources/read", { uri: "test://nowhere" });
  const reply = await callLegacy(peers, { request, observer: client });
  expect(reply).toMatchObject({ kind: "error", error: { code: -32002 } });
});

test("what has no counterpart fails clearly; an abort ends the call", async () => {
  const request = legacyRequest("resources/subscribe", { uri: "test://static-text" });
  expect(await codeOf(callLegacy(peers, { request, observer: client }))).toBe("METHOD_UNKNOWN");
  const signal = AbortSignal.abort();
  expect(
    await codeOf(callLegacy(peers, { request: call("test_simple_text"), observer: client, signal })),
  ).toBe("EXCHANGE_ABORTED");
});

test("a server that never stops asking: ten answers are sent, and nobody is asked for one that would not be", async () => {
  const server = await startRawHttpServer(({ body: { id, method } }, response) => {
    const base = { resultType: "complete", ttlMs: 0, cacheScope: "private" };
    const about = { supportedVersions: ["2026-07-28"], capabilities: { tools: {} }, serverInfo: {} };
    const asks = { resultType: "input_required", inputRequests: { roots: { method: "roots/list" } } };
    const result = method === "server/discover" ? { ...base, ...about } : asks;
    json(response, { jsonrpc: "2.0", id, result });
  });
  const endless = await startPeers("modern", { url: server.url });
  expect(await codeOf(callLegacy(endless, { request: call("forever"), observer: client }))).toBe(
    "UPSTREAM_PROTOCOL",
  );
  const calls = server.received.filter(({ body }) => body.method === "tools/call");
  expect(calls.filter(({ body }) => body.params?.["inputResponses"] !== undefined)).toHaveLength(10);
  expect(asked).toHaveLength(10);
  await endless.close();
  await server.close();
});
