// WebSocket and HTTP+SSE before a whole gateway: real clients of the 1.x SDK, bare sockets for what those never send.
import type { Socket } from "node:net";
import { Client as ModernClient, SSEClientTransport as ModernSse } from "@modelcontextprotocol/client";
import { Client } from "@modelcontextprotocol/sdk/client/index.js";
import { SSEClientTransport } from "@modelcontextprotocol/sdk/client/sse.js";
import { WebSocketClientTransport } from "@modelcontextprotocol/sdk/client/websocket.js";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import { WebSocket } from "ws";
import { readAuditRecords } from "./audit-records.ts";
import { startEchoWorld } from "./echo-world.ts";
import type { EchoWorld } from "./echo-world.ts";
import { DEVELOPER, EMPLOYEE } from "./gateway-world.ts";
import { grantingRepository } from "./granting-repository.ts";
import { initializeRequest, modernMeta } from "./raw-call.ts";

const IDENTITY = { name: "aegis-test", version: "1.0.0" };
const INITIALIZE = initializeRequest();
/** Reads roles from a claim that is no list in any token here: none of them is accepted. */
const ROLES_OF_NO_LIST = [
  "issuers:",
  "  - issuer: https://login.example.com/",
  "    jwksUrl: https://login.example.com/jwks.json",
  "    roles: { claim: is_external }",
  "    attributes: { is_external: { claim: is_external, type: Bool, required: true } }",
  "",
].join("\n");

let world: EchoWorld;
let token = "";
const open = new Set<{ close: () => unknown }>();

beforeAll(async () => {
  world = await startEchoWorld({
    gateway: { pollIntervalMs: 3_600_000, overrides: { limits: { streamStallMs: 1_000 } } },
  });
  token = await world.token(DEVELOPER, "echo");
}, 60_000);
afterEach(async () => {
  for (const one of open) await one.close();
  open.clear();
});
afterAll(() => world.stop());

function socketUrl(): string {
  return world.endpoint("echo").href.replace("http:", "ws:");
}

function sseUrl(): URL {
  return new URL(`${world.endpoint("echo").href}/sse`);
}

async function connectSocket(bearer: string): Promise<Client> {
  const client = new Client(IDENTITY);
  const url = new URL(socketUrl());
  // The transport takes the WebSocket of the platform, which can send no header.
  const original = globalThis.WebSocket;
  class WithToken extends WebSocket {
    constructor(address: string | URL, protocols?: string | string[]) {
      super(address, protocols, { headers: { authorization: `Bearer ${bearer}` } });
    }
  }
  globalThis.WebSocket = WithToken as unknown as typeof globalThis.WebSocket;
  try {
    await client.connect(new WebSocketClientTransport(url) as never);
  } finally {
    globalThis.WebSocket = original;
  }
  open.add(client);
  return client;
}

async function connectSse(bearer: string): Promise<Client> {
  const client = new Client(IDENTITY);
  const headers = { authorization: `Bearer ${bearer}` };
  const withToken = (url: string | URL, init?: RequestInit): Promise<Response> =>
    fetch(url, { ...init, headers: { ...Object.fromEntries(new Headers(init?.headers)), ...headers } });
  const transport = new SSEClientTransport(sseUrl(), {
    requestInit: { headers },
    eventSourceInit: { fetch: withToken as never },
  });
  await client.connect(transport as never);
  open.add(client);
  return client;
}

describe.each([
  ["WebSocket", connectSocket],
  ["HTTP+SSE", connectSse],
] as const)("a 1.x client over %s", (_name, connect) => {
  it("initializes, lists, calls, and is denied what it may not", async () => {
    const client = await connect(token);
    const { tools } = await client.listTools();
    expect(tools.map(({ name }) => name)).toContain("echo");
    const before = world.echo.counters().total;
    const result = await client.callTool({ name: "echo", arguments: { text: "over one wire" } });
    expect(JSON.stringify(result)).toContain("over one wire");
    expect(world.echo.counters().total).toBe(before + 1);
    await expect(client.callTool({ name: "nothing", arguments: {} })).rejects.toMatchObject({ code: -32602 });
  });

  it("answers many requests at once, each with its own", async () => {
    const client = await connect(token);
    const texts = Array.from({ length: 20 }, (_, index) => `text-${String(index)}`);
    const results = await Promise.all(
      texts.map((text) => client.callTool({ name: "echo", arguments: { text } })),
    );
    results.forEach((result, index) => expect(JSON.stringify(result)).toContain(texts[index]));
  });

  it("decides every message on its own", async () => {
    const client = await connect(await world.token(EMPLOYEE, "echo"));
    expect((await client.listTools()).tools).toEqual([]);
    await expect(client.callTool({ name: "echo", arguments: { text: "x" } })).rejects.toMatchObject({
      code: 4030,
    });
  });

  it("ends its session with its connection", async () => {
    await until(async () => (await sessions()) === 0);
    const client = await connect(token);
    expect(await sessions()).toBe(1);
    const call = client.callTool({ name: "wait", arguments: { ms: 20_000 } }).catch(() => undefined);
    await until(() => world.echo.counters().waiting === 1);
    await client.close();
    await call;
    await until(async () => (await sessions()) === 0 && (await connections()) === 0);
    await until(() => world.echo.counters().waiting === 0);
  });
});

