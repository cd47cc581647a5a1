// Modern callers of a server that speaks the legacy era alone, over HTTP and as a process.
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import type { JsonObject } from "#std";
import { startLegacyAsks } from "../../servers/legacy-asks.ts";
import type { LegacyAsksServer } from "../../servers/legacy-asks.ts";
import { eventStream, json, startRawHttpServer } from "../upstream/raw-http-server.ts";
import { Recording, codeOf } from "../upstream/recording.ts";
import {
  CAPABILITIES,
  EVERYTHING,
  LOG_LEVEL,
  answersTo,
  callModern,
  entriesOf,
  resultOf,
  startPeers,
  textOf,
} from "./bridge-peers.ts";
import type { ModernCall, Peers } from "./bridge-peers.ts";

const FIXTURE = join(import.meta.dirname, "../../servers/conformance-fixture/main.ts");
const PROGRAM = { command: process.execPath, args: [FIXTURE, "--eras", "legacy", "--transport", "stdio"] };
const PARK = { maxParked: 8, maxParkedPerCaller: 2, ttlMs: 60_000 };

let peers: Peers;
afterEach(() => peers.close());

const tool = (name: string, args: JsonObject = {}): JsonObject => ({ name, arguments: args });

/** Sends the request again with answers, as a client does. */
async function retry(
  call: ModernCall,
  first: Awaited<ReturnType<typeof callModern>>,
): ReturnType<typeof callModern> {
  const { requestState } = resultOf(first);
  const inputResponses = answersTo(entriesOf(first));
  return callModern(peers, {
    ...call,
    params: { ...call.params, inputResponses, ...(requestState === undefined ? {} : { requestState }) },
  });
}

describe.each([
  ["HTTP", undefined],
  ["a process", PROGRAM],
])("a legacy server over %s", (_transport, program) => {
  beforeEach(async () => {
    peers = await startPeers("legacy", { park: PARK, ...(program === undefined ? {} : { program }) });
  });

  test("a result has what the modern era demands", async () => {
    const result = resultOf(await callModern(peers, { params: tool("test_simple_text") }));
    expect(result["resultType"]).toBe("complete");
    expect(result["_meta"]).toHaveProperty(["io.modelcontextprotocol/serverInfo", "name"]);
    const read = { method: "resources/read", params: { uri: "test://static-text" } };
    expect(resultOf(await callModern(peers, read))).toMatchObject({ ttlMs: 0, cacheScope: "private" });
  });

  test("an elicitation parks the call; the retry answers it and gets the result", async () => {
    const call = { params: tool("test_elicitation", { message: "Who are you?" }) };
    const first = await callModern(peers, call);
    const [entry] = Object.values(entriesOf(first));
    expect(entry).toMatchObject({ method: "elicitation/create", params: { message: "Who are you?" } });
    expect(peers.bridge.describe().parkedCalls).toBe(1);
    expect(textOf(await retry(call, first))).toContain("action=accept");
    expect(peers.bridge.describe().parkedCalls).toBe(0);
  });

  test("sampling is asked for in the same way", async () => {
    const call = { params: tool("test_sampling", { prompt: "Capital of France?" }) };
    expect(textOf(await retry(call, await callModern(peers, call)))).toContain("Paris");
  });

  test("several rounds, each with a state of its own", async () => {
    const call = { params: tool("test_input_required_result_multi_round") };
    const first = await callModern(peers, call);
    const second = await retry(call, first);
    expect(resultOf(second)["requestState"]).not.toBe(resultOf(first)["requestState"]);
    expect(textOf(await retry(call, second))).toContain("Ada likes red");
  });

  test("what is asked together is told together, and what is not answered is asked again", async () => {
    const call = { params: tool("test_input_required_result_multiple_inputs") };
    const first = await callModern(peers, call);
    const entries = entriesOf(first);
    expect(Object.values(entries).map(({ method }) => method)).toEqual([
      "elicitation/create",
      "sampling/createMessage",
      "roots/list",
    ]);
    const [key = ""] = Object.keys(entries);
    const answers = answersTo(entries);
    const params = { ...call.params, requestState: resultOf(first)["requestState"] ?? null };
    const some = await callModern(peers, {
      params: { ...params, inputResponses: { [key]: answers[key] ?? null, stranger: { action: "accept" } } },
    });
    expect(Object.keys(entriesOf(some))).toEqual(Object.keys(entries).slice(1));
    expect(textOf(await retry(call, some))).toContain("All three");
  });

  test("a client is not asked for what it did not declare", async () => {
    const call = {
      params: tool("test_elicitation", { message: "?" }),
      meta: { [CAPABILITIES]: { roots: {} } },
    };
    expect(resultOf(await callModern(peers, call))["isError"]).toBe(true);
  });

  test("progress has the caller's token; logs come only to a request that names a level", async () => {
    const progress = new Recording();
    const params = tool("test_tool_with_progress");
    await callModern(peers, { params, meta: { progressToken: "p-1" }, observer: progress.observer });
    expect(progress.notifications.length).toBeGreaterThan(0);
    for (const { params: told } of progress.notifications)
      expect(told).toMatchObject({ progressToken: "p-1" });
    const silent = new Recording();
    const logging = tool("test_tool_with_logging");
    await callModern(peers, { params: logging, meta: { [LOG_LEVEL]: "debug" }, observer: silent.observer });
    await callModern(peers, { params: logging, observer: silent.observer });
    const levels = silent.notifications.filter(({ method }) => method === "notifications/message");
    expect(levels).toHaveLength(3);
  });
});

