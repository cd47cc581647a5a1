// Modern upstreams over HTTP, against servers that answer badly on purpose.
import { createServer } from "node:net";
import type { AddressInfo } from "node:net";
import { afterEach, describe, expect, test } from "vitest";
import { createUpstreamFactory, isUnsent } from "#upstream";
import type { ServerUpstream } from "#upstream";
import type { ServerResponse } from "node:http";
import { LIMITS, MODERN, Recording, callTool, codeOf, modernRequest } from "./recording.ts";
import { event, eventStream, json, resultFor, startRawHttpServer } from "./raw-http-server.ts";
import type { RawHttpServer, Received, Script } from "./raw-http-server.ts";

const cleanups: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

async function setUp(
  script: Script,
): Promise<{ server: RawHttpServer; upstream: ServerUpstream; recording: Recording }> {
  const server = await startRawHttpServer(script);
  const recording = new Recording();
  const upstream = upstreamFor(server.url, recording);
  cleanups.push(server.close, upstream.close);
  return { server, upstream, recording };
}

function upstreamFor(url: string, recording: Recording): ServerUpstream {
  const create = createUpstreamFactory({ programs: new Map(), events: recording.events });
  return create({ id: "raw", eras: { modern: {} } }, { type: "streamable-http", url });
}

const never = (): AbortSignal => new AbortController().signal;

describe("what leaves", () => {
  test("exactly the standard headers, mirrored from the message that is sent", async () => {
    const { server, upstream, recording } = await setUp((request, response) =>
      json(response, resultFor(request)),
    );
    const request = {
      ...callTool("übersicht", { region: "eu-1" }),
      paramHeaders: { Region: "eu-1", Count: 3, On: true, Empty: null },
    };
    await upstream.request(MODERN, request, recording.observer, LIMITS, never());
    const [seen] = server.received;
    const {
      host: _host,
      "content-length": _length,
      connection: _connection,
      ...headers
    } = seen?.headers ?? {};
    expect(headers).toEqual({
      accept: "application/json, text/event-stream",
      "content-type": "application/json",
      "mcp-method": "tools/call",
      "mcp-name": "=?base64?w7xiZXJzaWNodA==?=",
      "mcp-param-count": "3",
      "mcp-param-on": "true",
      "mcp-param-region": "eu-1",
      "mcp-protocol-version": "2026-07-28",
    });
  });

  test("a cookie that was set does not come back, numbers keep their digits", async () => {
    const { server, upstream, recording } = await setUp((request, response) => {
      response.writeHead(200, { "content-type": "application/json", "set-cookie": "sid=1; Path=/" });
      response.end(`{"jsonrpc":"2.0","id":${String(request.body.id)},"result":{"big":9007199254740993}}`);
    });
    const first = await upstream.request(MODERN, callTool("t"), recording.observer, LIMITS, never());
    await upstream.request(MODERN, callTool("t"), recording.observer, LIMITS, never());
    expect(server.received[1]?.headers["cookie"]).toBeUndefined();
    expect(JSON.stringify(first)).toContain("9007199254740993");
  });

  test("a modern request without an envelope is the gateway's own fault and is never sent", async () => {
    const { server, upstream, recording } = await setUp((request, response) =>
      json(response, resultFor(request)),
    );
    const work = upstream.request(
      MODERN,
      { method: "tools/list", params: {}, paramHeaders: {} },
      recording.observer,
      LIMITS,
      never(),
    );
    expect(await codeOf(work)).toBe("STAGE_FAULT");
    expect(server.received).toEqual([]);
  });
});