describe("WebSocket", () => {
  it("is recorded when it opens and when it ends, and its upgrade is refused like any request", async () => {
    for (const [headers, protocol, status] of [
      [{}, "mcp", 401],
      [{ authorization: "Bearer a.b.c" }, "mcp", 401],
      [{ authorization: `Bearer ${token}`, origin: "https://evil.test" }, "mcp", 403],
      [{ authorization: `Bearer ${token}`, host: "evil.test" }, "mcp", 403],
      [{ authorization: `Bearer ${token}` }, "other", 400],
      [{ authorization: `Bearer ${token}` }, undefined, 400],
    ] as const) {
      expect(await refusedUpgrade(socketUrl(), headers, protocol), JSON.stringify(headers)).toBe(status);
    }
    const url = socketUrl();
    const good = { authorization: `Bearer ${token}` };
    expect(await refusedUpgrade(url.replace("/echo/", "/nothing/"), good, "mcp")).toBe(404);
    expect(await refusedUpgrade(`${url}?access_token=${token}`, {}, "mcp")).toBe(400);

    const socket = await openSocket();
    expect(socket.protocol).toBe("mcp");
    socket.close();
    await closed(socket);
    const opened = async (): Promise<readonly Readonly<Record<string, unknown>>[]> =>
      (await readAuditRecords(world.gateway.auditDir))
        .map((record) => record as unknown as { event: string; body: Record<string, unknown> })
        .map(({ body }) => body)
        .filter((body) => body["stage"] === "open-connection");
    const records = await opened();
    expect(records.some((body) => body["effect"] === "allow")).toBe(true);
    expect(records.some((body) => body["code"] === "UPGRADE_INVALID")).toBe(true);
    expect(JSON.stringify(await readAuditRecords(world.gateway.auditDir))).not.toContain(token);
  });

  it("serves modern messages without a session, and cancels one by notification", async () => {
    const socket = await openSocket();
    const seen = collect(socket);
    send(socket, { jsonrpc: "2.0", id: 1, method: "server/discover", params: { _meta: modernMeta() } });
    await until(() => seen.length === 1);
    expect(seen[0]).toMatchObject({ id: 1, result: { supportedVersions: ["2026-07-28"] } });
    const params = { name: "wait", arguments: { ms: 20_000 }, _meta: modernMeta() };
    send(socket, { jsonrpc: "2.0", id: "w", method: "tools/call", params });
    await until(() => world.echo.counters().waiting === 1);
    send(socket, { jsonrpc: "2.0", id: "w", method: "tools/list", params: { _meta: modernMeta() } });
    await until(() => seen.length === 2);
    expect(seen[1]).toMatchObject({ id: "w", error: { code: -32600 } });
    send(socket, { jsonrpc: "2.0", method: "notifications/cancelled", params: { requestId: "w" } });
    await until(() => world.echo.counters().waiting === 0);
    send(socket, { jsonrpc: "2.0", id: 3, method: "tools/list", params: { _meta: modernMeta() } });
    await until(() => seen.length === 3);
    // Nothing was sent for the cancelled request.
    expect(seen[2]).toMatchObject({ id: 3, result: { resultType: "complete" } });
    send(socket, { jsonrpc: "2.0", id: 4, method: "tools/call", params });
    await until(() => world.echo.counters().waiting === 1);
    socket.terminate();
    await until(() => world.echo.counters().waiting === 0);
  });

  it("refuses what is no message with the id it has, and goes on", async () => {
    const socket = await openSocket();
    const seen = collect(socket);
    socket.send("{");
    socket.send("[]");
    socket.send('{"jsonrpc":"2.0","id":7,"method":"tools/list"}');
    await until(() => seen.length === 3);
    expect(seen.map((message) => (message["error"] as { code: number }).code).sort()).toEqual([
      -32600, -32600, -32700,
    ]);
    expect(seen.some((message) => message["id"] === 7)).toBe(true);
    socket.close();
  });

  it.each([
    ["a binary frame", (socket: WebSocket) => socket.send(Buffer.from("{}")), 1003],
    ["a frame above the cap", (socket: WebSocket) => socket.send("x".repeat(1_048_577)), 1009],
  ] as const)("closes on %s", async (_name, provoke, code) => {
    const socket = await openSocket();
    provoke(socket);
    expect(await closed(socket)).toBe(code);
  });

  it("cuts a client that does not read, and serves the others", async () => {
    const slow = await openSocket();
    // From here on: where its own requests are not all written yet, it hears of the cut while it does not read.
    const cut = closed(slow);
    const raw = (slow as unknown as { readonly _socket: Socket })._socket;
    raw.pause();
    const text = "t".repeat(200_000);
    for (let id = 0; id < 60; id += 1) {
      const params = { name: "echo", arguments: { text }, _meta: modernMeta() };
      send(slow, { jsonrpc: "2.0", id, method: "tools/call", params });
    }
    const other = await connectSocket(token);
    const startedMs = performance.now();
    expect((await other.listTools()).tools).toHaveLength(3);
    expect(performance.now() - startedMs).toBeLessThan(5_000);
    await until(async () => (await connections()) === 1);
    raw.resume();
    expect(await cut).toBe(1006);
  }, 30_000);

  it("closes with 1008 when the token is no longer tolerated, and not before", async () => {
    const mintedMs = performance.now();
    const short = await world.issuer.mint({
      subject: DEVELOPER.subject,
      audience: world.endpoint("echo").href,
      claims: { roles: [...DEVELOPER.roles], is_external: false },
      // Past its `exp`, for 3 s more within the tolerance.
      expiresInSeconds: -27,
    });
    const socket = await openSocket(short);
    const stream = await fetch(sseUrl(), { headers: sseHeaders(short) });
    const ended = stream.text().then(() => performance.now());
    expect(await closed(socket)).toBe(1008);
    // Times of a token are whole seconds.
    expect(performance.now() - mintedMs).toBeGreaterThan(1_900);
    expect((await ended) - mintedMs).toBeGreaterThan(1_900);
  }, 15_000);

  it("is ended by a release that drops its route", async () => {
    const socket = await openSocket();
    const stream = await fetch(sseUrl(), { headers: sseHeaders(token) });
    const closing = closed(socket);
    const { target, pins } = world.pinned;
    const elsewhere = { target: { ...target, id: "other" }, pins: { ...pins, server: "other" } };
    await world.release(grantingRepository([elsewhere]));
    expect(await closing).toBe(1008);
    // Reads to the end: the gateway has ended it.
    expect(await stream.text()).toContain("event: endpoint");
    await world.release();
    (await openSocket()).close();
  });

  it("of a session is ended by a release that no longer accepts its token", async () => {
    const socket = await openSocket();
    const seen = collect(socket);
    send(socket, INITIALIZE);
    await until(() => seen.length === 1);
    const legacy = await connectSse(token);
    const sseEnded = new Promise<void>((resolve) => (legacy.onclose = resolve));
    // The transport would open another stream.
    legacy.onerror = () => void legacy.close();
    const closing = closed(socket);
    await world.release(grantingRepository([world.pinned], { "identity.yaml": ROLES_OF_NO_LIST }));
    expect(await closing).toBe(1008);
    await sseEnded;
    await until(async () => (await connections()) === 0);
    await world.release();
  });

  it("holds a principal to its share of connections", async () => {
    const sockets = await Promise.all(Array.from({ length: 16 }, () => openSocket()));
    const headers = { authorization: `Bearer ${token}` };
    expect(await refusedUpgrade(socketUrl(), headers, "mcp")).toBe(503);
    for (const socket of sockets) socket.terminate();
    await until(async () => (await connections()) === 0);
    (await openSocket()).close();
  });
});

