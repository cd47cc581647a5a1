// A listen whose endpoint another tenant has since a swap, before it is judged by the new release and ended.
import { expect, it } from "vitest";
import type { AuditLog } from "#audit";
import { ConcurrencyLimit } from "#limits";
import { createRouteNames } from "#naming";
import type { Recorded } from "../../../runtime/pipeline/exchange.ts";
import { Listens } from "../../../runtime/streams/listens.ts";
import { answerListen } from "../../../runtime/streams/open-listen.ts";
import type { OpenListenOptions } from "../../../runtime/streams/open-listen.ts";
import { fakeConnection } from "./fake-connection.ts";

const URI = "test://a";

function releaseOf(tenant: string): object {
  const server = {
    entry: { id: "s", eras: { modern: { capabilities: {} } }, leaves: [] },
    resources: { leafOf: () => ({ action: "resources/read:s/a" }), faultOf: () => undefined },
    methods: new Map([["resources/subscribe", { action: "resources/subscribe:s" }]]),
    lists: { modern: { tools: [], prompts: [], resources: [], resourceTemplates: [] } },
  };
  const servers = [server];
  const route = { entry: { path: "/m", tenant }, servers, names: createRouteNames(servers as never) };
  const evaluator = {
    prepare: () => ({ ok: true, query: {} }),
    decide: () => ({ effect: "allow", errors: [], reasons: ["p"] }),
  };
  return { digest: tenant, sequence: 1, channel: "c", evaluator, routes: new Map([["/m", route]]) };
}

it.each([
  ["acme", ["notifications/resources/updated"]],
  ["globex", []],
])("hears of a resource of the tenant %s: %j", async (tenant, heard) => {
  const [before, after] = [releaseOf("acme"), releaseOf(tenant)];
  const connection = fakeConnection();
  const never = (): never => {
    throw new Error("it is not judged in this test");
  };
  const listens = new Listens({
    ...{ snapshot: () => after as never, nowMs: () => 0, onNotification: () => undefined },
    ...{ verify: never, mayListen: never, holdLists: never },
  });
  let onUpdated: ((uri: string) => void) | undefined;
  const options = {
    listens,
    updates: {
      watch: (_server: string, _era: string, _uri: string, tell: (uri: string) => void) => {
        onUpdated = tell;
        return () => undefined;
      },
    },
    limit: new ConcurrencyLimit("STREAM_LIMIT", "streams", { max: 1, maxPerOwner: 1 }),
    audit: { append: () => Promise.resolve({}) } as unknown as AuditLog,
    snapshot: () => after,
  } as unknown as OpenListenOptions;
  const { signal } = new AbortController();
  const exchange = {
    ...{ id: "one", snapshot: before, route: (before as { routes: Map<string, object> }).routes.get("/m") },
    principal: {
      issuer: "i",
      bindingKey: "dana",
      missingAttributes: [],
      facts: { id: "dana", tenant: "acme" },
    },
    inbound: { transport: "websocket", headers: new Map(), remoteAddress: "127.0.0.1" },
    message: { kind: "request", id: 1, params: { notifications: { resourceSubscriptions: [URI] } } },
    reply: { takeOver: () => connection },
    control: { signal },
  } as unknown as Recorded;
  await answerListen(exchange, signal, options);
  onUpdated?.(URI);
  const told = connection.written.map(({ json }) => (JSON.parse(json ?? "{}") as { method?: string }).method);
  expect(told).toEqual(["notifications/subscriptions/acknowledged", ...heard]);
});