describe("answers", () => {
  test("an event stream: notifications go to the observer, ids and retry and other events to nobody", async () => {
    const { upstream, recording } = await setUp((request, response) => {
      const write = eventStream(response);
      const id = request.body.id;
      write(`: keep-alive\n\nid: evil\nretry: 0\ndata:\n\n`);
      write(`event: endpoint\ndata: /steal\n\n`);
      write(
        event({
          jsonrpc: "2.0",
          method: "notifications/progress",
          params: { progressToken: id, progress: 1 },
        }),
      );
      write(
        event({
          jsonrpc: "2.0",
          method: "notifications/message",
          params: { level: "info", data: "a\n\ndata: {}\n\n\u2028" },
        }),
      );
      write(event(resultFor(request)));
      response.end();
    });
    const reply = await upstream.request(
      MODERN,
      callTool("t", {}, { progressToken: "p" }),
      recording.observer,
      LIMITS,
      never(),
    );
    expect(reply).toEqual({ kind: "result", result: { ok: true } });
    expect(recording.notifications).toEqual([
      { jsonrpc: "2.0", method: "notifications/progress", params: { progressToken: "p", progress: 1 } },
      {
        jsonrpc: "2.0",
        method: "notifications/message",
        params: { level: "info", data: "a\n\ndata: {}\n\n\u2028" },
      },
    ]);
    expect(recording.violations).toEqual(["an event of another type than message"]);
  });

  test("the answers of two callers that arrive in reverse reach their own asker", async () => {
    const waiting: { request: Received; response: ServerResponse }[] = [];
    const { upstream, recording } = await setUp((request, response) => {
      waiting.push({ request, response });
      if (waiting.length < 2) return;
      for (const held of waiting.reverse())
        json(held.response, resultFor(held.request, { name: held.request.body.params?.["name"] }));
    });
    const names = ["a", "b"];
    const replies = await Promise.all(
      names.map((name) => upstream.request(MODERN, callTool(name), recording.observer, LIMITS, never())),
    );
    expect(replies).toEqual(names.map((name) => ({ kind: "result", result: { name } })));
  });

  test("a JSON-RPC error with an error status is an answer", async () => {
    const { upstream, recording } = await setUp((request, response) =>
      json(
        response,
        {
          jsonrpc: "2.0",
          id: request.body.id,
          error: { code: -32601, message: "Method not found", data: { a: 1 } },
        },
        404,
      ),
    );
    const reply = await upstream.request(MODERN, modernRequest("x/y"), recording.observer, LIMITS, never());
    expect(reply).toEqual({
      kind: "error",
      error: { code: -32601, message: "Method not found", data: { a: 1 } },
    });
  });

  test.each<[string, string, Script]>([
    [
      "text that is not JSON",
      "UPSTREAM_PROTOCOL",
      (_request, response) =>
        void response.writeHead(200, { "content-type": "application/json" }).end("{oops"),
    ],
    [
      "duplicate keys",
      "UPSTREAM_PROTOCOL",
      (request, response) =>
        void response
          .writeHead(200, { "content-type": "application/json" })
          .end(`{"jsonrpc":"2.0","id":${String(request.body.id)},"result":{"a":1,"a":2}}`),
    ],
    [
      "invalid UTF-8",
      "UPSTREAM_PROTOCOL",
      (request, response) =>
        void response
          .writeHead(200, { "content-type": "application/json" })
          .end(
            Buffer.concat([
              Buffer.from(`{"jsonrpc":"2.0","id":${String(request.body.id)},"result":{"a":"`),
              Buffer.from([0xff]),
              Buffer.from(`"}}`),
            ]),
          ),
    ],
    [
      "invalid UTF-8 in an event",
      "UPSTREAM_PROTOCOL",
      (_request, response) =>
        void response
          .writeHead(200, { "content-type": "text/event-stream" })
          .end(Buffer.from([0x64, 0xff, 0x0a, 0x0a])),
    ],
    ["a batch", "UPSTREAM_PROTOCOL", (request, response) => json(response, [resultFor(request)])],
    [
      "a result that is no object",
      "UPSTREAM_PROTOCOL",
      (request, response) => json(response, { jsonrpc: "2.0", id: request.body.id, result: 5 }),
    ],
    [
      "result and error together",
      "UPSTREAM_PROTOCOL",
      (request, response) => json(response, { ...resultFor(request), error: { code: 1, message: "x" } }),
    ],
    [
      "another id",
      "UPSTREAM_PROTOCOL",
      (_request, response) => json(response, { jsonrpc: "2.0", id: 0, result: {} }),
    ],
    [
      "a stream that ends without an answer",
      "UPSTREAM_PROTOCOL",
      (_request, response) =>
        void response.writeHead(200, { "content-type": "text/event-stream" }).end(": bye\n\n"),
    ],
    ["202 to a request", "UPSTREAM_PROTOCOL", (_request, response) => void response.writeHead(202).end()],
    [
      "HTML",
      "UPSTREAM_PROTOCOL",
      (_request, response) => void response.writeHead(200, { "content-type": "text/html" }).end("<p>hi</p>"),
    ],
    [
      "a redirect",
      "UPSTREAM_PROTOCOL",
      (_request, response) => void response.writeHead(307, { location: "http://127.0.0.1:1/" }).end(),
    ],
    [
      "401",
      "UPSTREAM_UNAVAILABLE",
      (request, response) =>
        json(response, { ...resultFor(request), result: undefined, error: { code: 1, message: "x" } }, 401),
    ],
    ["429", "UPSTREAM_UNAVAILABLE", (_request, response) => void response.writeHead(429).end()],
    [
      "503 with a body",
      "UPSTREAM_UNAVAILABLE",
      (request, response) =>
        json(response, { jsonrpc: "2.0", id: request.body.id, error: { code: 1, message: "x" } }, 503),
    ],
    [
      "a connection that breaks before the answer",
      "UPSTREAM_UNAVAILABLE",
      (_request, response) => void response.destroy(),
    ],
    [
      "a body that breaks off",
      "UPSTREAM_UNAVAILABLE",
      (_request, response) => {
        response.writeHead(200, { "content-type": "application/json", "content-length": "100" }).write("{");
        setImmediate(() => response.destroy());
      },
    ],
  ])("%s is %s", async (_name, code, script) => {
    const { server, upstream, recording } = await setUp(script);
    expect(await codeOf(upstream.request(MODERN, callTool("t"), recording.observer, LIMITS, never()))).toBe(
      code,
    );
    // Never again by itself: a call may have been carried out.
    expect(server.received).toHaveLength(1);
  });

  test.each<[string, Script]>([
    [
      "one JSON body",
      (request, response) => json(response, resultFor(request, { text: "x".repeat(20_000) })),
    ],
    [
      "one event",
      (request, response) =>
        void eventStream(response)(event(resultFor(request, { text: "x".repeat(20_000) }))),
    ],
    [
      "an event that never ends",
      (_request, response) => {
        const write = eventStream(response);
        const more = (): void => {
          if (!response.destroyed) setImmediate(more);
          write("data: xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx\n");
        };
        more();
      },
    ],
    [
      "a flood of notifications",
      (_request, response) => {
        const write = eventStream(response);
        const more = (): void => {
          if (!response.destroyed) setImmediate(more);
          write(
            event({ jsonrpc: "2.0", method: "notifications/message", params: { data: "x".repeat(500) } }),
          );
        };
        more();
      },
    ],
  ])("%s over the cap is RESULT_TOO_LARGE and the connection is closed", async (_name, script) => {
    const { upstream, recording } = await setUp(script);
    const work = upstream.request(
      MODERN,
      callTool("t"),
      recording.observer,
      { maxResponseBytes: 10_000 },
      never(),
    );
    expect(await codeOf(work)).toBe("RESULT_TOO_LARGE");
  });

  test("a server request on a modern stream is dropped, reported and not answered", async () => {
    const { server, upstream, recording } = await setUp((request, response) => {
      const write = eventStream(response);
      write(event({ jsonrpc: "2.0", id: "srv", method: "sampling/createMessage", params: {} }));
      write(event(resultFor(request)));
      write(event(resultFor(request, { second: true })));
      response.end();
    });
    const reply = await upstream.request(MODERN, callTool("t"), recording.observer, LIMITS, never());
    expect(reply).toEqual({ kind: "result", result: { ok: true } });
    await recording.until(() => recording.violations.length === 2);
    expect(recording.violations).toEqual([
      "a server-initiated request (sampling/createMessage) in the modern era",
      "an answer to an unknown or already answered id",
    ]);
    expect(server.received).toHaveLength(1);
  });

  test("a stream that stays open after the answer is closed from here", async () => {
    const { server, upstream, recording } = await setUp(
      (request, response) => void eventStream(response)(event(resultFor(request))),
    );
    await upstream.request(MODERN, callTool("t"), recording.observer, LIMITS, never());
    expect((await server.aborted()).body.method).toBe("tools/call");
  });
});

