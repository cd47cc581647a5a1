// One subscription at a server for all who wait for a resource: what the server is asked, who is told, and what is left.
import { setTimeout as sleep } from "node:timers/promises";
import type { ServerId } from "#bundle";
import type { JsonObject } from "#std";
import type { ChannelKey, ExchangeObserver, OutboundRequest, ServerUpstream, UpstreamReply } from "#upstream";
import { describe, expect, it } from "vitest";
import { ResourceUpdates } from "../../../runtime/streams/resource-updates.ts";

const SERVER = "files" as ServerId;
const META = "_meta";

interface Asked {
  readonly method: string;
  readonly uris: readonly string[];
  readonly filter: JsonObject | undefined;
  readonly channel: ChannelKey;
  readonly observer: ExchangeObserver;
  readonly signal: AbortSignal;
  readonly settle: (reply: UpstreamReply) => void;
}

/** A server that answers legacy requests at once and acknowledges listens when it is told to. */
function fakeServer(): {
  upstream: ServerUpstream;
  asked: Asked[];
  released: ChannelKey[];
  open: () => Asked[];
} {
  const asked: Asked[] = [];
  const released: ChannelKey[] = [];
  const request = (
    channel: ChannelKey,
    { method, params }: OutboundRequest,
    observer: ExchangeObserver,
    _limits: object,
    signal: AbortSignal,
  ): Promise<UpstreamReply> => {
    const { promise, resolve, reject } = Promise.withResolvers<UpstreamReply>();
    const filter = params?.["notifications"] as JsonObject | undefined;
    const uris = (filter?.["resourceSubscriptions"] ?? [params?.["uri"]]) as string[];
    asked.push({ method, uris, filter, channel, observer, signal, settle: resolve });
    signal.addEventListener("abort", () => reject(new Error("aborted")), { once: true });
    if (channel.era === "legacy") resolve({ kind: "result", result: {} });
    return promise;
  };
  const release = (channel: ChannelKey): Promise<void> => {
    released.push(channel);
    return Promise.resolve();
  };
  const upstream = { server: SERVER, request, release } as unknown as ServerUpstream;
  return { upstream, asked, released, open: () => asked.filter(({ signal }) => !signal.aborted) };
}

const acknowledge = ({ observer, uris }: Asked): void =>
  observer.onNotification({
    method: "notifications/subscriptions/acknowledged",
    params: { notifications: { resourceSubscriptions: [...uris] }, [META]: {} },
  });
const update = (uri: string): JsonObject => ({ method: "notifications/resources/updated", params: { uri } });

function world(server = fakeServer()): {
  server: ReturnType<typeof fakeServer>;
  updates: ResourceUpdates;
  faults: string[];
} {
  const faults: string[] = [];
  const onFault = (_server: ServerId, detail: string): void => void faults.push(detail);
  return { server, updates: new ResourceUpdates({ upstreamOf: () => server.upstream, onFault }), faults };
}

describe("resources watched at a modern server", () => {
  it("are one listen, which follows the set before the former ends", async () => {
    const { server, updates } = world();
    const told: string[] = [];
    updates.watch(SERVER, "modern", "file:///a", (uri) => told.push(`1 ${uri}`));
    updates.watch(SERVER, "modern", "file:///a", (uri) => told.push(`2 ${uri}`));
    await expect.poll(() => server.open().map(({ uris }) => uris)).toEqual([["file:///a"]]);
    const first = server.asked[0];
    if (first === undefined) throw new Error("unreachable");
    acknowledge(first);
    const unwatch = updates.watch(SERVER, "modern", "file:///b", (uri) => told.push(`3 ${uri}`));
    await expect.poll(() => server.asked.length).toBe(2);
    expect(first.signal.aborted).toBe(false);
    const second = server.asked[1];
    if (second === undefined) throw new Error("unreachable");
    acknowledge(second);
    expect(first.signal.aborted).toBe(true);
    expect(second.uris).toEqual(["file:///a", "file:///b"]);
    second.observer.onNotification(update("file:///a"));
    second.observer.onNotification(update("file:///b/part"));
    second.observer.onNotification(update("file:///bb"));
    expect(told).toEqual(["1 file:///a", "2 file:///a", "3 file:///b/part"]);
    unwatch?.();
    unwatch?.();
    await expect.poll(() => server.asked.at(-1)?.uris).toEqual(["file:///a"]);
    expect(updates.size).toBe(1);
    updates.close();
    await expect.poll(() => server.open()).toEqual([]);
  });

  it("are asked for again after the listen ends, and not once nobody waits", async () => {
    const { server, updates, faults } = world();
    const unwatch = updates.watch(SERVER, "modern", "file:///a", () => undefined);
    await expect.poll(() => server.asked.length).toBe(1);
    server.asked[0]?.settle({ kind: "error", error: { code: -32603, message: "no" } });
    await expect.poll(() => server.asked.length, { timeout: 2_000 }).toBe(2);
    expect(faults).toHaveLength(1);
    unwatch?.();
    await expect.poll(() => server.asked[1]?.signal.aborted).toBe(true);
    await sleep(300);
    expect(server.asked).toHaveLength(2);
    expect(updates.size).toBe(0);
  });
});