describe("what a parked call is bound to", () => {
  beforeEach(async () => {
    peers = await startPeers("legacy", { park: PARK });
  });
  const call = { params: tool("test_elicitation", { message: "Who?" }) };

  test("another caller's retry, changed params, a used or invented state are refused; the owner's is not disturbed", async () => {
    const first = await callModern(peers, call);
    const params = {
      ...call.params,
      requestState: resultOf(first)["requestState"] ?? null,
      inputResponses: answersTo(entriesOf(first)),
    };
    const refused = "REQUEST_STATE_INVALID";
    expect(await codeOf(callModern(peers, { params, caller: "erin" }))).toBe(refused);
    const changed = { ...params, arguments: { message: "Whom?" } };
    expect(await codeOf(callModern(peers, { params: changed }))).toBe(refused);
    expect(await codeOf(callModern(peers, { params: { ...params, requestState: "invented" } }))).toBe(
      refused,
    );
    expect(textOf(await callModern(peers, { params }))).toContain("action=accept");
    expect(await codeOf(callModern(peers, { params }))).toBe(refused);
  });

  test("a caller may park only so many calls; further ones are refused to the server", async () => {
    await Promise.all([callModern(peers, call), callModern(peers, call)]);
    const third = resultOf(await callModern(peers, call));
    expect(third["isError"]).toBe(true);
    expect(resultOf(await callModern(peers, { ...call, caller: "erin" }))["resultType"]).toBe(
      "input_required",
    );
  });
});

test("a client is told what is missing, where the server asked for it and failed without", async () => {
  peers = await startPeers("legacy");
  const call = { params: tool("test_missing_capability"), meta: { [CAPABILITIES]: {} } };
  expect(await callModern(peers, call)).toMatchObject({
    kind: "error",
    error: { code: -32021, data: { requiredCapabilities: { sampling: {} } } },
  });
});

test("a call that nobody answers ends upstream, and its state with it", async () => {
  peers = await startPeers("legacy", { park: { ...PARK, ttlMs: 20 } });
  const call = { params: tool("test_elicitation", { message: "Who?" }) };
  const first = await callModern(peers, call);
  const params = { ...call.params, requestState: resultOf(first)["requestState"] ?? null };
  await expect.poll(() => peers.bridge.describe().parkedCalls).toBe(0);
  expect(await codeOf(callModern(peers, { params }))).toBe("REQUEST_STATE_INVALID");
});

test("a call whose caller may not be asked ends upstream", async () => {
  peers = await startPeers("legacy");
  const call = { params: tool("test_elicitation", { message: "Who?" }) };
  const first = resultOf(await callModern(peers, call));
  peers.bridge.discard("erin", first);
  expect(peers.bridge.describe().parkedCalls).toBe(1);
  peers.bridge.discard("dana", first);
  expect(peers.bridge.describe().parkedCalls).toBe(0);
  const params = { ...call.params, requestState: first["requestState"] ?? null };
  expect(await codeOf(callModern(peers, { params }))).toBe("REQUEST_STATE_INVALID");
});

test("a caller that goes away cancels upstream", async () => {
  peers = await startPeers("legacy");
  const gone = new AbortController();
  const running = callModern(peers, {
    params: tool("test_tool_with_progress"),
    meta: { progressToken: 1 },
    observer: { ...peers.recording.observer, onNotification: () => gone.abort() },
    signal: gone.signal,
  });
  expect(await codeOf(running)).toBe("EXCHANGE_ABORTED");
});

