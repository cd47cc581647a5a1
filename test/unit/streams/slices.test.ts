// After a swap everybody's view is made anew: for as many callers as there may be, in turns that leave room for calls.
import { expect, it } from "vitest";
import { createStreams } from "../../../runtime/streams/create-streams.ts";
import { tellSessions } from "../../../runtime/streams/tell-sessions.ts";
import { Listens } from "../../../runtime/streams/listens.ts";
import type { Listen } from "../../../runtime/streams/listens.ts";
import { viewsInSlices, viewsOf } from "../../../runtime/streams/visible-views.ts";
import type { Snapshot } from "../../../runtime/snapshot/snapshot.ts";
import { Turn } from "#std";

const CALLERS = 24;
/** More than a slice. */
const VIEW_MS = 7;

/** A release whose one endpoint takes its time for a view, and counts how many are made within a turn of the event loop. */
function slowRelease(): {
  readonly snapshot: Snapshot;
  readonly made: () => { views: number; most: number };
} {
  let views = 0;
  let inTurn = 0;
  let most = 0;
  const none = { tools: [], prompts: [], resources: [], resourceTemplates: [] };
  const server = {
    entry: { id: "s" },
    get lists(): object {
      views += 1;
      if (inTurn++ === 0) setImmediate(() => (inTurn = 0));
      most = Math.max(most, inTurn);
      for (const endMs = performance.now() + VIEW_MS; performance.now() < endMs;);
      return { legacy: none, modern: none };
    },
  };
  const route = { entry: { path: "/m", tenant: "acme" }, servers: [server] };
  const snapshot = { digest: "new", routes: new Map([["/m", route]]), evaluator: {} } as unknown as Snapshot;
  // The lists of a server are looked up once for each of the three kinds of a view.
  return { snapshot, made: () => ({ views: views / 3, most: most / 3 }) };
}

function listenOf(id: number, end = (): void => undefined): Listen {
  const { signal } = new AbortController();
  const listen = {
    ...{ id, routePath: "/m", tenant: "acme", bindingKey: "dana", expiresAtMs: 1, kinds: new Set() },
    stream: { send: () => true, end, closed: signal },
    ...{ resources: new Map(), lists: { release: () => undefined }, listener: {}, onEnd: () => undefined },
    seen: { release: "old", digests: { tools: "", prompts: "", resources: "" } },
  };
  return listen as unknown as Listen;
}

it("makes the views of sessions a few in a turn", async () => {
  const { snapshot, made } = slowRelease();
  const sessions = Array.from({ length: CALLERS }, (_, at) => ({
    id: String(at),
    routePath: "/m",
    seen: undefined,
    principal: { id: "dana", roles: [] },
    missingAttributes: [],
    request: {},
  }));
  await tellSessions({
    sessions: {
      get: (id: string) => sessions.find((session) => session.id === id),
      values: () => sessions.values(),
    } as never,
    snapshot: () => snapshot,
    verify: () => Promise.reject(new Error("no stream, nothing to verify")),
    onNotification: () => undefined,
  });
  expect(made()).toEqual({ views: CALLERS, most: 1 });
});

it("leaves sessions to the next sweep where another release has become active meanwhile", async () => {
  const { snapshot, made } = slowRelease();
  const later = { ...snapshot, digest: "later" };
  const sessions = Array.from({ length: 4 }, (_, at) => ({
    ...{ id: String(at), routePath: "/m", principal: {}, missingAttributes: [], request: {} },
    seen: undefined as { release: string } | undefined,
  }));
  await tellSessions({
    sessions: { get: () => sessions[0], values: () => sessions.values() } as never,
    snapshot: () => (made().views < 2 ? snapshot : later),
    verify: () => Promise.reject(new Error("no stream, nothing to verify")),
    onNotification: () => undefined,
  });
  expect(sessions.map(({ seen }) => seen?.release)).toEqual(["new", undefined, undefined, undefined]);
});

it("ends streams whose tokens are refused before it makes a view, however many sessions there are", async () => {
  const { snapshot, made } = slowRelease();
  const later = { ...snapshot, digest: "later" };
  let ended = 0;
  const sessions = Array.from({ length: 200 }, (_, at) => ({
    ...{ id: String(at), routePath: "/m", principal: {}, missingAttributes: [], request: {} },
    ...{ seen: undefined, authorization: "Bearer old", stream: { end: () => void (ended += 1) } },
  }));
  await tellSessions({
    sessions: { get: () => sessions[0], values: () => sessions.values() } as never,
    snapshot: () => (made().views < 2 ? snapshot : later),
    verify: () => Promise.reject(new Error("not accepted any more")),
    onNotification: () => undefined,
  });
  expect(ended).toBe(200);
});

