// The end of an upstream: what was given up before it, what is just being started, and what a server itself started.
import { readFileSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { afterEach, describe, expect, test } from "vitest";
import { UPSTREAM_CAPS, createUpstreamFactory } from "#upstream";
import type { ChannelKey, ServerUpstream } from "#upstream";
import { LIMITS, MODERN, Recording, callTool, codeOf, legacyChannel, legacyRequest } from "./recording.ts";
import { startRawHttpServer } from "./raw-http-server.ts";

const PROGRAM = join(import.meta.dirname, "programs", "scripted-stdio.ts");
/** Other tests of this process start the same program. */
const MARK = "of closing.test";
const never = (): AbortSignal => new AbortController().signal;
const cleanups: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

function setUp(mode: string, idleMs?: number): { upstream: ServerUpstream; recording: Recording } {
  const recording = new Recording();
  const create = createUpstreamFactory({
    programs: new Map([["scripted", { command: process.execPath, args: [PROGRAM] }]]),
    events: recording.events,
    ...(idleMs === undefined ? {} : { idleMs }),
  });
  const upstream = create({ id: "s", eras: {} }, { type: "stdio", program: "scripted", args: [mode, MARK] });
  cleanups.push(upstream.close);
  return { upstream, recording };
}

async function pidOf(
  { upstream, recording }: ReturnType<typeof setUp>,
  channel: ChannelKey,
  tool = "pid",
): Promise<number> {
  const request = channel.era === "modern" ? callTool(tool) : legacyRequest("tools/call", { name: tool });
  const reply = await upstream.request(channel, request, recording.observer, LIMITS, never());
  if (reply.kind === "error") throw new Error(reply.error.message);
  return reply.result["pid"] as number;
}

/** One that has ended and was not waited for yet does not run. */
function isRunning(pid: number): boolean {
  try {
    return !/\) Z /u.test(readFileSync(`/proc/${String(pid)}/stat`, "utf8"));
  } catch {
    return false;
  }
}

/** Children of this process that were started here. */
function running(): readonly string[] {
  return readdirSync("/proc").filter((pid) => {
    if (!/^\d+$/u.test(pid) || !isRunning(Number(pid))) return false;
    try {
      const [, parent] = /\) [A-Z] (\d+) /u.exec(readFileSync(`/proc/${pid}/stat`, "utf8")) ?? [];
      return Number(parent) === process.pid && readFileSync(`/proc/${pid}/cmdline`, "utf8").includes(MARK);
    } catch {
      return false;
    }
  });
}

describe("close waits for the process", () => {
  test("of every channel that was released before, at the same time", async () => {
    const setup = setUp("ignores-signals");
    const channels = [MODERN, legacyChannel("a"), legacyChannel("b")];
    const pids: number[] = [];
    for (const channel of channels) pids.push(await pidOf(setup, channel));
    const startedMs = performance.now();
    const releases = channels.map((channel) => setup.upstream.release(channel));
    await setup.upstream.close();
    expect(pids.filter(isRunning)).toEqual([]);
    const { stopGraceMs, killGraceMs } = UPSTREAM_CAPS;
    expect(performance.now() - startedMs).toBeLessThan(2 * (stopGraceMs + killGraceMs));
    await Promise.all(releases);
  });

  test("that was left to itself for want of calls", async () => {
    const setup = setUp("ignores-signals", 20);
    const pid = await pidOf(setup, MODERN);
    await expect.poll(() => setup.upstream.describe().openChannels, { interval: 5 }).toBe(0);
    expect(isRunning(pid)).toBe(true);
    await setup.upstream.close();
    expect(isRunning(pid)).toBe(false);
  });

  test("that was just started, and no other is started after it", async () => {
    const { upstream, recording } = setUp("ignores-signals");
    const calls = [MODERN, legacyChannel()].map((channel) =>
      codeOf(upstream.request(channel, callTool("pid"), recording.observer, LIMITS, never())),
    );
    expect(running()).toHaveLength(2);
    await upstream.close();
    expect(running()).toEqual([]);
    expect(await Promise.all(calls)).toEqual(["UPSTREAM_UNAVAILABLE", "UPSTREAM_UNAVAILABLE"]);
    expect(await codeOf(upstream.announce(legacyChannel("late"), never()))).toBe("UPSTREAM_UNAVAILABLE");
    expect(running()).toEqual([]);
  });

  test("that is not there while it waits for its back-off", async () => {
    const { upstream, recording } = setUp("dies-at-once");
    const call = (): Promise<string> =>
      codeOf(upstream.request(MODERN, callTool("pid"), recording.observer, LIMITS, never()));
    for (let n = 0; n < 3; n++) expect(await call()).toBe("UPSTREAM_UNAVAILABLE");
    await upstream.close();
    expect(running()).toEqual([]);
  });
});

test("who has gone away already has nothing started for him", async () => {
  const { upstream } = setUp("echo");
  expect(await codeOf(upstream.announce(legacyChannel(), AbortSignal.abort()))).toBe("EXCHANGE_ABORTED");
  expect(upstream.describe().openChannels).toBe(0);
});

test.each([
  ["is stopped", "close", "echo"],
  ["ends by itself", "crash", "echo"],
  ["is killed", "close", "ignores-signals"],
])("what a server started ends with it, where the server %s", async (_what, how, mode) => {
  const setup = setUp(mode);
  const pid = await pidOf(setup, MODERN);
  const child = await pidOf(setup, MODERN, "child");
  expect(isRunning(child)).toBe(true);
  if (how === "crash") await codeOf(pidOf(setup, MODERN, "crash"));
  else await setup.upstream.close();
  expect(isRunning(pid)).toBe(false);
  await expect.poll(() => isRunning(child), { timeout: 2_000 }).toBe(false);
});

test("over HTTP, close waits until the server has taken the end of a session that was released before", async () => {
  let isTaken = false;
  const server = await startRawHttpServer((request, response) => {
    if (request.method === "GET") return void response.writeHead(405).end();
    if (request.method === "DELETE") {
      response.once("close", () => (isTaken = response.writableFinished));
      setTimeout(() => response.writeHead(200).end(), 100);
      return;
    }
    if (request.body.id === undefined) return void response.writeHead(202).end();
    const result = {
      protocolVersion: "2025-11-25",
      capabilities: { tools: {} },
      serverInfo: { name: "raw", version: "1" },
    };
    const headers = { "content-type": "application/json", "mcp-session-id": "one" };
    response.writeHead(200, headers).end(JSON.stringify({ jsonrpc: "2.0", id: request.body.id, result }));
  });
  cleanups.push(server.close);
  const create = createUpstreamFactory({ programs: new Map(), events: new Recording().events });
  const upstream = create({ id: "s", eras: {} }, { type: "streamable-http", url: server.url });
  await upstream.announce(legacyChannel(), never());
  const released = upstream.release(legacyChannel());
  await upstream.close();
  expect(isTaken).toBe(true);
  await released;
});
