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
  expect(parked.map(session)).toContain(session(take(pool, EVERYTHING)));
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
