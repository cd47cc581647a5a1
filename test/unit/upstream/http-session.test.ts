// Legacy sessions over HTTP: handshake, headers, the GET stream, loss, cancellation, the end.
import { afterEach, describe, expect, test } from "vitest";
import type { ServerResponse } from "node:http";
import { createUpstreamFactory } from "#upstream";
import type { ServerUpstream } from "#upstream";
import { LIMITS, Recording, codeOf, legacyChannel, legacyRequest } from "./recording.ts";
import { event, eventStream, json, resultFor, startRawHttpServer } from "./raw-http-server.ts";
import type { RawHttpServer, Received, Script } from "./raw-http-server.ts";

const cleanups: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

const INITIALIZE_RESULT = {
  protocolVersion: "2025-11-25",
  capabilities: { tools: {} },
  serverInfo: { name: "raw", version: "1" },
};
const never = (): AbortSignal => new AbortController().signal;

interface Setup {
  readonly server: RawHttpServer;
  readonly upstream: ServerUpstream;
  readonly recording: Recording;
}

interface Parts {
  readonly onCall?: Script;
  readonly onGet?: Script;
  readonly onInitialize?: Script;
}

/** A sessionful legacy server; what a test does not script behaves well. */
async function setUp(parts: Parts = {}): Promise<Setup> {
  let sessions = 0;
  const script: Script = (request, response) => {
    if (request.method === "GET")
      return parts.onGet === undefined ? void response.writeHead(405).end() : parts.onGet(request, response);
    if (request.method === "DELETE") return void response.writeHead(200).end();
    if (request.body.method === "initialize") {
      if (parts.onInitialize !== undefined) return parts.onInitialize(request, response);
      return json(response, resultFor(request, INITIALIZE_RESULT), 200, {
        "mcp-session-id": `session-${String(++sessions)}`,
      });
    }
    if (request.body.id === undefined || request.body.method === undefined)
      return void response.writeHead(202).end();
    return parts.onCall === undefined ? json(response, resultFor(request)) : parts.onCall(request, response);
  };
  const server = await startRawHttpServer(script);
  const recording = new Recording();
  const create = createUpstreamFactory({ programs: new Map(), events: recording.events });
  const upstream = create({ id: "raw", eras: { legacy: {} } }, { type: "streamable-http", url: server.url });
  cleanups.push(server.close, upstream.close);
  return { server, upstream, recording };
}

const methodsOf = (received: readonly Received[]): (string | undefined)[] =>
  received.filter((request) => request.method === "POST").map((request) => request.body.method);