describe("lists watched at a modern server", () => {
  it("share the listen of the resources, are counted, and leave nothing behind", async () => {
    const { server, updates } = world();
    const lists = [updates.watchList(SERVER, "tools"), updates.watchList(SERVER, "tools")];
    const unwatch = updates.watch(SERVER, "modern", "file:///a", () => undefined);
    await expect.poll(() => server.asked.length).toBe(1);
    const [first] = server.asked;
    if (first === undefined) throw new Error("unreachable");
    expect(first.filter).toEqual({ toolsListChanged: true, resourceSubscriptions: ["file:///a"] });
    let isReady = false;
    const ready = Promise.all(lists.map((list) => list.ready)).then(() => (isReady = true));
    await sleep(0);
    expect(isReady).toBe(false);
    acknowledge(first);
    await ready;
    // What the server has said yes to already needs no waiting.
    const third = updates.watchList(SERVER, "tools");
    await third.ready;
    third.release();
    lists[0]?.release();
    lists[0]?.release();
    unwatch?.();
    await expect.poll(() => server.asked.length).toBe(2);
    expect(server.asked[1]?.filter).toEqual({ toolsListChanged: true });
    lists[1]?.release();
    await expect.poll(() => server.open()).toEqual([]);
  });

  it("hold nobody up at a server that refuses or is away", async () => {
    const { server, updates } = world();
    const refused = updates.watchList(SERVER, "tools");
    await expect.poll(() => server.asked.length).toBe(1);
    server.asked[0]?.settle({ kind: "error", error: { code: -32601, message: "no" } });
    await refused.ready;
    await updates.watchList(SERVER, "prompts").ready;
    updates.close();
    const away = new ResourceUpdates({ upstreamOf: () => undefined, onFault: () => undefined });
    await away.watchList(SERVER, "tools").ready;
    away.close();
    const closed = world();
    const { ready } = closed.updates.watchList(SERVER, "tools");
    closed.updates.close();
    await ready;
    await sleep(50);
    expect(closed.server.asked).toEqual([]);
  });
});

describe("resources watched at a legacy server", () => {
  it("are subscribed to one by one on a channel of the gateway's own, which goes with the last of them", async () => {
    const { server, updates } = world();
    const told: string[] = [];
    const unwatch = ["file:///a", "file:///b"].map((uri) =>
      updates.watch(SERVER, "legacy", uri, (changed) => told.push(changed)),
    );
    const methods = (): string[] => server.asked.map(({ method, uris }) => `${method} ${String(uris[0])}`);
    await expect.poll(methods).toEqual(["resources/subscribe file:///a", "resources/subscribe file:///b"]);
    const { channel } = server.asked[0] ?? {};
    if (channel?.era !== "legacy") throw new Error("unreachable");
    expect(updates.onNotification("of a client", update("file:///a"))).toBe(false);
    expect(updates.onNotification(channel.session, update("file:///a"))).toBe(true);
    expect(told).toEqual(["file:///a"]);
    unwatch[0]?.();
    await expect.poll(() => methods().at(-1)).toBe("resources/unsubscribe file:///a");
    updates.onClosed(channel.session);
    await expect.poll(() => methods().at(-1)).toBe("resources/subscribe file:///b");
    unwatch[1]?.();
    await expect.poll(() => server.released).toEqual([channel]);
  });
});
