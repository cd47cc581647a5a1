// HTTP+SSE and WebSocket upstreams against servers of the SDK 1.x, and against peers that break the transport's rules.
import { afterEach, describe, expect, test } from "vitest";
import type { RemoteTransport } from "#bundle";
import { systemClock } from "#std";
import { UPSTREAM_CAPS, createPinVerifier, createUpstreamFactory, listDefinitions } from "#upstream";
import type { ServerUpstream } from "#upstream";
import { startSocketServer, startSseServer, startWebSocketServer } from "../../servers/sdk-servers.ts";
import type { SdkServer, SocketServerOptions } from "../../servers/sdk-servers.ts";
import { startRawHttpServer } from "./raw-http-server.ts";
import { LIMITS, MODERN, Recording, callTool, codeOf, legacyChannel, legacyRequest } from "./recording.ts";

const soon = (): AbortSignal => AbortSignal.timeout(10_000);
const TOKEN = "s3cret-token-value";
const closers: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const close of closers.splice(0).reverse()) await close();
});

interface Setup {
  readonly upstream: ServerUpstream;
  readonly recording: Recording;
}

function connect(transport: RemoteTransport, monotonicMs?: () => number): Setup {
  const recording = new Recording();
  const create = createUpstreamFactory({
    programs: new Map(),
    credentials: new Map([["token", TOKEN]]),
    events: recording.events,
    ...(monotonicMs === undefined ? {} : { monotonicMs }),
  });
  const upstream = create({ id: "s", eras: { legacy: {} } }, transport);
  closers.push(upstream.close);
  return { upstream, recording };
}

const START = { sse: startSseServer, websocket: startWebSocketServer } as const;

async function started(type: "sse" | "websocket"): Promise<SdkServer> {
  const server = await START[type]();
  closers.push(server.close);
  return server;
}