describe("handshake", () => {
  test("declares the client that the channel stands for", async () => {
    const { server, upstream, recording } = await setUp();
    const capabilities = { elicitation: { form: {} } };
    const info = { name: "desk-agent", version: "3.1", icons: [{ src: "https://desk.example/i.png" }] };
    const channel = { ...legacyChannel(), client: { capabilities, info } };
    await upstream.request(channel, legacyRequest("tools/list"), recording.observer, LIMITS, never());
    const declared = server.received[0]?.body.params;
    expect(declared).toEqual({
      protocolVersion: "2025-11-25",
      capabilities,
      clientInfo: { name: "desk-agent", version: "3.1" },
    });
  });

  test("once for concurrent callers, with empty capabilities; session and version on everything after it", async () => {
    const { server, upstream, recording } = await setUp();
    const call = (): Promise<unknown> =>
      upstream.request(legacyChannel(), legacyRequest("tools/list"), recording.observer, LIMITS, never());
    await Promise.all([call(), call(), call()]);
    expect(methodsOf(server.received)).toEqual([
      "initialize",
      "notifications/initialized",
      "tools/list",
      "tools/list",
      "tools/list",
    ]);
    const [initialize, ...rest] = server.received.filter((request) => request.method === "POST");
    expect(initialize?.body.params).toEqual({
      protocolVersion: "2025-11-25",
      capabilities: {},
      clientInfo: { name: "aegis-gateway", version: "0.1.0" },
    });
    expect(initialize?.headers["mcp-session-id"]).toBeUndefined();
    for (const request of rest) {
      expect(request.headers).toMatchObject({
        "mcp-session-id": "session-1",
        "mcp-protocol-version": "2025-11-25",
      });
    }
  });

  test("each downstream session has a session of its own", async () => {
    const { server, upstream, recording } = await setUp();
    for (const session of ["a", "b"]) {
      await upstream.request(
        legacyChannel(session),
        legacyRequest("tools/list"),
        recording.observer,
        LIMITS,
        never(),
      );
    }
    const used = server.received
      .filter((request) => request.body.method === "tools/list")
      .map((request) => request.headers["mcp-session-id"]);
    expect(used).toEqual(["session-1", "session-2"]);
    expect(upstream.describe().openChannels).toBe(2);
  });

  test.each<[string, string, Script]>([
    [
      "an unknown revision",
      "UPSTREAM_PROTOCOL",
      (request, response) =>
        json(response, resultFor(request, { ...INITIALIZE_RESULT, protocolVersion: "1999-01-01" })),
    ],
    [
      "an error",
      "UPSTREAM_PROTOCOL",
      (request, response) =>
        json(response, { jsonrpc: "2.0", id: request.body.id, error: { code: -32602, message: "no" } }),
    ],
    [
      "a malformed session id",
      "UPSTREAM_PROTOCOL",
      (request, response) =>
        json(response, resultFor(request, INITIALIZE_RESULT), 200, { "mcp-session-id": "a b" }),
    ],
    ["404", "UPSTREAM_UNAVAILABLE", (_request, response) => void response.writeHead(404).end()],
  ])("%s: nothing is called, and the next request tries again", async (_name, code, onInitialize) => {
    const { server, upstream, recording } = await setUp({ onInitialize });
    for (let attempt = 1; attempt <= 2; attempt++) {
      const work = upstream.request(
        legacyChannel(),
        legacyRequest("tools/list"),
        recording.observer,
        LIMITS,
        never(),
      );
      expect(await codeOf(work)).toBe(code);
      expect(methodsOf(server.received)).toEqual(Array(attempt).fill("initialize"));
    }
  });

  test("a caller that gives up does not fail the others that wait for the same session", async () => {
    let release: (() => void) | undefined;
    const { upstream, recording } = await setUp({
      onInitialize: (request, response) => {
        release = () => json(response, resultFor(request, INITIALIZE_RESULT));
      },
    });
    const caller = new AbortController();
    const impatient = codeOf(
      upstream.request(
        legacyChannel(),
        legacyRequest("tools/list"),
        recording.observer,
        LIMITS,
        caller.signal,
      ),
    );
    const patient = upstream.request(
      legacyChannel(),
      legacyRequest("tools/list"),
      recording.observer,
      LIMITS,
      never(),
    );
    await expect.poll(() => release).toBeDefined();
    caller.abort();
    expect(await impatient).toBe("EXCHANGE_ABORTED");
    release?.();
    expect(await patient).toEqual({ kind: "result", result: { ok: true } });
  });
});

describe("a lost session", () => {
  const lost404: Script = (_request, response) =>
    json(response, { jsonrpc: "2.0", id: null, error: { code: -32001, message: "Session not found" } }, 404);
  const lost400: Script = (_request, response) =>
    json(response, { jsonrpc: "2.0", id: null, error: { code: -32000, message: "No valid session" } }, 400);

  const lostText: Script = (_request, response) =>
    void response
      .writeHead(400, { "content-type": "text/plain" })
      .end("Bad Request: No valid session ID provided");
  const lostUntyped: Script = (_request, response) =>
    void response
      .writeHead(400)
      .end('{"jsonrpc":"2.0","error":{"code":-32001,"message":"Session not found"}}');

  test.each([
    ["404", lost404],
    ["400 with -32000", lost400],
    ["400 in plain text", lostText],
    ["400 without a type", lostUntyped],
  ])("%s fails this call, is reported, and the next call opens a new one", async (_name, lose) => {
    const { server, upstream, recording } = await setUp({
      onCall: (request, response) =>
        request.headers["mcp-session-id"] === "session-1"
          ? lose(request, response)
          : json(response, resultFor(request)),
    });
    const call = (): Promise<unknown> =>
      upstream.request(
        legacyChannel(),
        legacyRequest("tools/call", { name: "t" }),
        recording.observer,
        LIMITS,
        never(),
      );
    expect(await codeOf(call())).toBe("UPSTREAM_UNAVAILABLE");
    expect(recording.closed).toHaveLength(1);
    expect(await call()).toEqual({ kind: "result", result: { ok: true } });
    // The lost call was not repeated.
    expect(methodsOf(server.received).filter((method) => method === "tools/call")).toHaveLength(2);
  });
});

