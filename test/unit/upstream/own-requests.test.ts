// What the gateway says of itself where it reads what a server shows: it declares what it relays, so that nothing is
// hidden from it, and nobody is asked by that.
import { afterEach, expect, it } from "vitest";
import type { JsonObject } from "#std";
import { createUpstreamFactory, listDefinitions, readingChannel } from "#upstream";
import type { ChannelKey, ServerUpstream } from "#upstream";
import { startRawHttpServer } from "./raw-http-server.ts";
import type { RawHttpServer, Received } from "./raw-http-server.ts";
import { Recording } from "./recording.ts";

const CAPABILITIES = "io.modelcontextprotocol/clientCapabilities";
const RELAYED = { elicitation: { form: {}, url: {} }, roots: {}, sampling: { context: {}, tools: {} } };
const MODERN: ChannelKey = { era: "modern" };

let server: RawHttpServer;
let upstream: ServerUpstream;
afterEach(async () => {
  await upstream.close();
  await server.close();
});

const declared = ({ body }: Received): unknown =>
  (body.params?.["_meta"] as JsonObject | undefined)?.[CAPABILITIES];

/** Shows a tool to those alone who say that they can be sampled. */
async function start(tools: (request: Received) => JsonObject): Promise<Recording> {
  server = await startRawHttpServer((request, response) => {
    const { method } = request.body;
    const result =
      method === "server/discover"
        ? { supportedVersions: ["2026-07-28"], capabilities: { tools: {} } }
        : method === "initialize"
          ? { protocolVersion: "2025-11-25", capabilities: { tools: {} }, serverInfo: {} }
          : tools(request);
    if (request.body.id === undefined) return void response.writeHead(202).end();
    response
      .writeHead(200, { "content-type": "application/json" })
      .end(JSON.stringify({ jsonrpc: "2.0", id: request.body.id, result }));
  });
  const recording = new Recording();
  upstream = createUpstreamFactory({ programs: new Map(), events: recording.events })(
    { id: "raw", eras: {} },
    { type: "streamable-http", url: server.url },
  );
  return recording;
}

it("shows all that a server would show to any client, to every reading alike", async () => {
  const hidden = { name: "summarise", inputSchema: { type: "object" } };
  await start((request) => ({
    resultType: "complete",
    tools: (declared(request) as JsonObject | undefined)?.["sampling"] === undefined ? [] : [hidden],
  }));
  for (let reading = 0; reading < 2; reading += 1) {
    const { definitions } = await listDefinitions(upstream, MODERN, AbortSignal.timeout(5_000));
    expect(definitions.map(({ name }) => name)).toEqual(["summarise"]);
  }
  expect(server.received.map(declared)).toEqual(server.received.map(() => RELAYED));
});

it("takes no question for a list", async () => {
  const recording = await start(() => ({
    resultType: "input_required",
    inputRequests: { name: { method: "elicitation/create", params: { message: "Who are you?" } } },
  }));
  await expect(listDefinitions(upstream, MODERN, AbortSignal.timeout(5_000))).rejects.toMatchObject({
    code: "UPSTREAM_PROTOCOL",
  });
  // Nobody was asked, and nothing was answered.
  expect(recording.serverRequests).toEqual([]);
  expect(server.received.map(({ body }) => body.method)).toEqual(["server/discover", "tools/list"]);
});

it("declares nothing in the legacy era where it reads no definitions", async () => {
  await start(() => ({ tools: [] }));
  const channel: ChannelKey = { era: "legacy", session: "contact", protocolVersion: "2025-11-25" };
  await listDefinitions(upstream, channel, AbortSignal.timeout(5_000));
  expect(server.received[0]?.body.params?.["capabilities"]).toEqual({});
});

it.each(["2025-11-25", "2024-11-05"])("declares the same where it reads in revision %s", async (version) => {
  await start(() => ({ tools: [] }));
  await listDefinitions(upstream, readingChannel("pins", version), AbortSignal.timeout(5_000));
  expect(server.received[0]?.body.params).toEqual({
    protocolVersion: version,
    capabilities: RELAYED,
    clientInfo: { name: "aegis-gateway", version: "0.1.0" },
  });
});

it("refuses at once what a server asks where it reads, whatever stream it comes on, and tells nobody", async () => {
  const methods = ["roots/list", "sampling/createMessage", "elicitation/create"];
  const asks = methods.map((method, id) => ({ jsonrpc: "2.0", id, method, params: {} }));
  const sent = asks.map((ask) => `data: ${JSON.stringify(ask)}\n\n`).join("");
  const answers: Received["body"][] = [];
  const all = Promise.withResolvers<void>();
  const recording = new Recording();
  server = await startRawHttpServer(async (request, response) => {
    const { id, method } = request.body;
    const json = (result: JsonObject): void =>
      void response
        .writeHead(200, { "content-type": "application/json" })
        .end(JSON.stringify({ jsonrpc: "2.0", id, result }));
    if (request.method === "GET") {
      // No request is under way when these arrive, or another than they belong to.
      return void response.writeHead(200, { "content-type": "text/event-stream" }).write(sent);
    }
    if (method === "initialize")
      return json({ protocolVersion: "2025-11-25", capabilities: { tools: {} }, serverInfo: {} });
    if (method === undefined && answers.push(request.body) === methods.length) all.resolve();
    if (method !== "tools/list") return void response.writeHead(202).end();
    await all.promise;
    json({ tools: [] });
  });
  upstream = createUpstreamFactory({ programs: new Map(), events: recording.events })(
    { id: "raw", eras: {} },
    { type: "streamable-http", url: server.url },
  );
  // The server lists nothing before each of its asks was answered.
  await listDefinitions(upstream, readingChannel("pins", "2025-11-25"), AbortSignal.timeout(5_000));
  const refused = { error: { code: -32601, message: "Method not found" } };
  expect(answers).toHaveLength(methods.length);
  expect(answers).toEqual(expect.arrayContaining(asks.map(({ id }) => ({ jsonrpc: "2.0", id, ...refused }))));
  expect([recording.channelRequests, recording.serverRequests, recording.violations]).toEqual([[], [], []]);
});