test("sessions are a caller's own, end when idle and on a swap", async () => {
  const pool = { maxSessions: 8, maxSessionsPerCaller: 2, maxSessionsPerPrincipal: 8, idleMs: 60_000 };
  peers = await startPeers("legacy", { pool });
  const call = { params: tool("test_simple_text") };
  await callModern(peers, call);
  await callModern(peers, call);
  expect(peers.bridge.describe().sessions).toBe(1);
  await callModern(peers, { ...call, caller: "erin" });
  await callModern(peers, { ...call, meta: { [CAPABILITIES]: { sampling: {} } } });
  await callModern(peers, { ...call, meta: { [CAPABILITIES]: { roots: {} } } });
  // Dana has two at most: the one longest unused had to go.
  expect(peers.bridge.describe().sessions).toBe(3);
  peers.bridge.onSwap();
  expect(peers.bridge.describe().sessions).toBe(0);
  expect(
    resultOf(await callModern(peers, { ...call, meta: { [CAPABILITIES]: EVERYTHING } }))["isError"],
  ).not.toBe(true);
});

test("a session that the server forgot is opened again; what was declined is not asked for again", async () => {
  const server = await startLegacyAsks();
  peers = await startPeers("legacy", { url: server.url });
  const call = { params: tool("connect") };
  await callModern(peers, call);
  server.forget();
  expect(entriesOf(await callModern(peers, call))).toHaveProperty("url-1");
  const declined = { params: { ...call.params, inputResponses: { "url-1": { action: "decline" } } } };
  expect(await callModern(peers, declined)).toMatchObject({ kind: "error", error: { code: -32603 } });
  await server.close();
});

describe("roots, which a server keeps as long as its session lasts", () => {
  const pool = { maxSessions: 8, maxSessionsPerCaller: 1, maxSessionsPerPrincipal: 8, idleMs: 60_000 };
  const call = { params: tool("project") };
  let server: LegacyAsksServer;
  beforeEach(async () => {
    server = await startLegacyAsks();
    peers = await startPeers("legacy", { url: server.url, pool });
  });
  afterEach(() => server.close());

  test("are asked of every call; its session ends with it, also where its caller goes away", async () => {
    expect(textOf(await retry(call, await callModern(peers, call)))).toContain("file:///work");
    const abandoned = new AbortController();
    const waiting = { params: tool("work"), signal: abandoned.signal };
    const running = retry(waiting, await callModern(peers, waiting));
    await expect.poll(() => server.log.calls).toBe(1);
    abandoned.abort();
    expect(await codeOf(running)).toBe("EXCHANGE_ABORTED");
    await expect.poll(() => server.log.cancelled).toBe(1);
    expect(Object.values(entriesOf(await callModern(peers, call)))).toEqual([{ method: "roots/list" }]);
    expect(peers.bridge.describe().sessions).toBe(1);
    await expect.poll(() => server.sessions()).toBe(1);
  });

  test("are not told where calls share a session; the server is told why", async () => {
    const parked = { params: tool("elicit") };
    const first = await callModern(peers, parked);
    const refused = resultOf(await callModern(peers, call));
    expect(refused).toMatchObject({ isError: true });
    expect(JSON.stringify(refused["content"])).toContain("Too many calls at once");
    await retry(parked, first);
    expect(textOf(await retry(call, await callModern(peers, call)))).toContain("file:///work");
  });
});

test.each([
  ["that has sessions", { "mcp-session-id": "s1" }],
  ["without sessions", {}],
])("a call whose stream cannot be resumed is not sent again: a server %s", async (_name, headers) => {
  const server = await startRawHttpServer(({ method, body }, response) => {
    switch (body.method) {
      case "initialize": {
        const capabilities = { tools: {} };
        const result = {
          protocolVersion: "2025-11-25",
          capabilities,
          serverInfo: { name: "x", version: "1" },
        };
        return json(response, { jsonrpc: "2.0", id: body.id, result }, 200, headers);
      }
      case "tools/call":
        // The server has it, and says where its answer goes on.
        eventStream(response)("retry: 200\nid: 1\ndata: \n\n");
        return void response.end();
      default:
        response.writeHead(method === "GET" ? 404 : 202).end();
    }
  });
  peers = await startPeers("legacy", { url: server.url });
  expect(await codeOf(callModern(peers, { params: tool("pay") }))).toBe("UPSTREAM_UNAVAILABLE");
  const sent = server.received.filter(({ body }) => body.method === "tools/call");
  expect(sent).toHaveLength(1);
  expect(server.received.some(({ headers }) => headers["last-event-id"] === "1")).toBe(true);
  await server.close();
});
