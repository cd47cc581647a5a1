// WebSocket connections on real sockets, with the times of a test: a client that is gone is noticed, one that lives is kept.
import { once } from "node:events";
import { connect } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";
import { afterEach, beforeEach, expect, it } from "vitest";
import { WebSocket } from "ws";
import { DEFAULT_CONNECTION_LIMITS } from "../../../runtime/listener/connection/limits.ts";
import { openWebSocket } from "../../../runtime/listener/connection/websocket.ts";
import type { WebSocketConnection } from "../../../runtime/listener/connection/websocket.ts";
import { startHttpListener } from "../../../runtime/listener/index.ts";
import type { HttpListener } from "../../../runtime/listener/index.ts";

const KEEP_ALIVE_MS = 50;

let listener: HttpListener;
let made: WebSocketConnection[];
let clients: WebSocket[];
let received: string[];

beforeEach(async () => {
  made = [];
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
        const connection = openWebSocket(socket, {
          routePath: inbound.path,
          remoteAddress: inbound.remoteAddress,
          limits: { ...DEFAULT_CONNECTION_LIMITS, keepAliveMs: KEEP_ALIVE_MS },
          sessions: {
            attach: () => false,
            detach: () => undefined,
            end: () => undefined,
            isOpen: () => false,
          },
          handle: async (message) => {
            const body = await message.readBody(10_000, message.closed);
            received.push(Buffer.from(body).toString("utf8"));
            message.reply.empty(202);
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
  const [code] = (await once(client, "close", { signal: AbortSignal.timeout(5_000) })) as [number];
  // Cut, not closed: there is nobody to shake hands with.
  expect(code).toBe(1006);
  await expect.poll(() => made[0]?.connection.closed.aborted).toBe(true);
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
  const upgrade =
    "GET /x HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n" +
    "Sec-WebSocket-Protocol: mcp\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n";
  const send = (frame: string): Promise<void> =>
    new Promise((resolve, reject) => {
      const socket = connect(listener.port, "127.0.0.1", () => {
        socket.write(Buffer.from(upgrade + frame, "latin1"));
      });
      socket.on("data", () => undefined);
      socket.once("error", reject).once("close", () => resolve());
      setTimeout(() => socket.end(), 500).unref();
    });
  await send("\xff\xff\xff");
  await send("\x81\x82\0\0\0\0{}");
  expect(received).toEqual(["{}"]);
});
