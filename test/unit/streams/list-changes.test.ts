// How often callers hear that a server's list has changed, and that a server is asked to tell only while somebody waits.
import type { ServerId } from "#bundle";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { ListChanges, changedList, holdLists } from "../../../runtime/streams/list-changes.ts";
import type { ListChangesOptions } from "../../../runtime/streams/list-changes.ts";
import type { Listen } from "../../../runtime/streams/listens.ts";
import type { ListKind } from "../../../runtime/streams/visible-views.ts";
import type { Route, RoutedServer, Snapshot } from "../../../runtime/snapshot/snapshot.ts";

const ADA = "ada";
const FILES = "files" as ServerId;
const LEAF = { action: "files.read" };

function served(id: string, capabilities: object): RoutedServer {
  const lists = { tools: [{ leaf: LEAF }], prompts: [], resources: [], resourceTemplates: [] };
  return {
    entry: { id, eras: { modern: { capabilities } } },
    lists: { modern: lists, legacy: lists },
  } as unknown as RoutedServer;
}

const SERVERS = [
  served(FILES, { tools: { listChanged: true }, prompts: { listChanged: true } }),
  served("mute", { tools: {} }),
];
const ROUTE = {
  entry: { path: "/files/mcp", tenant: "acme" },
  servers: SERVERS,
  names: { byId: new Map(SERVERS.map((server) => [server.entry.id, server])) },
} as unknown as Route;
const SNAPSHOT = {
  routes: new Map([["/files/mcp", ROUTE]]),
  evaluator: { visible: (_tenant: string, _action: string, { id }: { id: string }) => id === ADA },
} as unknown as Snapshot;

const listenerOf = (id: string): Listen["listener"] =>
  ({ principal: { id }, missingAttributes: [], request: {} }) as unknown as Listen["listener"];
const listen = (id: string, kinds: readonly ListKind[], tenant = "acme"): Listen =>
  ({ routePath: "/files/mcp", tenant, listener: listenerOf(id), kinds: new Set(kinds) }) as unknown as Listen;

function world(open: readonly Listen[]): {
  changes: ListChanges;
  told: [Listen, string][];
  counted: string[];
} {
  const told: [Listen, string][] = [];
  const counted: string[] = [];
  const listens: ListChangesOptions["listens"] = {
    values: () => open.values(),
    notify: (one, method) => {
      told.push([one, method]);
      return true;
    },
  };
  const changes = new ListChanges({
    listens,
    sessions: { get: () => undefined, values: () => [].values() },
    snapshot: () => SNAPSHOT,
    onNotification: (method, relayed) => counted.push(`${method} ${String(relayed)}`),
    onFault: (_server, detail) => counted.push(detail),
  });
  return { changes, told, counted };
}

const TOOLS = "notifications/tools/list_changed";

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

describe("a list that a server says has changed", () => {
  it("is told to those who asked for it and see something of it", async () => {
    const ada = listen(ADA, ["tools"]);
    const others = [listen("eve", ["tools"]), listen(ADA, ["prompts"]), listen(ADA, ["tools"], "other")];
    const { changes, told } = world([ada, ...others]);
    changes.heard(FILES, "tools");
    changes.heard(FILES, "prompts");
    changes.heard("unknown" as ServerId, "tools");
    await vi.advanceTimersByTimeAsync(1_000);
    expect(told).toEqual([[ada, TOOLS]]);
    changes.close();
  });

  it("is told at once, and what follows within the window once at its end", async () => {
    const { changes, told, counted } = world([listen(ADA, ["tools"])]);
    changes.heard(FILES, "tools");
    await vi.advanceTimersByTimeAsync(0);
    expect(told).toHaveLength(1);
    for (let at = 0; at < 5; at++) changes.heard(FILES, "tools");
    await vi.advanceTimersByTimeAsync(249);
    expect(told).toHaveLength(1);
    await vi.advanceTimersByTimeAsync(1);
    expect(told).toHaveLength(2);
    expect(counted).toEqual(Array.from({ length: 5 }, () => `${TOOLS} false`));
    await vi.advanceTimersByTimeAsync(5_000);
    changes.heard(FILES, "tools");
    await vi.advanceTimersByTimeAsync(0);
    expect(told).toHaveLength(3);
    changes.close();
  });

  it("is told ever more rarely while the server goes on, and at the usual pace once it has stopped", async () => {
    const { changes, told } = world([listen(ADA, ["tools"])]);
    for (let at = 0; at < 60_000; at += 50) {
      changes.heard(FILES, "tools");
      await vi.advanceTimersByTimeAsync(50);
    }
    // 0.25 s, doubled to 16 s: seven windows in the first half minute, two more in the next.
    expect(told.length).toBeLessThanOrEqual(10);
    await vi.advanceTimersByTimeAsync(60_000);
    const before = told.length;
    changes.heard(FILES, "tools");
    changes.heard(FILES, "tools");
    await vi.advanceTimersByTimeAsync(250);
    expect(told).toHaveLength(before + 2);
    changes.close();
    changes.heard(FILES, "tools");
    await vi.advanceTimersByTimeAsync(60_000);
    expect(told).toHaveLength(before + 2);
  });

  it.each([
    [TOOLS, "tools"],
    ["notifications/prompts/list_changed", "prompts"],
    ["notifications/resources/list_changed", "resources"],
    ["notifications/roots/list_changed", undefined],
    ["notifications/vendor/list_changed", undefined],
  ])("%s is about %s", (method, kind) => {
    expect(changedList(method)).toBe(kind);
  });
});

describe("servers that are asked to tell", () => {
  it.each([
    [ADA, [`${FILES} tools`]],
    ["eve", []],
  ])("are those of whose list %s sees something, and that tell of it: %j", async (id, expected) => {
    const held = new Set<string>();
    const updates = {
      watchList: (server: ServerId, kind: ListKind) => {
        held.add(`${server} ${kind}`);
        return { ready: Promise.resolve(), release: () => void held.delete(`${server} ${kind}`) };
      },
    };
    const viewer = { era: "modern", caller: { facts: { id }, missingAttributes: [] }, request: {} } as never;
    const lists = holdLists(updates, SNAPSHOT, ROUTE, viewer, new Set(["tools", "prompts"] as const));
    await lists.ready;
    expect([...held]).toEqual(expected);
    lists.release();
    expect([...held]).toEqual([]);
  });
});
