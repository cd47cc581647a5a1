// Readers that fall behind, and servers that send more than anybody reads: the server is made to wait, nothing is lost on
// the way, and who does not read at all is cut.
import { createConnection } from "node:net";
import type { Socket } from "node:net";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { runScripts } from "../attack/run-scripts.ts";
import { startFeedWorld } from "../e2e/feed-world.ts";
import type { FeedWorld } from "../e2e/feed-world.ts";
import { DEVELOPER } from "../e2e/gateway-world.ts";
import { modernMeta } from "../e2e/raw-call.ts";
import { LegacySessionClient, modernRequest } from "../e2e/sse-client.ts";

const SCRIPTS = join(import.meta.dirname, "..", "data", "attack", "scripts.yaml");
const MEBIBYTE = 1_048_576;
const STALL_MS = 1_500;
/** Kernel buffers of both connections, which nobody can see into, and the gateway's own. */
const MAX_HELD_BYTES = 16 * MEBIBYTE;
const FLOOD = { count: 8_000, level: "info", bytes: 4_000 };

describe("slow readers", () => {
  let feed: FeedWorld;
  let token: string;
  beforeAll(async () => {
    feed = await startFeedWorld({ maxStreamBufferBytes: 65_536, streamStallMs: STALL_MS });
    token = await feed.world.token(DEVELOPER, "feed");
  });
  afterAll(() => feed.stop());

  const server = (): FeedWorld["feeds"][string] => {
    const found = feed.feeds["feed"];
    if (found === undefined) throw new Error("unreachable");
    return found;
  };

  /** A modern call whose connection reads nothing until it is told to. */
  function flood(count: number): Socket {
    const url = feed.world.endpoint("feed");
    const body = JSON.stringify({
      jsonrpc: "2.0",
      id: 1,
      method: "tools/call",
      params: {
        name: "noisy",
        arguments: { ...FLOOD, count },
        _meta: { ...modernMeta(), "io.modelcontextprotocol/logLevel": "debug" },
      },
    });
    const socket = createConnection({ host: url.hostname, port: Number(url.port) });
    socket.on("error", () => undefined);
    socket.pause();
    const head = [
      `POST ${url.pathname} HTTP/1.1`,
      `Host: ${url.host}`,
      `Authorization: Bearer ${token}`,
      "Content-Type: application/json",
      "Accept: application/json, text/event-stream",
      "Mcp-Protocol-Version: 2026-07-28",
      "Mcp-Method: tools/call",
      "Mcp-Name: noisy",
      `Content-Length: ${String(Buffer.byteLength(body))}`,
    ];
    socket.write(`${head.join("\r\n")}\r\n\r\n${body}`);
    return socket;
  }

  /** Waits until the server has sent nothing more for a while. */
  async function standstill(): Promise<number> {
    let last = -1;
    await expect
      .poll(
        () => {
          const now = server().written();
          const stands = now > 0 && now === last;
          last = now;
          return stands;
        },
        { interval: 250, timeout: 10_000 },
      )
      .toBe(true);
    return last;
  }

  it("who reads nothing stops the server, and is cut", async () => {
    const before = server().written();
    const { abandoned } = server().noisy();
    const socket = flood(FLOOD.count);
    const held = (await standstill()) - before;
    expect(held).toBeLessThan(MAX_HELD_BYTES);
    expect(held).toBeLessThan((FLOOD.count * FLOOD.bytes) / 2);
    await expect.poll(() => server().noisy().abandoned, { timeout: STALL_MS + 5_000 }).toBe(abandoned + 1);
    socket.destroy();
  });

  it("who reads late loses nothing", async () => {
    const started = server().noisy().answered;
    const socket = flood(3_000);
    const seen = { events: 0, tail: "" };
    const ended = new Promise<void>((resolve) => void socket.once("close", () => resolve()));
    socket.on("data", (chunk: Buffer) => {
      const text = seen.tail + chunk.toString("latin1");
      seen.events += text.split("event: message\n").length - 1;
      seen.tail = text.slice(-14);
      if (text.includes('"sent 3000"')) socket.destroy();
    });
    socket.pause();
    await new Promise((resolve) => setTimeout(resolve, STALL_MS / 3));
    socket.resume();
    await ended;
    expect(seen.events).toBe(3_001);
    expect(server().noisy().answered).toBe(started + 1);
  });

  it("T25-unread of the attack corpus ends as stated", async () => {
    const { hostname, port, pathname } = feed.world.endpoint("feed");
    const logged = JSON.stringify({ ...modernMeta(), "io.modelcontextprotocol/logLevel": "debug" });
    const results = await runScripts({
      ...{ host: hostname, port: Number(port), path: pathname, token, file: SCRIPTS },
      offers: ["modern", "flood", "patience"],
      only: /^T25-unread$/u,
      unreadMs: 2 * STALL_MS,
      variables: { floodTool: "noisy", floodArguments: JSON.stringify(FLOOD), meta: logged },
    });
    expect(results).toMatchObject([{ id: "T25-unread", outcome: "pass", reason: "" }]);
  });

  it("others are not made to wait", async () => {
    const sockets = Array.from({ length: 8 }, () => flood(FLOOD.count));
    await standstill();
    const startedMs = performance.now();
    const reply = await modernRequest(feed.world.endpoint("feed"), token, {
      id: 2,
      method: "tools/call",
      params: { name: "first", arguments: {} },
    });
    expect(JSON.parse(await reply.text())).toMatchObject({ id: 2, result: { resultType: "complete" } });
    expect(performance.now() - startedMs).toBeLessThan(1_000);
    for (const socket of sockets) socket.destroy();
  });

  it("a legacy call runs on without its reader, and keeps no more than the session may", async () => {
    const client = await LegacySessionClient.open(feed.world.endpoint("feed"), token);
    const { answered } = server().noisy();
    const call = await client.post("tools/call", { name: "noisy", arguments: { ...FLOOD, count: 3_000 } });
    await call.stream.until(() => true);
    call.stream.abort();
    await call.stream.ended;
    await expect.poll(() => server().noisy().answered, { timeout: 10_000 }).toBe(answered + 1);
    const status = (await (await fetch(`${feed.world.gateway.adminUrl}/status`)).json()) as {
      streams: { replayBytes: number };
    };
    expect(status.streams.replayBytes).toBeGreaterThan(0);
    expect(status.streams.replayBytes).toBeLessThanOrEqual(4 * MEBIBYTE);
    const rest = await client.get(call.stream.events.at(-1)?.id);
    await rest.stream.until(({ result }) => result !== undefined);
  });
});
