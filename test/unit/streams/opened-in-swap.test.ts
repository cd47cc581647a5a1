// A stream of a session that is being opened while a swap passes: the new release must accept its token too.
import { expect, it } from "vitest";
import type { AuditLog } from "#audit";
import { ConcurrencyLimit } from "#limits";
import { systemClock } from "#std";
import type { Authenticated } from "../../../runtime/pipeline/exchange.ts";
import { createSessionVerbStage } from "../../../runtime/stages/session-verbs.ts";
import { tellSessions } from "../../../runtime/streams/tell-sessions.ts";
import { fakeConnection } from "./fake-connection.ts";
import type { FakeConnection } from "./fake-connection.ts";

const digests = { tools: "t", prompts: "p", resources: "r" };

it("is looked at again, although the sweep of that swap saw no stream", async () => {
  const connection = fakeConnection();
  const session = {
    ...{ id: "s", routePath: "/m", bindingKey: "dana", ownerKey: "dana", principal: {}, request: {} },
    ...{ missingAttributes: [], stream: undefined as FakeConnection | undefined },
    seen: { release: "old", digests },
    streams: { openGeneral: (opened: FakeConnection) => opened, sendGeneral: () => true },
  };
  const sessions = { find: () => session, get: () => session, values: () => [session].values() };
  const route = { entry: { path: "/m", tenant: "acme" }, servers: [] };
  const routes = new Map([["/m", route]]);
  const sweep = (): Promise<void> =>
    tellSessions({
      sessions: sessions as never,
      snapshot: () => active as never,
      verify: () => Promise.reject(new Error("an issuer that the new release does not have")),
      onNotification: () => undefined,
    });
  const active = { digest: "new", routes, evaluator: {} };
  const audit = { append: sweep, fingerprint: () => "" } as unknown as AuditLog;
  const limit = new ConcurrencyLimit("STREAM_LIMIT", "streams", { max: 1, maxPerOwner: 1 });
  const options = { audit, clock: systemClock, onFault: () => undefined, limit, sessions: sessions as never };
  const headers = new Map([
    ["mcp-session-id", "s"],
    ["authorization", "Bearer old"],
  ]);
  const exchange = {
    ...{ id: "one", route, startedMonotonicMs: 0, control: { signal: new AbortController().signal } },
    principal: { issuer: "i", subject: "dana", bindingKey: "dana", facts: { id: "dana", roles: [] } },
    inbound: { method: "GET", headers, remoteAddress: "127.0.0.1" },
    reply: { takeOver: () => connection },
    snapshot: { digest: "old", sequence: 1, channel: "c", facts: undefined },
  } as unknown as Authenticated;
  await createSessionVerbStage(options).run(exchange, exchange.control.signal);
  expect(session.stream).toBe(connection);
  await sweep();
  expect(connection.ended()).toBe(true);
});
