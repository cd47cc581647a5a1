// What is told without being asked again: changed lists to those who see the change, changes of resources to those who may
// read them, log messages to those who want them. In both eras, at servers of either.
import { once } from "node:events";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import { WebSocket } from "ws";
import { openLegacy, openModern } from "./clients.ts";
import { startFeedWorld } from "./feed-world.ts";
import type { FeedWorld } from "./feed-world.ts";
import { DEVELOPER, EMPLOYEE } from "./gateway-world.ts";
import type { Caller } from "./gateway-world.ts";
import { modernMeta } from "./raw-call.ts";
import { LegacySessionClient, modernRequest } from "./sse-client.ts";
import type { Message, StreamingReply } from "./sse-client.ts";

const SUBSCRIPTION = "io.modelcontextprotocol/subscriptionId";
const UPDATED = "notifications/resources/updated";
const ALL_FLAGS = { toolsListChanged: true, promptsListChanged: true, resourcesListChanged: true };

const READABLE = '["feed://a", "feed://b"]';

/** What developers and employees may call, and what developers may read, as files of the policy repository. */
function policy(developers: string, employees: string, resources = READABLE): Record<string, string> {
  const document = (role: string, allowed: readonly string[]): string =>
    [
      `metadata: { name: ${role.toLowerCase()}s, reason: they may use it }`,
      `scope: { servers: [feed], principals: { in: [${role}] } }`,
      "allow:",
      ...allowed,
      "",
    ].join("\n");
  return {
    "policies/feed.yaml": document("Developer", [`  tools: ${developers}`, `  resources: ${resources}`]),
    "policies/employees.yaml": document("Employee", [`  tools: ${employees}`]),
  };
}

/** Roles come from a claim that no token here has. */
const WITHOUT_ROLES = [
  "issuers:",
  "  - issuer: https://login.example.com/",
  "    jwksUrl: https://login.example.com/jwks.json",
  "    roles: { claim: groups }",
  "    attributes: { is_external: { claim: is_external, type: Bool, required: true } }",
  "",
].join("\n");

