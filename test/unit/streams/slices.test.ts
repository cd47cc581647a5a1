// After a swap everybody's view is made anew: for as many callers as there may be, in turns that leave room for calls.
import { expect, it } from "vitest";
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
  for (let at = 0; at < CALLERS; at++) {
    const { signal } = new AbortController();
    const listen = {
      ...{ id: at, routePath: "/m", tenant: "acme", bindingKey: "dana", expiresAtMs: 1 },
      ...{ stream: { send: () => true, end: () => undefined, closed: signal }, kinds: new Set() },
      ...{ resources: new Map(), lists: { release: () => undefined }, listener: {}, onEnd: () => undefined },
      seen: { release: "old", digests: { tools: "", prompts: "", resources: "" } },
    };
    listens.add(listen as unknown as Listen);
  }
  await listens.sweep();
  expect(made()).toEqual({ views: CALLERS, most: 1 });
  expect([...listens.values()].every(({ seen }) => seen.release === "new")).toBe(true);
  await listens.sweep();
  expect(made().views).toBe(CALLERS);
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