describe("HTTP+SSE", () => {
  it("serves the 2.x client", async () => {
    const client = new ModernClient(IDENTITY);
    const headers = { authorization: `Bearer ${token}` };
    const withToken = (url: string | URL, init?: RequestInit): Promise<Response> =>
      fetch(url, { ...init, headers: { ...Object.fromEntries(new Headers(init?.headers)), ...headers } });
    await client.connect(
      new ModernSse(sseUrl(), { requestInit: { headers }, eventSourceInit: { fetch: withToken as never } }),
    );
    open.add(client);
    expect((await client.listTools()).tools).toHaveLength(3);
    const result = await client.callTool({ name: "echo", arguments: { text: "by 2.x" } });
    expect(JSON.stringify(result)).toContain("by 2.x");
  });

  it("binds a stream to its principal, and tells nobody its id", async () => {
    const stream = await fetch(sseUrl(), { headers: sseHeaders(token) });
    expect(stream.status).toBe(200);
    const reader = (stream.body as ReadableStream<Uint8Array>).getReader();
    const first = Buffer.from((await reader.read()).value ?? []).toString("utf8");
    const relative = /^event: endpoint\ndata: (sse\?sessionId=[0-9a-f-]{36})\n\n/u.exec(first)?.[1] ?? "";
    expect(relative).not.toBe("");
    const target = new URL(relative, sseUrl());
    const body = JSON.stringify({ jsonrpc: "2.0", id: 1, method: "ping" });
    const post = (
      url: URL,
      bearer: string | undefined,
      more: Record<string, string> = {},
    ): Promise<Response> =>
      fetch(url, {
        method: "POST",
        body,
        headers: {
          "content-type": "application/json",
          ...(bearer === undefined ? {} : { authorization: `Bearer ${bearer}` }),
          ...more,
        },
      });
    const other = await world.token(EMPLOYEE, "echo");
    expect((await post(target, other)).status).toBe(404);
    expect((await post(target, undefined)).status).toBe(401);
    expect((await post(sseUrl(), token)).status).toBe(404);
    expect((await post(target, token, { origin: "https://evil.test" })).status).toBe(403);
    const unknown = new URL(target);
    unknown.searchParams.set("sessionId", crypto.randomUUID());
    expect((await post(unknown, token)).status).toBe(404);
    expect((await post(new URL(`${target.href}&access_token=x`), token)).status).toBe(400);
    // Read and refused: the answer is on the response, because nothing can be said on the stream without an id.
    const malformed = await fetch(target, {
      method: "POST",
      body: "{",
      headers: { "content-type": "application/json", authorization: `Bearer ${token}` },
    });
    expect(malformed.status).toBe(400);
    await reader.cancel();
    const id = target.searchParams.get("sessionId") ?? "none";
    expect(JSON.stringify(await readAuditRecords(world.gateway.auditDir))).not.toContain(id);
    expect(world.log.join("\n")).not.toContain(id);
  });

  it.each([
    ["GET without a token", "GET", {}, 401],
    ["GET of another origin", "GET", { origin: "https://evil.test" }, 403],
    ["GET that wants JSON", "GET", { accept: "application/json", authorization: "token" }, 406],
    ["DELETE", "DELETE", { authorization: "token" }, 405],
    ["DELETE of another origin", "DELETE", { origin: "null", authorization: "token" }, 403],
  ] as const)("refuses %s", async (_name, method, headers, status) => {
    const filled: Record<string, string> = { accept: "text/event-stream", ...headers };
    if (filled["authorization"] !== undefined) filled["authorization"] = `Bearer ${token}`;
    expect((await fetch(sseUrl(), { method, headers: filled })).status).toBe(status);
  });
});