describe("subscriptions and listens", () => {
  let feed: FeedWorld;
  const open: StreamingReply[] = [];
  beforeAll(async () => {
    feed = await startFeedWorld({ maxStreamsPerPrincipal: 4 });
    await feed.world.release(feed.withFiles(BOTH));
  });
  afterAll(() => feed.stop());
  afterEach(async () => {
    for (const { stream } of open.splice(0)) {
      stream.abort();
      await stream.ended;
    }
  });

  const ONLY_DEVELOPER: Caller = { ...DEVELOPER, roles: ["Developer"] };
  const BOTH = policy("[noisy, first]", "[first]");

  async function listen(
    server: string,
    caller: Caller,
    notifications: object,
    id: string | number = "L1",
  ): Promise<StreamingReply> {
    const token = await feed.world.token(caller, server);
    const params = { notifications };
    const reply = await modernRequest(feed.world.endpoint(server), token, {
      id,
      method: "subscriptions/listen",
      params,
    });
    open.push(reply);
    return reply;
  }

  const acknowledged = async (reply: StreamingReply): Promise<unknown> => {
    const first = await reply.stream.until(() => true);
    expect(first.method).toBe("notifications/subscriptions/acknowledged");
    return first.params?.["notifications"];
  };
  const metaOf = ({ params, result }: Message): unknown =>
    ((params ?? result)?.["_meta"] as Record<string, unknown> | undefined)?.[SUBSCRIPTION];

  it.each(["L1", 7])(
    "acknowledges first, and honours what the caller may have, under the id %j",
    async (id) => {
      const reply = await listen(
        "feed",
        ONLY_DEVELOPER,
        { ...ALL_FLAGS, resourceSubscriptions: ["feed://a", "feed://c", "feed://none"] },
        id,
      );
      expect(reply.status).toBe(200);
      expect(await acknowledged(reply)).toEqual({
        toolsListChanged: true,
        resourcesListChanged: true,
        resourceSubscriptions: ["feed://a"],
      });
      expect(metaOf(reply.stream.messages()[0] ?? {})).toBe(id);
      feed.feeds["feed"]?.touch("feed://c");
      await expect.poll(() => feed.feeds["feed"]?.subscribed()).toEqual(["feed://a"]);
      feed.feeds["feed"]?.touch("feed://a");
      const updated = await reply.stream.until(({ method }) => method === UPDATED);
      expect(updated.params).toEqual({ uri: "feed://a", _meta: { [SUBSCRIPTION]: id } });
      expect(reply.stream.messages()).toHaveLength(2);
    },
  );

  it("tells of a changed list only whom it concerns, in both eras", async () => {
    const developer = await listen("feed", ONLY_DEVELOPER, ALL_FLAGS);
    const employee = await listen("feed", EMPLOYEE, ALL_FLAGS);
    await Promise.all([acknowledged(developer), acknowledged(employee)]);
    const sessions = await Promise.all(
      [ONLY_DEVELOPER, EMPLOYEE].map(async (caller) => {
        const token = await feed.world.token(caller, "feed");
        const client = await LegacySessionClient.open(feed.world.endpoint("feed"), token);
        const general = await client.get();
        open.push(general);
        return general;
      }),
    );
    await feed.world.release(feed.withFiles(policy("[noisy, first]", "[first, second]")));
    const isChange = ({ method }: Message): boolean => method === "notifications/tools/list_changed";
    expect(metaOf(await employee.stream.until(isChange))).toBe("L1");
    await sessions[1]?.stream.until(isChange);
    await feed.world.release(feed.withFiles(BOTH));
    await expect.poll(() => employee.stream.messages().filter(isChange)).toHaveLength(2);
    expect(developer.stream.messages()).toHaveLength(1);
    expect(sessions[0]?.stream.messages()).toEqual([]);
    expect(employee.stream.messages()).toHaveLength(3);
  });

  it("reads the token of an open stream by the release of the moment", async () => {
    const token = await feed.world.token(ONLY_DEVELOPER, "feed");
    const client = await LegacySessionClient.open(feed.world.endpoint("feed"), token);
    const general = await client.get();
    const reply = await listen("feed", ONLY_DEVELOPER, { ...ALL_FLAGS, resourceSubscriptions: ["feed://a"] });
    open.push(general);
    await acknowledged(reply);
    await feed.world.release(feed.withFiles({ ...BOTH, "identity.yaml": WITHOUT_ROLES }));
    const isChange = ({ method }: Message): boolean => method === "notifications/tools/list_changed";
    await Promise.all([reply.stream.until(isChange), general.stream.until(isChange)]);
    await expect.poll(() => feed.feeds["feed"]?.subscribed()).toEqual([]);
    await feed.world.release(feed.withFiles(BOTH));
  });

  it("is what the SDK's own client hears", async () => {
    const client = await openModern(feed.world.endpoint("feed"), await feed.world.token(EMPLOYEE, "feed"));
    const { promise, resolve } = Promise.withResolvers<undefined>();
    client.setNotificationHandler("notifications/tools/list_changed", () => resolve(undefined));
    const subscription = await client.listen({ toolsListChanged: true });
    expect(subscription.honoredFilter).toEqual({ toolsListChanged: true });
    await feed.world.release(feed.withFiles(policy("[noisy, first]", "[second]")));
    await promise;
    await subscription.close();
    expect(await subscription.closed).toBe("local");
    await client.close();
    await feed.world.release(feed.withFiles(BOTH));
  });

  it("narrows a listen when a release takes a resource away, and gives the server's subscription back", async () => {
    const reply = await listen("feed", ONLY_DEVELOPER, { resourceSubscriptions: ["feed://a", "feed://b"] });
    await acknowledged(reply);
    await expect.poll(() => feed.feeds["feed"]?.subscribed()).toEqual(["feed://a", "feed://b"]);
    await feed.world.release(feed.withFiles(policy("[noisy, first]", "[first]", '["feed://b"]')));
    await expect.poll(() => feed.feeds["feed"]?.subscribed()).toEqual(["feed://b"]);
    feed.feeds["feed"]?.touch("feed://a");
    feed.feeds["feed"]?.touch("feed://b");
    await reply.stream.until(({ method }) => method === UPDATED);
    expect(reply.stream.messages().map(({ params }) => params?.["uri"])).toEqual([undefined, "feed://b"]);
    reply.stream.abort();
    await expect.poll(() => feed.feeds["feed"]?.subscribed()).toEqual([]);
    await feed.world.release(feed.withFiles(BOTH));
  });

  it("shares one subscription of a server among its listeners, and keeps it while there is one", async () => {
    const filter = { resourceSubscriptions: ["feed://a"] };
    const [first, second] = [
      await listen("feed", ONLY_DEVELOPER, filter),
      await listen("feed", { ...ONLY_DEVELOPER, subject: "dora" }, filter),
    ];
    await Promise.all([acknowledged(first), acknowledged(second)]);
    await expect.poll(() => feed.feeds["feed"]?.subscribed()).toEqual(["feed://a"]);
    first.stream.abort();
    await first.stream.ended;
    feed.feeds["feed"]?.touch("feed://a");
    await second.stream.until(({ method }) => method === UPDATED);
    feed.feeds["feed"]?.drop();
    const updates = (): number => second.stream.messages().filter(({ method }) => method === UPDATED).length;
    const before = updates();
    await expect
      .poll(
        () => {
          feed.feeds["feed"]?.touch("feed://a");
          return updates();
        },
        { timeout: 5_000 },
      )
      .toBeGreaterThan(before);
  });

  it("listens for a modern client at a legacy server", async () => {
    const reply = await listen("old", DEVELOPER, { resourceSubscriptions: ["feed://a"] });
    expect(await acknowledged(reply)).toEqual({ resourceSubscriptions: ["feed://a"] });
    await expect.poll(() => feed.feeds["old"]?.subscribed()).toEqual(["feed://a"]);
    await expect
      .poll(() => {
        feed.feeds["old"]?.touch("feed://a");
        return reply.stream.messages().some(({ method }) => method === UPDATED);
      })
      .toBe(true);
    reply.stream.abort();
    await expect.poll(() => feed.feeds["old"]?.subscribed()).toEqual([]);
  });

  it("goes on over a WebSocket until its request is cancelled", async () => {
    const url = feed.world.endpoint("feed");
    const authorization = `Bearer ${await feed.world.token(ONLY_DEVELOPER, "feed")}`;
    const socket = new WebSocket(url.href.replace("http", "ws"), "mcp", { headers: { authorization } });
    const received: Message[] = [];
    socket.on("message", (data: Buffer) => received.push(JSON.parse(data.toString("utf8")) as Message));
    await once(socket, "open");
    const send = (method: string, params: object, id?: number): void =>
      socket.send(
        JSON.stringify({
          jsonrpc: "2.0",
          ...(id === undefined ? {} : { id }),
          method,
          params: { ...params, _meta: modernMeta() },
        }),
      );
    const filter = { notifications: { toolsListChanged: true, resourceSubscriptions: ["feed://a"] } };
    send("subscriptions/listen", filter, 1);
    send("subscriptions/listen", filter, 2);
    await expect.poll(() => received.map(({ method }) => method)).toHaveLength(2);
    await expect.poll(() => feed.feeds["feed"]?.subscribed()).toEqual(["feed://a"]);
    send("notifications/cancelled", { requestId: 1 });
    send("tools/list", {}, 3);
    await expect.poll(() => received.some(({ id }) => id === 3)).toBe(true);
    feed.feeds["feed"]?.touch("feed://a");
    const updates = (): Message[] => received.filter(({ method }) => method === UPDATED);
    await expect.poll(() => updates().map(metaOf)).toEqual([2]);
    expect(received.some(({ id }) => id === 1)).toBe(false);
    socket.close();
    await expect.poll(() => feed.feeds["feed"]?.subscribed()).toEqual([]);
  });

  it("subscribes for a legacy client at a modern server", async () => {
    const token = await feed.world.token(DEVELOPER, "new");
    const client = await openLegacy(feed.world.endpoint("new"), token);
    const { promise, resolve } = Promise.withResolvers<string>();
    const byHand = await LegacySessionClient.open(feed.world.endpoint("new"), token);
    client.fallbackNotificationHandler = ({ params }) => {
      resolve(String(params?.["uri"]));
      return Promise.resolve();
    };
    await client.subscribeResource({ uri: "feed://a" });
    await expect.poll(() => feed.feeds["new"]?.subscribed()).toEqual(["feed://a"]);
    feed.feeds["new"]?.touch("feed://a");
    expect(await promise).toBe("feed://a");
    expect((await byHand.post("resources/subscribe", { uri: "feed://nothing" })).status).toBe(200);
    await client.unsubscribeResource({ uri: "feed://a" });
    await expect.poll(() => feed.feeds["new"]?.subscribed()).toEqual([]);
    await client.subscribeResource({ uri: "feed://b" });
    await (client.transport as unknown as { terminateSession: () => Promise<void> }).terminateSession();
    await expect.poll(() => feed.feeds["new"]?.subscribed()).toEqual([]);
    await client.close();
  });

  it("ends a listen when its token is no longer tolerated, and not before", async () => {
    const mintedMs = performance.now();
    const url = feed.world.endpoint("feed");
    const token = await feed.world.issuer.mint({
      subject: "dana",
      audience: url.href,
      claims: { roles: ["Developer"], is_external: false },
      // Past its `exp`, for 3 s more within the tolerance.
      expiresInSeconds: -27,
    });
    const reply = await modernRequest(url, token, {
      id: 1,
      method: "subscriptions/listen",
      params: { notifications: ALL_FLAGS },
    });
    open.push(reply);
    await acknowledged(reply);
    const final = await reply.stream.until(({ result }) => result !== undefined);
    expect(final).toMatchObject({ id: 1, result: { resultType: "complete", _meta: { [SUBSCRIPTION]: 1 } } });
    await reply.stream.ended;
    // Times of a token are whole seconds.
    expect(performance.now() - mintedMs).toBeGreaterThan(1_900);
  });

  it("opens so many streams of one caller, and no more", async () => {
    const caller = { ...ONLY_DEVELOPER, subject: "many" };
    for (let count = 0; count < 4; count++)
      expect((await listen("feed", caller, ALL_FLAGS, count)).status).toBe(200);
    const refused = await listen("feed", caller, ALL_FLAGS, "fifth");
    expect(refused.status).toBe(503);
    expect(JSON.parse(await refused.text())).toMatchObject({
      id: "fifth",
      error: { data: { code: "STREAM_LIMIT" } },
    });
    open[0]?.stream.abort();
    await expect
      .poll(async () => (await listen("feed", caller, ALL_FLAGS, "again")).status, { timeout: 5_000 })
      .toBe(200);
  });

  it.each([
    ["no filter", {}],
    ["a flag that is none", { notifications: { toolsListChanged: "yes" } }],
    ["URIs that are none", { notifications: { resourceSubscriptions: [1] } }],
    [
      "too many URIs",
      { notifications: { resourceSubscriptions: Array.from({ length: 257 }, (_, at) => `feed://${at}`) } },
    ],
  ])("refuses %s", async (_what, params) => {
    const token = await feed.world.token(ONLY_DEVELOPER, "feed");
    const reply = await modernRequest(feed.world.endpoint("feed"), token, {
      id: 1,
      method: "subscriptions/listen",
      params,
    });
    expect(JSON.parse(await reply.text())).toMatchObject({ id: 1, error: { code: -32602 } });
  });
});