test("an error of status 400 that is about the message leaves the session", async () => {
  const { server, upstream, recording } = await setUp({
    onCall: (request, response) => {
      const { id } = JSON.parse(request.text) as { id: number };
      json(response, { jsonrpc: "2.0", id, error: { code: -32602, message: "bad arguments" } }, 400);
    },
  });
  const request = legacyRequest("tools/call", { name: "t" });
  for (let round = 0; round < 2; round++)
    expect(
      await upstream.request(legacyChannel(), request, recording.observer, LIMITS, never()),
    ).toMatchObject({ kind: "error", error: { code: -32602 } });
  expect(recording.closed).toEqual([]);
  expect(methodsOf(server.received).filter((method) => method === "initialize")).toHaveLength(1);
});

describe("streams", () => {
  test("the GET stream: notifications reach the channel, requests are answered by POST; it is opened again with the last event id", async () => {
    const streams: { request: Received; response: ServerResponse }[] = [];
    const { server, upstream, recording } = await setUp({
      onGet: (request, response) => {
        streams.push({ request, response });
        eventStream(response);
      },
    });
    await upstream.request(legacyChannel(), legacyRequest("tools/list"), recording.observer, LIMITS, never());
    await expect.poll(() => streams.length).toBe(1);
    streams[0]?.response.write(
      `id: e-1\n${event({ jsonrpc: "2.0", method: "notifications/tools/list_changed" })}`,
    );
    streams[0]?.response.write(event({ jsonrpc: "2.0", id: "srv-1", method: "roots/list" }));
    await recording.until(() => recording.channelRequests.length === 1);
    expect(recording.channelNotifications).toEqual([
      { jsonrpc: "2.0", method: "notifications/tools/list_changed" },
    ]);
    await expect
      .poll(() =>
        server.received.some(
          (request) => request.text.includes('"id":"srv-1"') && request.text.includes("-32601"),
        ),
      )
      .toBe(true);
    streams[0]?.response.end();
    await expect.poll(() => streams.length, { timeout: 5_000 }).toBe(2);
    expect(streams[1]?.request.headers["last-event-id"]).toBe("e-1");
  });

  test.each([400, 404])(
    "%d to the GET of a stream that was open means that the session is lost",
    async (status) => {
      let streams = 0;
      const { upstream, recording } = await setUp({
        onGet: (_request, response) => {
          if (++streams > 1) return void response.writeHead(status).end();
          eventStream(response)("");
          response.end();
        },
      });
      await upstream.request(
        legacyChannel(),
        legacyRequest("tools/list"),
        recording.observer,
        LIMITS,
        never(),
      );
      await recording.until(() => recording.closed.length === 1);
      expect(recording.closed).toMatchObject([{ reason: "the server no longer knows the session" }]);
    },
  );

  test.each([400, 405])(
    "%d to the first GET means that there is none: it is asked for once",
    async (status) => {
      const { server, upstream, recording } = await setUp({
        onGet: (_request, response) => void response.writeHead(status).end(),
      });
      const list = legacyRequest("tools/list");
      for (let round = 0; round < 3; round++)
        await upstream.request(legacyChannel(), list, recording.observer, LIMITS, never());
      expect(server.received.filter((request) => request.method === "GET")).toHaveLength(1);
      expect(recording.closed).toEqual([]);
    },
  );

  test("a server request on a call's stream goes to that call's observer, and the call then completes", async () => {
    let finish: (() => void) | undefined;
    const { server, upstream, recording } = await setUp({
      onCall: (request, response) => {
        const write = eventStream(response);
        write(event({ jsonrpc: "2.0", id: 77, method: "elicitation/create", params: { message: "?" } }));
        finish = () => response.end(event(resultFor(request)));
      },
    });
    recording.reply = { kind: "result", result: { action: "decline" } };
    const work = upstream.request(
      legacyChannel(),
      legacyRequest("tools/call", { name: "t" }),
      recording.observer,
      LIMITS,
      never(),
    );
    await expect
      .poll(() => server.received.map((request) => request.text))
      .toContain('{"jsonrpc":"2.0","id":77,"result":{"action":"decline"}}');
    expect(recording.serverRequests).toEqual([
      { jsonrpc: "2.0", id: 77, method: "elicitation/create", params: { message: "?" } },
    ]);
    finish?.();
    expect(await work).toEqual({ kind: "result", result: { ok: true } });
  });
});

