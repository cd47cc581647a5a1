// WebSocket connections on real sockets, with the times of a test: a client that is gone is noticed, one that lives is kept.
import { once } from "node:events";
import { connect } from "node:net";
import type { Socket } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { WebSocket } from "ws";
import { DEFAULT_CONNECTION_LIMITS } from "../../../runtime/listener/connection/limits.ts";
import { openWebSocket } from "../../../runtime/listener/connection/websocket.ts";
import type { WebSocketConnection } from "../../../runtime/listener/connection/websocket.ts";
import { startHttpListener } from "../../../runtime/listener/index.ts";
import type { HttpListener } from "../../../runtime/listener/index.ts";

const KEEP_ALIVE_MS = 50;
const STALL_MS = 500;
const UPGRADE =
  "GET /x HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n" +
  "Sec-WebSocket-Protocol: mcp\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n";

let listener: HttpListener;
let keepAliveMs = KEEP_ALIVE_MS;
let made: WebSocketConnection[];
let accepted: WebSocket[];
let clients: WebSocket[];
let received: string[];

beforeEach(async () => {
  keepAliveMs = KEEP_ALIVE_MS;
  made = [];
  accepted = [];
  clients = [];
  received = [];
  listener = await startHttpListener({
    host: "127.0.0.1",
    port: 0,
    handle: async (inbound) => {
      if (inbound.path === "/slow") await sleep(50);
      inbound.reply.empty(404);
    },
    upgrade: {
      maxMessageBytes: 10_000,
      handle: async (inbound, accept) => {
        const socket = await accept();
        if (socket === undefined) return;
        accepted.push(socket);
        const connection = openWebSocket(socket, {
          routePath: inbound.path,
          remoteAddress: inbound.remoteAddress,
          limits: { ...DEFAULT_CONNECTION_LIMITS, keepAliveMs, stallMs: STALL_MS },
          sessions: {
            attach: () => false,
            detach: () => undefined,
            end: () => undefined,
            isOpen: () => false,
          },
          handle: async (message) => {
            const body = await message.readBody(10_000, message.closed);
            const text = Buffer.from(body).toString("utf8");
            const { big } = JSON.parse(text) as { readonly big?: number };
            if (big === undefined) message.reply.empty(202);
            else message.reply.json(200, "x".repeat(big));
            received.push(text);
          },
          headers: () => [],
          onFault: (fault) => {
            throw fault as Error;
          },
        });
        made.push(connection);
      },
    },
  });
});
afterEach(async () => {
  for (const client of clients) client.terminate();
  await listener.close(1_000);
});

async function open(autoPong: boolean): Promise<WebSocket> {
  const client = new WebSocket(`ws://127.0.0.1:${String(listener.port)}/x`, "mcp", { autoPong });
  clients.push(client);
  await once(client, "open");
  return client;
}

it("cuts a client that has not answered a ping by the next one", async () => {
  const client = await open(false);
  const closed = new Promise((resolve) => {
    client.on("error", () => undefined).once("close", resolve);
  });
  // Cut, not closed: there is nobody to shake hands with.
  expect(await closed).toBe(1006);
  await expect.poll(() => made[0]?.connection.closed.aborted).toBe(true);
});

describe("a client that reads nothing any more is cut by a reset", () => {
  /** What the answer leaves unread is in the kernels alone, so that the gateway's process holds nothing of it. */
  async function openUnread(): Promise<{
    readonly socket: Socket;
    readonly connection: WebSocketConnection;
  }> {
    const socket = connect(listener.port, "127.0.0.1");
    await once(socket, "connect");
    socket.write(UPGRADE);
    await once(socket, "data");
    socket.pause();
    socket.write(Buffer.from('\x81\x8e\0\0\0\0{"big":400000}', "latin1"));
    await expect.poll(() => received).toEqual(['{"big":400000}']);
    const connection = made[0];
    if (connection === undefined) throw new Error("no connection");
    return { socket, connection };
  }

  async function isReset(socket: Socket): Promise<void> {
    await expect.poll(listener.connectionCount, { timeout: 5_000 }).toBe(0);
    const failed = once(socket, "error", { signal: AbortSignal.timeout(5_000) });
    socket.resume();
    expect((await failed)[0]).toMatchObject({ code: "ECONNRESET" });
  }

  it("that leaves less unread than it may", async () => {
    keepAliveMs = STALL_MS / 2;
    const { socket } = await openUnread();
    // Until the kernels take no more: what comes then waits in the gateway's process.
    const waiting = (): number => accepted[0]?.bufferedAmount ?? 0;
    for (let count = 2; waiting() === 0; count += 1) {
      socket.write(Buffer.from('\x81\x8d\0\0\0\0{"big":50000}', "latin1"));
      await expect.poll(() => received.length, { interval: 1 }).toBe(count);
    }
    expect(waiting()).toBeLessThan(DEFAULT_CONNECTION_LIMITS.maxBufferedBytes);
    await isReset(socket);
  });

  it.each([
    ["that does not answer a ping", KEEP_ALIVE_MS, () => undefined],
    [
      "that does not answer the closing",
      60_000,
      (connection: WebSocketConnection) => connection.end("expired"),
    ],
  ])("%s", async (_name, intervalMs, begin) => {
    keepAliveMs = intervalMs;
    const { socket, connection } = await openUnread();
    begin(connection);
    await isReset(socket);
  });
});

it("keeps a client that answers its pings", async () => {
  const client = await open(true);
  for (let count = 0; count < 4; count += 1)
    await once(client, "ping", { signal: AbortSignal.timeout(5_000) });
  expect(client.readyState).toBe(WebSocket.OPEN);
  expect(made[0]?.connection.closed.aborted).toBe(false);
});

it("cuts an upgrade that comes before the answer to an earlier request, and goes on", async () => {
  const { port } = listener;
  const text = await new Promise<string>((resolve, reject) => {
    let seen = "";
    const socket = connect(port, "127.0.0.1", () =>
      socket.write(
        "GET /slow HTTP/1.1\r\nHost: x\r\n\r\n" +
          "GET /x HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n" +
          "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n",
      ),
    );
    socket.on("data", (chunk: Buffer) => (seen += chunk.toString("latin1")));
    socket.once("error", reject).once("close", () => resolve(seen));
  });
  expect(text).not.toContain("101");
  expect((await open(true)).readyState).toBe(WebSocket.OPEN);
});

it("reads frames that come with the handshake, and survives malformed ones", async () => {
  // These clients answer no pings.
  keepAliveMs = 60_000;
  const send = (frame: string): Promise<void> =>
    new Promise((resolve, reject) => {
      const socket = connect(listener.port, "127.0.0.1", () => {
        socket.write(Buffer.from(UPGRADE + frame, "latin1"));
      });
      socket.on("data", () => undefined);
      socket.once("error", reject).once("close", () => resolve());
      setTimeout(() => socket.end(), 500).unref();
    });
  await send("\xff\xff\xff");
  await send("\x81\x82\0\0\0\0{}");
  expect(received).toEqual(["{}"]);
});
