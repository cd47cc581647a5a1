// Calls that wait for their caller's answers keep nobody else of the same user from the server.
import { expect, test } from "vitest";
import type { JsonObject } from "#std";
import type { ServerUpstream } from "#upstream";
import { DEFAULT_POOL_LIMITS, SessionPool } from "../../../runtime/bridge/session-pool.ts";
import type { SessionLease } from "../../../runtime/bridge/session-pool.ts";

const { maxSessionsPerCaller } = DEFAULT_POOL_LIMITS;
const upstream = { server: "old", release: () => Promise.resolve() } as unknown as ServerUpstream;
const EVERYTHING: JsonObject = { elicitation: {}, sampling: {}, roots: {} };

function take(pool: SessionPool, capabilities: JsonObject, name = "app"): SessionLease {
  const client = { capabilities, info: { name, version: "1" } };
  return pool.take({ upstream, bindingKey: "fay", client, protocolVersion: "2025-11-25" });
}

const session = (lease: SessionLease): string => lease.session.channel.session;

function fullPool(): { readonly pool: SessionPool; readonly parked: readonly SessionLease[] } {
  const pool = new SessionPool();
  return { pool, parked: Array.from({ length: maxSessionsPerCaller }, () => take(pool, EVERYTHING)) };
}

test("whatever a client declares, it finds a session while another one's calls have all that are to be had", () => {
  const { pool, parked } = fullPool();
  expect(new Set(parked.map(session)).size).toBe(maxSessionsPerCaller);
  for (const capabilities of [{}, { elicitation: {} }, { sampling: {} }]) {
    const first = take(pool, capabilities);
    expect(first.session.channel.client?.capabilities).toEqual(capabilities);
    expect(parked.map(session)).not.toContain(session(first));
    // Under the same capabilities calls then share.
    expect(session(take(pool, capabilities))).toBe(session(first));
  }
  // So do those of the client itself, which leave to the others what they have to themselves.
  const further = session(take(pool, EVERYTHING));
  expect(parked.map(session)).not.toContain(further);
  expect(session(take(pool, EVERYTHING))).toBe(further);
});

test("sessions for sharing are bounded too: over it is the limit that is told, and a call that cannot be asked still finds one", () => {
  const { pool } = fullPool();
  const silent = take(pool, {}, "app-0");
  for (let app = 1; app < maxSessionsPerCaller; app++) take(pool, { roots: {} }, `app-${String(app)}`);
  expect(() => take(pool, { roots: {} }, "one-more")).toThrow(
    expect.objectContaining({ code: "BRIDGE_SESSION_LIMIT" }),
  );
  expect(session(take(pool, {}, "one-more"))).toBe(session(silent));
  expect(pool.size).toBe(2 * maxSessionsPerCaller);
});

test("one that calls shared makes room when it is idle", () => {
  const { pool } = fullPool();
  const shared = Array.from({ length: maxSessionsPerCaller }, (_, app) =>
    take(pool, { roots: {} }, `app-${String(app)}`),
  );
  shared[0]?.release();
  expect(session(take(pool, { roots: {} }, "one-more"))).not.toBe("");
  expect(pool.size).toBe(2 * maxSessionsPerCaller);
});

test("a session whose server was told roots is its call's alone: it is left to no other, and ends with it", () => {
  const pool = new SessionPool();
  const first = take(pool, EVERYTHING);
  expect(first.tellRoots()).toBe(true);
  expect(first.tellRoots()).toBe(true);
  const others = Array.from({ length: 2 * maxSessionsPerCaller }, () => take(pool, EVERYTHING));
  expect(others.map(session)).not.toContain(session(first));
  expect(pool.size).toBe(maxSessionsPerCaller + 1);
  first.release();
  expect(pool.find(first.session.channel)).toBeUndefined();
  expect(pool.size).toBe(maxSessionsPerCaller);
});

test("what a session that calls share is told, all of them would get: no roots", () => {
  const { pool, parked } = fullPool();
  const shared = take(pool, EVERYTHING);
  expect(shared.tellRoots()).toBe(false);
  for (const own of parked) expect(own.tellRoots()).toBe(true);
  shared.release();
  // With room for a session to itself again, a call does not take the one for sharing.
  parked[0]?.release();
  expect(take(pool, EVERYTHING).tellRoots()).toBe(true);
});

test("a session whose server was told no roots, asked for or not, serves the next call", () => {
  const pool = new SessionPool();
  const first = take(pool, EVERYTHING);
  expect(first.isAlone()).toBe(true);
  first.release();
  const next = take(pool, EVERYTHING);
  expect(session(next)).toBe(session(first));
  // What comes too late would be told in the next call's name.
  expect(first.tellRoots()).toBe(false);
  expect(next.isAlone()).toBe(true);
});

test("where nothing further may be opened calls share a session of their own, and then it is told no roots", () => {
  const pool = new SessionPool({ ...DEFAULT_POOL_LIMITS, maxSessions: 1 });
  const [first, second] = [take(pool, EVERYTHING), take(pool, EVERYTHING)];
  expect(session(second)).toBe(session(first));
  expect([first.tellRoots(), second.tellRoots()]).toEqual([false, false]);
  second.release();
  expect(first.tellRoots()).toBe(true);
  expect(() => take(pool, EVERYTHING)).toThrow(expect.objectContaining({ code: "BRIDGE_SESSION_LIMIT" }));
});