describe("the end", () => {
  test("an abort sends notifications/cancelled with the id the server knows", async () => {
    const { server, upstream, recording } = await setUp({ onCall: () => undefined });
    const caller = new AbortController();
    const code = codeOf(
      upstream.request(
        legacyChannel(),
        legacyRequest("tools/call", { name: "slow" }),
        recording.observer,
        LIMITS,
        caller.signal,
      ),
    );
    await expect.poll(() => methodsOf(server.received)).toContain("tools/call");
    caller.abort();
    expect(await code).toBe("EXCHANGE_ABORTED");
    await expect.poll(() => methodsOf(server.received)).toContain("notifications/cancelled");
    const call = server.received.find((request) => request.body.method === "tools/call");
    const cancelled = server.received.find((request) => request.body.method === "notifications/cancelled");
    expect(cancelled?.body.params?.["requestId"]).toBe(call?.body.id);
    expect(cancelled?.headers["mcp-session-id"]).toBe("session-1");
  });

  test("release sends DELETE, is no event, and a later call starts over", async () => {
    const { server, upstream, recording } = await setUp();
    const call = (): Promise<unknown> =>
      upstream.request(legacyChannel(), legacyRequest("tools/list"), recording.observer, LIMITS, never());
    await call();
    await upstream.release(legacyChannel());
    expect(server.received.at(-1)).toMatchObject({
      method: "DELETE",
      headers: { "mcp-session-id": "session-1" },
    });
    expect(recording.closed).toEqual([]);
    expect(upstream.describe().openChannels).toBe(0);
    await call();
    expect(
      server.received.findLast((request) => request.body.method === "tools/list")?.headers["mcp-session-id"],
    ).toBe("session-2");
  });

  test("a client notification is passed on while the channel is open, and is nothing otherwise", async () => {
    const { server, upstream, recording } = await setUp();
    const notification = { jsonrpc: "2.0", method: "notifications/roots/list_changed" };
    await upstream.notify(legacyChannel(), notification, never());
    expect(server.received).toEqual([]);
    await upstream.request(legacyChannel(), legacyRequest("tools/list"), recording.observer, LIMITS, never());
    await upstream.notify(legacyChannel(), notification, never());
    expect(server.received.at(-1)?.text).toBe(JSON.stringify(notification));
  });
});

describe("a server that closes the stream of a call and wants to be polled (2025-11-25)", () => {
  const closing: Script = (_request, response) => {
    eventStream(response)("id: call-1\nretry: 200\ndata:\n\n");
    response.end();
  };

  test("the stream is resumed by GET with the last event id until the answer comes; the call is sent once", async () => {
    let call: Received | undefined;
    let polls = 0;
    const { server, upstream, recording } = await setUp({
      onCall: (request, response) => {
        call = request;
        return closing(request, response);
      },
      onGet: (request, response) => {
        if (request.headers["last-event-id"] === undefined) return void response.writeHead(405).end();
        const write = eventStream(response);
        polls++;
        if (polls < 3 || call === undefined)
          write(`id: call-${String(polls + 1)}\n: still working\ndata:\n\n`);
        else write(event(resultFor(call)));
        response.end();
      },
    });
    const reply = await upstream.request(
      legacyChannel(),
      legacyRequest("tools/call", { name: "t" }),
      recording.observer,
      LIMITS,
      never(),
    );
    expect(reply).toEqual({ kind: "result", result: { ok: true } });
    const gets = server.received.filter((request) => request.headers["last-event-id"] !== undefined);
    expect(gets.map((request) => request.headers["last-event-id"])).toEqual(["call-1", "call-2", "call-3"]);
    expect(gets.every((request) => request.headers["mcp-session-id"] === "session-1")).toBe(true);
    expect(methodsOf(server.received).filter((method) => method === "tools/call")).toHaveLength(1);
  });

  test("a server that cannot be polled after all fails the call; an abort ends the polling", async () => {
    const { upstream, recording } = await setUp({ onCall: closing });
    const work = upstream.request(
      legacyChannel(),
      legacyRequest("tools/call", { name: "t" }),
      recording.observer,
      LIMITS,
      never(),
    );
    expect(await codeOf(work)).toBe("UPSTREAM_UNAVAILABLE");
    const polled = await setUp({ onCall: closing, onGet: closing });
    const slow = polled.upstream.request(
      legacyChannel(),
      legacyRequest("tools/call", { name: "t" }),
      polled.recording.observer,
      LIMITS,
      AbortSignal.timeout(500),
    );
    expect(await codeOf(slow)).toBe("UPSTREAM_TIMEOUT");
  });
});
