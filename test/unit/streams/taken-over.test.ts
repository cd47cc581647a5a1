// A client that comes back to its session's stream before the gateway has seen that the former connection is dead.
import { expect, it } from "vitest";
import type { AuditLog } from "#audit";
import { ConcurrencyLimit } from "#limits";
import { systemClock } from "#std";
import type { Authenticated } from "../../../runtime/pipeline/exchange.ts";
import { DEFAULT_SESSION_LIMITS, SessionTable } from "../../../runtime/sessions/session-table.ts";
import { createSessionVerbStage } from "../../../runtime/stages/session-verbs.ts";
import { fakeConnection } from "./fake-connection.ts";
import type { FakeConnection } from "./fake-connection.ts";

it("takes the room of the connection that it takes over", async () => {
  const sessions = new SessionTable(DEFAULT_SESSION_LIMITS, systemClock, () => undefined);
  const principal = { id: "dana", tenant: "acme", roles: [], groups: [], type: "User", attributes: {} };
  const session = sessions.open({
    ...{ routePath: "/m", bindingKey: "dana", issuer: "i", principal: principal as never },
    ...{ protocolVersion: "2025-11-25", clientInfo: undefined, clientCapabilities: {} },
    ...{ request: {} as never, expiresAtMs: Number.POSITIVE_INFINITY },
  });
  const limit = new ConcurrencyLimit("STREAM_LIMIT", "streams", { max: 1, maxPerOwner: 1 });
  const audit = { append: () => Promise.resolve({}), fingerprint: () => "" } as unknown as AuditLog;
  const stage = createSessionVerbStage({
    ...{ audit, clock: systemClock, limit, sessions },
    onFault: (fault) => {
      throw fault as Error;
    },
  });
  const get = async (lastEventId?: string): Promise<FakeConnection> => {
    const connection = fakeConnection();
    const headers = new Map([["mcp-session-id", session.id]]);
    if (lastEventId !== undefined) headers.set("last-event-id", lastEventId);
    const exchange = {
      ...{ id: "one", startedMonotonicMs: 0, control: { signal: new AbortController().signal } },
      route: { entry: { path: "/m", tenant: "acme" }, servers: [] },
      principal: { issuer: "i", subject: "dana", bindingKey: "dana", facts: principal },
      inbound: { method: "GET", headers, remoteAddress: "127.0.0.1" },
      reply: { takeOver: () => connection },
      snapshot: { digest: "d", sequence: 1, channel: "c", facts: undefined },
    } as unknown as Authenticated;
    await stage.run(exchange, exchange.control.signal);
    return connection;
  };
  const first = await get();
  await expect(get()).rejects.toMatchObject({ code: "SESSION_STREAM_CONFLICT" });
  const second = await get(first.written[0]?.id);
  expect(first.ended()).toBe(true);
  expect(second.closed.aborted).toBe(false);
  expect(limit.open).toBe(1);
  second.break();
  expect(limit.open).toBe(0);
});