describe("giving up", () => {
  test("an abort closes the stream, which is the cancellation, and rejects with the signal's own fault", async () => {
    const { server, upstream, recording } = await setUp(
      (_request, response) => void eventStream(response)(": working\n\n"),
    );
    const caller = new AbortController();
    const work = upstream.request(MODERN, callTool("slow"), recording.observer, LIMITS, caller.signal);
    const code = codeOf(work);
    await expect.poll(() => server.received.length).toBe(1);
    caller.abort();
    expect(await code).toBe("EXCHANGE_ABORTED");
    expect((await server.aborted()).body.method).toBe("tools/call");
    expect(server.received).toHaveLength(1);
  });

  test("a timeout is UPSTREAM_TIMEOUT; an aborted signal sends nothing", async () => {
    const { server, upstream, recording } = await setUp(() => undefined);
    const slow = upstream.request(
      MODERN,
      callTool("slow"),
      recording.observer,
      LIMITS,
      AbortSignal.timeout(50),
    );
    expect(await codeOf(slow)).toBe("UPSTREAM_TIMEOUT");
    const late = upstream.request(MODERN, callTool("late"), recording.observer, LIMITS, AbortSignal.abort());
    expect(await codeOf(late)).toBe("EXCHANGE_ABORTED");
    expect(server.received.map((request) => request.body.params?.["name"])).toEqual(["slow"]);
  });

  test("a refused connection is provably unsent, a broken one is not", async () => {
    const free = createServer().listen(0, "127.0.0.1");
    await new Promise((resolve) => free.once("listening", resolve));
    const { port } = free.address() as AddressInfo;
    await new Promise((resolve) => free.close(resolve));
    const recording = new Recording();
    const dead = upstreamFor(`http://127.0.0.1:${port}/mcp`, recording);
    cleanups.push(dead.close);
    const refused: unknown = await dead
      .request(MODERN, callTool("t"), recording.observer, LIMITS, never())
      .catch((error: unknown) => error);
    expect(refused).toMatchObject({ code: "UPSTREAM_UNAVAILABLE", unsent: true });
    expect(isUnsent(refused)).toBe(true);
    const { upstream } = await setUp((_request, response) => void response.destroy());
    const broken: unknown = await upstream
      .request(MODERN, callTool("t"), recording.observer, LIMITS, never())
      .catch((error: unknown) => error);
    expect(isUnsent(broken)).toBe(false);
  });

  test("closing the upstream ends what is under way and refuses what comes", async () => {
    const { server, upstream, recording } = await setUp(() => undefined);
    const code = codeOf(upstream.request(MODERN, callTool("slow"), recording.observer, LIMITS, never()));
    await expect.poll(() => server.received.length).toBe(1);
    await upstream.close();
    expect(await code).toBe("EXCHANGE_ABORTED");
    expect(
      await codeOf(upstream.request(MODERN, callTool("late"), recording.observer, LIMITS, never())),
    ).toBe("UPSTREAM_UNAVAILABLE");
    expect(upstream.describe().openChannels).toBe(0);
  });
});
