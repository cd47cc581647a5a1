// Caps, binding and expiry of legacy sessions.
import { UNKNOWN_REQUEST } from "#pdp";
import { describe, expect, it } from "vitest";
import { DEFAULT_SESSION_LIMITS, SessionTable } from "../../../runtime/sessions/session-table.ts";
import type { LegacySession } from "../../../runtime/sessions/session-table.ts";

function table(
  limits = { ...DEFAULT_SESSION_LIMITS, maxSessions: 10, maxSessionsPerPrincipal: 2, idleMs: 1_000 },
): {
  readonly sessions: SessionTable;
  readonly ended: string[];
  readonly clock: { nowMs: number };
  readonly open: (id: string) => LegacySession;
} {
  const clock = { nowMs: 0 };
  const ended: string[] = [];
  const sessions = new SessionTable(
    limits,
    { nowMs: () => clock.nowMs, monotonicMs: () => clock.nowMs },
    (session) => ended.push(session.id),
  );
  const open = (id: string): LegacySession =>
    sessions.open({
      routePath: "/a/mcp",
      bindingKey: id,
      protocolVersion: "2025-11-25",
      clientInfo: undefined,
      clientCapabilities: {},
      issuer: "https://issuer.example/",
      principal: { type: "User", id, tenant: "default", roles: [], groups: [], attributes: {} },
      request: UNKNOWN_REQUEST,
      expiresAtMs: 10_000,
    });
  return { sessions, ended, clock, open };
}

describe("session table", () => {
  it("gives up a principal's own longest unused session at its cap, never another's", () => {
    const { sessions, ended, clock, open } = table();
    const other = open("bob");
    const first = open("alice");
    clock.nowMs = 5;
    const second = open("alice");
    sessions.find(first.id, "/a/mcp", "alice").lastUsedMs = 7;
    clock.nowMs = 9;
    const third = open("alice");
    expect(ended).toEqual([second.id]);
    expect([...sessions.values()].map(({ id }) => id).sort()).toEqual([other.id, first.id, third.id].sort());
  });

  it("refuses where every session of the principal is in use, and where the table is full", () => {
    const { open } = table();
    for (let count = 0; count < 2; count += 1) open("alice").inFlight.set(1, () => undefined);
    expect(() => open("alice")).toThrow("SESSION_LIMIT");
    const full = table({ ...DEFAULT_SESSION_LIMITS, maxSessions: 1, maxSessionsPerPrincipal: 2, idleMs: 1 });
    full.open("alice");
    expect(() => full.open("bob")).toThrow("SESSION_LIMIT");
  });

  it("knows a session only to its principal and on its route", () => {
    const { sessions, open } = table();
    const session = open("alice");
    expect(sessions.find(session.id, "/a/mcp", "alice")).toBe(session);
    expect(() => sessions.find(session.id, "/a/mcp", "bob")).toThrow("SESSION_UNKNOWN");
    expect(() => sessions.find(session.id, "/b/mcp", "alice")).toThrow("SESSION_UNKNOWN");
    expect(() => sessions.find("absent", "/a/mcp", "alice")).toThrow("SESSION_UNKNOWN");
  });

  it("ends idle sessions, cancels what they still do, and leaves none behind", () => {
    const { sessions, ended, clock, open } = table();
    const session = open("alice");
    clock.nowMs = 500;
    sessions.sweep();
    expect(ended).toEqual([]);
    clock.nowMs = 2_000;
    sessions.sweep();
    expect(ended).toEqual([session.id]);
    const busy = open("alice");
    let cancelled = false;
    busy.inFlight.set("x", () => {
      cancelled = true;
    });
    sessions.endAll();
    expect(cancelled).toBe(true);
    expect(sessions.size).toBe(0);
  });
});