it("makes the views of listens a few in a turn", async () => {
  const { snapshot, made } = slowRelease();
  const listens = new Listens({
    snapshot: () => snapshot,
    nowMs: () => 0,
    verify: () =>
      Promise.resolve({ bindingKey: "dana", facts: {}, missingAttributes: [], expiresAtMs: 1 } as never),
    mayListen: () => Promise.resolve(true),
    holdLists: () => ({ release: () => undefined }) as never,
    onNotification: () => undefined,
  });
  for (let at = 0; at < CALLERS; at++) listens.add(listenOf(at));
  await listens.sweep();
  expect(made()).toEqual({ views: CALLERS, most: 1 });
  expect([...listens.values()].every(({ seen }) => seen.release === "new")).toBe(true);
  await listens.sweep();
  expect(made().views).toBe(CALLERS);
});

it("ends listens whose tokens are refused before it makes a view, and leaves the rest to a release that came meanwhile", async () => {
  const { snapshot, made } = slowRelease();
  const later = { ...snapshot, digest: "later" };
  let viewsAtEnd = -1;
  const listens = new Listens({
    snapshot: () => (made().views < 2 ? snapshot : later),
    nowMs: () => 0,
    verify: ({ id }) =>
      id === 99
        ? Promise.reject(new Error("not accepted any more"))
        : Promise.resolve({ bindingKey: "dana", facts: {}, missingAttributes: [], expiresAtMs: 1 } as never),
    mayListen: () => Promise.resolve(true),
    holdLists: () => ({ release: () => undefined }) as never,
    onNotification: () => undefined,
  });
  for (let at = 0; at < 100; at++) listens.add(listenOf(at, () => void (viewsAtEnd = made().views)));
  await listens.sweep();
  expect({ viewsAtEnd, left: listens.size, views: made().views }).toEqual({
    ...{ viewsAtEnd: 0, left: 99 },
    views: 2,
  });
});

it("ends a listen whose token has ended although others are still being looked at", async () => {
  const { snapshot } = slowRelease();
  let nowMs = 0;
  const principal = { bindingKey: "dana", facts: {}, missingAttributes: [], expiresAtMs: 1 };
  const route = snapshot.routes.get("/m");
  const verifier = { verify: () => Promise.resolve(principal) };
  const active = { ...snapshot, routes: new Map([["/m", { ...route, verifier }]]) } as unknown as Snapshot;
  const streams = createStreams({
    ...{ limits: { maxStreams: 99, maxStreamsPerPrincipal: 99 }, snapshot: () => active },
    ...{ audit: {} as never, sessions: { get: () => undefined, values: () => [].values() } as never },
    clock: { nowMs: () => nowMs, monotonicMs: () => nowMs },
    ...{ onNotification: () => undefined, onFault: () => undefined },
  });
  for (let at = 0; at < CALLERS; at++) streams.listens.add(listenOf(at));
  const sweep = streams.sweep();
  nowMs = 1;
  await streams.sweep();
  expect(streams.describe().listens).toBe(0);
  await sweep;
  streams.close();
});

it("makes even one view in slices", async () => {
  const turns: number[] = [];
  let decided = 0;
  const leaves = Array.from({ length: 20 }, (_, at) => ({ leaf: { action: String(at), definitions: [] } }));
  const lists = { tools: leaves, prompts: [], resources: [], resourceTemplates: [] };
  const route = { entry: { tenant: "acme" }, servers: [{ entry: { id: "s" }, lists: { modern: lists } }] };
  const visible = (): boolean => {
    if (decided++ === 0) setImmediate(() => turns.push(decided));
    for (const endMs = performance.now() + VIEW_MS; performance.now() < endMs;);
    return true;
  };
  const viewer = { era: "modern", caller: { facts: {}, missingAttributes: [] }, request: {} } as never;
  const snapshot = { digest: "new", evaluator: { visible } } as unknown as Snapshot;
  const sliced = await viewsInSlices(snapshot, route as never, viewer, new Turn(5));
  expect(turns).toEqual([1]);
  expect(decided).toBe(20);
  expect(sliced).toEqual(viewsOf(snapshot, route as never, viewer));
});