describe("log messages", () => {
  let feed: FeedWorld;
  beforeAll(async () => {
    feed = await startFeedWorld();
  });
  afterAll(() => feed.stop());

  const logs = (reply: StreamingReply): Message[] =>
    reply.stream.messages().filter(({ method }) => method === "notifications/message");

  it.each([
    [undefined, 0],
    ["debug", 1],
    ["info", 1],
    ["warning", 0],
  ])("of a modern request with level %s: %i", async (level, count) => {
    const token = await feed.world.token(DEVELOPER, "feed");
    const reply = await modernRequest(
      feed.world.endpoint("feed"),
      token,
      { id: 1, method: "tools/call", params: { name: "noisy", arguments: { count: 1, level: "info" } } },
      { progressToken: 1, ...(level === undefined ? {} : { "io.modelcontextprotocol/logLevel": level }) },
    );
    await reply.stream.until(({ result }) => result !== undefined);
    expect(logs(reply)).toHaveLength(count);
  });

  it("of an unknown level are refused in both eras", async () => {
    const token = await feed.world.token(DEVELOPER, "feed");
    const url = feed.world.endpoint("feed");
    const modern = await modernRequest(
      url,
      token,
      { id: 1, method: "tools/list" },
      { "io.modelcontextprotocol/logLevel": "loud" },
    );
    expect(JSON.parse(await modern.text())).toMatchObject({ error: { code: -32602 } });
    const legacy = await LegacySessionClient.open(url, token);
    const refused = await legacy.post("logging/setLevel", { level: "loud" });
    expect(JSON.parse(await refused.text())).toMatchObject({ error: { code: -32602 } });
  });

  it("follow the level of the session, on its calls and on its general stream", async () => {
    const token = await feed.world.token(DEVELOPER, "feed");
    const [quiet, loud] = await Promise.all(
      [1, 2].map(() => LegacySessionClient.open(feed.world.endpoint("feed"), token)),
    );
    if (quiet === undefined || loud === undefined) throw new Error("unreachable");
    const call = async (client: LegacySessionClient): Promise<number> => {
      const reply = await client.post("tools/call", {
        name: "noisy",
        arguments: { count: 1, level: "info" },
      });
      if (reply.headers.get("content-type") === "application/json") return 0;
      await reply.stream.until(({ result }) => result !== undefined);
      return logs(reply).length;
    };
    expect(await call(quiet)).toBe(1);
    await (await quiet.post("logging/setLevel", { level: "error" })).text();
    expect(feed.feeds["feed"]?.levels()).toContain("error");
    expect(await call(quiet)).toBe(0);
    expect(await call(loud)).toBe(1);
    const generals = await Promise.all([quiet.get(), loud.get()]);
    await expect
      .poll(() => {
        feed.feeds["feed"]?.log("info", "to everybody");
        return logs(generals[1]).length;
      })
      .toBeGreaterThan(0);
    expect(logs(generals[0])).toEqual([]);
    for (const { stream } of generals) stream.abort();
  });
});