describe.each(["sse", "websocket"] as const)("an SDK 1.x server over %s", (type) => {
  const channel = legacyChannel();
  const add = legacyRequest("tools/call", { name: "add", arguments: { a: 2, b: 3 } });

  test("lists everything and calls a tool, many at once", async () => {
    const server = await started(type);
    const { upstream, recording } = connect({ type, url: server.url });
    const listing = await listDefinitions(upstream, channel, soon());
    expect(listing.definitions.map(({ kind, name }) => `${kind} ${name}`)).toEqual([
      "tool add",
      "tool slow",
      "resource memo://today",
      "resource-template memo://{day}",
      "prompt greet",
    ]);
    expect(listing.entry.instructions).toBe("Use add for sums.");
    const replies = await Promise.all(
      Array.from({ length: 50 }, () => upstream.request(channel, add, recording.observer, LIMITS, soon())),
    );
    expect(replies.every((reply) => JSON.stringify(reply).includes('"5"'))).toBe(true);
    expect(recording.violations).toEqual([]);
    expect(upstream.describe().openChannels).toBe(1);
  });

  test("sends the credential on every request, and in the header the registry names", async () => {
    const server = await started(type);
    const bearer = connect({ type, url: server.url, credential: "token" });
    await bearer.upstream.request(channel, add, bearer.recording.observer, LIMITS, soon());
    expect(server.headers().every((headers) => headers.authorization === `Bearer ${TOKEN}`)).toBe(true);
    const before = server.headers().length;
    const own = connect({ type, url: server.url, credential: "token", header: "x-api-key" });
    await own.upstream.request(channel, add, own.recording.observer, LIMITS, soon());
    const later = server.headers().slice(before);
    expect(later.length).toBeGreaterThan(0);
    expect(
      later.every((headers) => headers["x-api-key"] === TOKEN && headers.authorization === undefined),
    ).toBe(true);
  });

  test("an abort cancels upstream and the channel lives on", async () => {
    const server = await started(type);
    const { upstream, recording } = connect({ type, url: server.url });
    await upstream.announce(channel, soon());
    const caller = new AbortController();
    const slow = codeOf(
      upstream.request(
        channel,
        legacyRequest("tools/call", { name: "slow", arguments: {} }),
        recording.observer,
        LIMITS,
        caller.signal,
      ),
    );
    caller.abort();
    expect(await slow).toBe("EXCHANGE_ABORTED");
    expect(await upstream.request(channel, add, recording.observer, LIMITS, soon())).toMatchObject({
      kind: "result",
    });
  });

  test("a lost connection fails what is under way, is reported, and the next use opens a new one", async () => {
    const server = await started(type);
    const { upstream, recording } = connect({ type, url: server.url });
    await upstream.announce(channel, soon());
    const slow = codeOf(
      upstream.request(
        channel,
        legacyRequest("tools/call", { name: "slow", arguments: {} }),
        recording.observer,
        LIMITS,
        soon(),
      ),
    );
    server.drop();
    expect(await slow).toBe("UPSTREAM_UNAVAILABLE");
    await recording.until(() => recording.closed.length === 1);
    expect(await upstream.request(channel, add, recording.observer, LIMITS, soon())).toMatchObject({
      kind: "result",
    });
  });

  test("nobody listening is UPSTREAM_UNAVAILABLE, unsent; then it backs off", async () => {
    const server = await START[type]();
    await server.close();
    const clock = { nowMs: 0 };
    const { upstream, recording } = connect({ type, url: server.url }, () => clock.nowMs);
    const fails = (): Promise<unknown> => upstream.request(channel, add, recording.observer, LIMITS, soon());
    await expect(fails()).rejects.toMatchObject({ code: "UPSTREAM_UNAVAILABLE", unsent: true });
    await recording.until(() => recording.closed.length === 1);
    await expect(fails()).rejects.toMatchObject({ code: "UPSTREAM_UNAVAILABLE", unsent: true });
    await recording.until(() => recording.closed.length === 2);
    await expect(fails()).rejects.toMatchObject({
      detail: expect.stringContaining("keeps ending") as unknown,
    });
  });

  test("an answer over the response cap fails its request alone", async () => {
    const server = await started(type);
    const { upstream, recording } = connect({ type, url: server.url });
    const tiny = { maxResponseBytes: 10 };
    expect(await codeOf(upstream.request(channel, add, recording.observer, tiny, soon()))).toBe(
      "RESULT_TOO_LARGE",
    );
    expect(await upstream.request(channel, add, recording.observer, LIMITS, soon())).toMatchObject({
      kind: "result",
    });
  });

  test("its definitions are verified against pins as over any transport", async () => {
    const server = await started(type);
    const { upstream } = connect({ type, url: server.url });
    const { definitions } = await listDefinitions(upstream, channel, soon());
    const leaves = definitions.map(({ kind, name, digest, definition }) => ({
      action: `${kind}:${name}`,
      kind,
      name,
      // One definition stands in the pin as it no longer is.
      definitions: [
        { eras: ["legacy" as const], digest: name === "slow" ? "0".repeat(64) : digest, definition },
      ],
      argumentsProgram: { nodes: [{ always: true }], root: 0 },
      paramHeaders: [],
    }));
    const facts = { id: "s", tier: "", labels: [], transports: {}, pinMaxAgeMs: 60_000, eras: {}, leaves };
    const alarms: string[] = [];
    const verifier = createPinVerifier({
      servers: [{ entry: facts, upstream }],
      clock: systemClock,
      onAlarm: ({ name }) => alarms.push(name),
    });
    await verifier.verify("s", "legacy", soon());
    const verdicts = leaves.map((leaf) => [leaf.name, verifier.check("s", "legacy", leaf).ok]);
    verifier.dispose();
    expect(Object.fromEntries(verdicts)).toMatchObject({ add: true, slow: false, greet: true });
    expect(alarms).toEqual(["slow"]);
  });

  test("release and close leave no connection", async () => {
    const server = await started(type);
    const { upstream, recording } = connect({ type, url: server.url });
    await upstream.announce(channel, soon());
    await upstream.release(channel);
    expect(upstream.describe().openChannels).toBe(0);
    await upstream.close();
    expect(recording.closed).toEqual([]);
    expect(await codeOf(upstream.announce(channel, soon()))).toBe("UPSTREAM_UNAVAILABLE");
  });
});

test.each(["streamable-http", "sse", "websocket"] as const)(
  "%s: a credential that is not configured names itself and the remedy, never a value",
  (type) => {
    const url = type === "websocket" ? "ws://127.0.0.1:9/" : "http://127.0.0.1:9/";
    expect(() => connect({ type, url, credential: "other" })).toThrow(/"other".*credentials.*env:NAME/);
    const create = createUpstreamFactory({
      programs: new Map(),
      credentials: new Map([["token", "line\r\nbreak"]]),
      events: new Recording().events,
    });
    expect(() => create({ id: "s", eras: {} }, { type, url, credential: "token" })).toThrow(
      /^(?!.*break).*cannot stand in a header/,
    );
  },
);