function sseHeaders(bearer: string): Record<string, string> {
  return { accept: "text/event-stream", authorization: `Bearer ${bearer}` };
}

async function status(): Promise<Readonly<Record<string, unknown>>> {
  return (await (await fetch(`${world.gateway.adminUrl}/status`)).json()) as Record<string, unknown>;
}

async function sessions(): Promise<unknown> {
  return (await status())["sessions"];
}

async function connections(): Promise<unknown> {
  return (await status())["connections"];
}

function openSocket(bearer = token): Promise<WebSocket> {
  const socket = new WebSocket(socketUrl(), "mcp", { headers: { authorization: `Bearer ${bearer}` } });
  open.add({ close: () => socket.terminate() });
  return new Promise((resolve, reject) => {
    socket.once("open", () => resolve(socket)).once("error", reject);
  });
}

function refusedUpgrade(
  url: string,
  headers: Readonly<Record<string, string>>,
  protocol: string | undefined,
): Promise<number> {
  const socket = new WebSocket(url, protocol === undefined ? [] : [protocol], { headers });
  return new Promise((resolve, reject) => {
    socket.on("error", () => undefined);
    socket.once("unexpected-response", (request, response) => {
      resolve(response.statusCode ?? 0);
      request.destroy();
    });
    socket.once("open", () => reject(new Error("was accepted")));
  });
}

function closed(socket: WebSocket): Promise<number> {
  return new Promise((resolve) => socket.once("close", resolve));
}

function collect(socket: WebSocket): Record<string, unknown>[] {
  const seen: Record<string, unknown>[] = [];
  socket.on("message", (data: Buffer) =>
    seen.push(JSON.parse(data.toString("utf8")) as Record<string, unknown>),
  );
  return seen;
}

function send(socket: WebSocket, message: unknown): void {
  socket.send(JSON.stringify(message));
}

async function until(condition: () => boolean | Promise<boolean>): Promise<void> {
  await expect.poll(condition, { timeout: 10_000, interval: 20 }).toBe(true);
}
