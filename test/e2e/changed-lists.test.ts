// What a server says of its own lists: whom it reaches, in both eras at servers of either, what the gateway keeps at the
// server for it, and what a server that says it all the time or not at all costs.
import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import { startFeedWorld } from "./feed-world.ts";
import type { FeedWorld } from "./feed-world.ts";
import type { FeedServer } from "../servers/feed.ts";
import { DEVELOPER, EMPLOYEE } from "./gateway-world.ts";
import type { Caller } from "./gateway-world.ts";
import { LegacySessionClient, modernRequest } from "./sse-client.ts";
import type { Message, StreamingReply } from "./sse-client.ts";

const CHANGED = "notifications/tools/list_changed";
const TOOLS = { toolsListChanged: true };

let world: FeedWorld;
const open: StreamingReply[] = [];

beforeAll(async () => {
  world = await startFeedWorld({ maxStreamsPerPrincipal: 8 });
}, 60_000);
afterAll(() => world.stop());
afterEach(async () => {
  for (const { stream } of open.splice(0)) {
    stream.abort();
    await stream.ended;
  }
  for (const feed of Object.values(world.feeds))
    await expect.poll(() => feed.listeners(), { timeout: 5_000 }).toBe(0);
  // The window of the last change is over.
  await sleep(300);
});

function feedOf(id: string): FeedServer {
  const feed = world.feeds[id];
  if (feed === undefined) throw new Error(`no server ${id}`);
  return feed;
}

const isChange = ({ method }: Message): boolean => method === CHANGED;
const changes = ({ stream }: StreamingReply): number => stream.messages().filter(isChange).length;

async function listen(
  server: string,
  notifications: object = TOOLS,
  caller: Caller = DEVELOPER,
): Promise<StreamingReply> {
  const token = await world.world.token(caller, server);
  const reply = await modernRequest(world.world.endpoint(server), token, {
    id: "L1",
    method: "subscriptions/listen",
    params: { notifications },
  });
  open.push(reply);
  await reply.stream.until(({ method }) => method === "notifications/subscriptions/acknowledged");
  return reply;
}

interface OpenSession {
  readonly client: LegacySessionClient;
  readonly general: StreamingReply;
}

async function session(server: string, caller: Caller = DEVELOPER): Promise<OpenSession> {
  const token = await world.world.token(caller, server);
  const client = await LegacySessionClient.open(world.world.endpoint(server), token);
  const general = await client.get();
  open.push(general);
  return { client, general };
}

describe("a server that says that its tools have changed", () => {
  it("is heard by the listens that asked for it once they are acknowledged, and by nobody else", async () => {
    const feed = feedOf("new");
    expect(feed.listeners()).toBe(0);
    const asked = await listen("new");
    const other = await listen("new", { resourcesListChanged: true });
    const blind = await listen("new", TOOLS, EMPLOYEE);
    const second = await listen("new", TOOLS, { ...DEVELOPER, subject: "dora" });
    // One for all of them.
    expect(feed.listeners()).toBe(1);
    feed.change();
    const told = await asked.stream.until(isChange);
    expect(told.params).toEqual({ _meta: { "io.modelcontextprotocol/subscriptionId": "L1" } });
    await second.stream.until(isChange);
    expect([changes(other), changes(blind)]).toEqual([0, 0]);
    asked.stream.abort();
    await asked.stream.ended;
    expect(feed.listeners()).toBe(1);
    second.stream.abort();
    await expect.poll(() => feed.listeners()).toBe(0);
  });

  it("is heard by sessions on their general stream", async () => {
    const { client, general } = await session("old");
    await (await client.post("tools/call", { name: "first", arguments: {} })).text();
    await expect
      .poll(() => {
        feedOf("old").change();
        return changes(general);
      })
      .toBeGreaterThan(0);
  });

  it("is heard across the eras", async () => {
    const modern = await listen("old");
    const { client } = await session("old");
    // A server of before is heard on the conversations that there are.
    await (await client.post("tools/call", { name: "first", arguments: {} })).text();
    await expect
      .poll(() => {
        feedOf("old").change();
        return changes(modern);
      })
      .toBeGreaterThan(0);
    const { general } = await session("new");
    await expect.poll(() => feedOf("new").listeners(), { timeout: 5_000 }).toBe(1);
    feedOf("new").change();
    await general.stream.until(isChange);
  });

  it("costs its callers nothing when it does not stop", async () => {
    const reply = await listen("new");
    for (let round = 0; round < 100; round++) {
      for (let at = 0; at < 50; at++) feedOf("new").change();
      await sleep(10);
    }
    await sleep(300);
    expect(changes(reply)).toBeGreaterThan(0);
    expect(changes(reply)).toBeLessThanOrEqual(5);
    // Let the window end that it has made so long.
    await sleep(3_000);
  });

  it("is listened to again after a failure", async () => {
    const reply = await listen("new");
    feedOf("new").drop();
    await expect.poll(() => feedOf("new").listeners()).toBe(0);
    await expect.poll(() => feedOf("new").listeners(), { timeout: 5_000 }).toBe(1);
    feedOf("new").change();
    await reply.stream.until(isChange);
  });
});

describe("a server that does not answer a listen", () => {
  it("holds the acknowledgement no longer than a second", async () => {
    feedOf("new").stall(true);
    const startedMs = performance.now();
    const reply = await listen("new");
    const elapsedMs = performance.now() - startedMs;
    expect(elapsedMs).toBeGreaterThan(500);
    expect(elapsedMs).toBeLessThan(3_000);
    // It has been waited for: the next one is not made to.
    const againMs = performance.now();
    await listen("new", TOOLS, { ...DEVELOPER, subject: "dora" });
    expect(performance.now() - againMs).toBeLessThan(500);
    feedOf("new").change();
    await reply.stream.until(isChange);
    feedOf("new").stall(false);
  });
});