describe("HTTP+SSE", () => {
  test.each([
    ["another origin", "http://127.0.0.1:1/messages", "names another origin"],
    ["a file", "file:///etc/passwd", "names another origin"],
    ["credentials", "http://a:b@HOST/messages", "names another origin"],
    ["a very long one", `/messages?${"x".repeat(5_000)}`, "names another origin"],
  ])("an endpoint event with %s is refused", async (_name, endpoint, detail) => {
    const server = await startRawHttpServer((request, response) => {
      response.writeHead(200, { "content-type": "text/event-stream" });
      const host = request.headers.host ?? "";
      response.write(`event: endpoint\ndata: ${endpoint.replace("HOST", host)}\n\n`);
    });
    closers.push(server.close);
    const { upstream } = connect({ type: "sse", url: server.url, credential: "token" });
    await expect(upstream.announce(legacyChannel(), soon())).rejects.toMatchObject({
      code: "UPSTREAM_PROTOCOL",
      detail: expect.stringContaining(detail) as unknown,
    });
    expect(server.received).toHaveLength(1);
  });

  test.each([302, 401, 404, 500])(
    "status %i instead of a stream is told, and is no redirect",
    async (status) => {
      const server = await startRawHttpServer((_request, response) => {
        response.writeHead(status, { location: "http://127.0.0.1:1/" }).end();
      });
      closers.push(server.close);
      const { upstream } = connect({ type: "sse", url: server.url, credential: "token" });
      await expect(upstream.announce(legacyChannel(), soon())).rejects.toMatchObject({ httpStatus: status });
      expect(server.received).toHaveLength(1);
    },
  );
});

describe("WebSocket", () => {
  async function socketServer(options: SocketServerOptions): Promise<SdkServer> {
    const server = await startSocketServer(options);
    closers.push(server.close);
    return server;
  }

  test("a modern server: discover and a call on one shared connection", async () => {
    const server = await socketServer({
      onConnection: (socket) =>
        socket.on("message", (data: Buffer) => {
          const { id, method } = JSON.parse(data.toString()) as { id: number; method: string };
          const result =
            method === "server/discover"
              ? { supportedVersions: ["2026-07-28"], capabilities: {} }
              : { content: [] };
          socket.send(JSON.stringify({ jsonrpc: "2.0", id, result }));
        }),
    });
    const { upstream, recording } = connect({ type: "websocket", url: server.url });
    expect(await upstream.announce(MODERN, soon())).toMatchObject({ protocolVersion: "2026-07-28" });
    expect(await upstream.request(MODERN, callTool("x"), recording.observer, LIMITS, soon())).toEqual({
      kind: "result",
      result: { content: [] },
    });
    expect(server.headers()).toHaveLength(1);
    expect(server.headers()[0]?.["sec-websocket-protocol"]).toBe("mcp");
  });

  test.each([
    ["another subprotocol", { subprotocol: "chat" }],
    ["no subprotocol", { subprotocol: false as const }],
    ["status 401", { refuseWith: 401 }],
    ["a redirect", { refuseWith: 302 }],
  ])("%s is refused, unsent", async (_name, more) => {
    const server = await socketServer({ onConnection: () => undefined, ...more });
    const { upstream } = connect({ type: "websocket", url: server.url, credential: "token" });
    await expect(upstream.announce(legacyChannel(), soon())).rejects.toMatchObject({
      code: "UPSTREAM_UNAVAILABLE",
      unsent: true,
      ...("refuseWith" in more ? { httpStatus: more.refuseWith } : {}),
    });
  });

  test.each<[string, string, (socket: { send: (data: string | Uint8Array) => void }) => void]>([
    ["a binary message", "UPSTREAM_UNAVAILABLE", (socket) => socket.send(new Uint8Array([1, 2, 3]))],
    [
      "a message over the cap",
      "RESULT_TOO_LARGE",
      (socket) => socket.send("x".repeat(UPSTREAM_CAPS.maxLineBytes + 1)),
    ],
    [
      "a flood of garbage",
      "UPSTREAM_UNAVAILABLE",
      (socket) => {
        for (let count = 0; count <= UPSTREAM_CAPS.maxMalformedLines; count++) socket.send("[{]");
      },
    ],
  ])("%s closes the connection and is reported", async (_name, code, misbehave) => {
    const server = await socketServer({
      onConnection: (socket) => socket.on("message", () => misbehave(socket)),
    });
    const { upstream, recording } = connect({ type: "websocket", url: server.url });
    expect(await codeOf(upstream.request(MODERN, callTool("x"), recording.observer, LIMITS, soon()))).toBe(
      code,
    );
    await recording.until(() => recording.closed.length === 1);
    expect(recording.violations.length).toBeGreaterThan(0);
  });
});
