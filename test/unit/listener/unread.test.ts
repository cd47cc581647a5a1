import { once } from "node:events";
import { createServer, request } from "node:http";
import type { Socket } from "node:net";
import { afterEach, expect, test } from "vitest";
import { cutWhenUnread } from "../../../runtime/listener/unread.ts";
import { listenOnLoopback } from "../../servers/loopback.ts";

const closers: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const close of closers.splice(0)) await close();
});

/** The time without traffic after which the connection of a request that was answered is closed. */
async function idleTimeOf(keepAliveMs: number, stallMs: number): Promise<number | undefined> {
  const sockets: Socket[] = [];
  const server = createServer({ keepAliveTimeout: keepAliveMs }, (incoming, response) => {
    sockets.push(incoming.socket);
    response.end("read at once");
    cutWhenUnread(response, stallMs);
  });
  server.keepAliveTimeoutBuffer = 0;
  const { port, close } = await listenOnLoopback(server);
  closers.push(close);
  const sent = request({ port, host: "127.0.0.1", headers: { connection: "keep-alive" } }).end();
  const [answer] = (await once(sent, "response")) as [NodeJS.ReadableStream];
  answer.resume();
  await once(answer, "end");
  // Set when the answer was written, a moment after it was read perhaps.
  await expect.poll(() => sockets[0]?.timeout).toSatisfy(Number.isInteger);
  return sockets[0]?.timeout;
}

test.each([
  ["shorter than a look", 1_000, 20_000],
  ["as long as a look", 5_000, 20_000],
  ["longer than a look", 10_000, 20_000],
])(
  "an answer that was read leaves the time of its connection alone: %s",
  async (_what, keepAliveMs, stallMs) => {
    expect(await idleTimeOf(keepAliveMs, stallMs)).toBe(keepAliveMs);
  },
);
