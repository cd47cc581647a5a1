// A log level at an endpoint over several servers: it goes to all of them that the caller may tell, each decided and recorded
// for itself, and a server that is away is no failure of the others.
import { afterAll, beforeAll, expect, it } from "vitest";
import { startFeedServer } from "../servers/feed.ts";
import type { FeedServer } from "../servers/feed.ts";
import { readAuditRecords } from "./audit-records.ts";
import { DEVELOPER, startGatewayWorld } from "./gateway-world.ts";
import type { GatewayWorld } from "./gateway-world.ts";
import { grantingRepository, pinLive } from "./granting-repository.ts";
import { LegacySessionClient } from "./sse-client.ts";

const ENDPOINT = "feeds";
const IDS = ["alpha", "beta", "gamma"] as const;

/** By the level, which visibility does not know. */
const CALM = `@id("calm")
@reason("alpha says too much")
forbid (principal, action == Action::"logging/setLevel", resource == Server::"alpha")
when { context.arguments.level == "debug" };
`;

let world: GatewayWorld;
const feeds = new Map<string, FeedServer>();

beforeAll(async () => {
  const targets = [];
  for (const id of IDS) {
    const feed = await startFeedServer(["legacy"]);
    feeds.set(id, feed);
    targets.push({ id, transport: { type: "streamable-http" as const, url: feed.url } });
  }
  const pinned = await Promise.all(targets.map((target) => pinLive(target)));
  const denied = [
    "metadata: { name: quiet, reason: gamma keeps its level }",
    "scope: { servers: [gamma] }",
    "deny: { logging: [gamma] }",
    "",
  ].join("\n");
  world = await startGatewayWorld({
    workspace: grantingRepository(pinned, {
      "routes.yaml": `endpoints:\n  - { path: /${ENDPOINT}/mcp, servers: [${IDS.join(", ")}] }\n`,
      "policies/quiet.yaml": denied,
      "policies/calm.cedar": CALM,
      "limits.yaml": "limits:\n  - { id: few, per: [principal, server], limit: 6, window: 1h }\n",
    }),
    transports: Object.fromEntries(targets.map(({ id, transport }) => [id, transport])),
    gateway: { pollIntervalMs: 3_600_000 },
  });
}, 60_000);

afterAll(async () => {
  await world.stop();
  await Promise.all([...feeds.values()].map((feed) => feed.close()));
});

async function setLevel(level: string, caller = DEVELOPER): Promise<Record<string, unknown>> {
  const token = await world.token(caller, ENDPOINT);
  const client = await LegacySessionClient.open(world.endpoint(ENDPOINT), token);
  const reply = await client.post("logging/setLevel", { level });
  return JSON.parse(await reply.text()) as Record<string, unknown>;
}

const levels = (): Record<string, readonly string[]> =>
  Object.fromEntries([...feeds].map(([id, feed]) => [id, [...feed.levels()]]));

async function recorded(from: number): Promise<{ decided: unknown[]; outcomes: unknown[] }> {
  const records = (await readAuditRecords(world.gateway.auditDir)).slice(from);
  const decisions = records.filter(
    ({ ev, body }) => ev === "decision" && body["method"] === "logging/setLevel",
  );
  const ids = decisions.map(({ body }) => body["id"]);
  const results = records.filter(({ ev, body }) => ev === "result" && ids.includes(body["id"]));
  expect(new Set(ids).size).toBe(ids.length);
  return {
    decided: decisions.map(({ body }) => `${String(body["server"])} ${String(body["effect"])}`).sort(),
    outcomes: results.map(({ body }) => body["outcome"]).sort(),
  };
}

it("goes to every server that the caller may tell, each with a record of its own", async () => {
  const from = (await readAuditRecords(world.gateway.auditDir)).length;
  expect(await setLevel("error")).toMatchObject({ result: {} });
  expect(levels()).toEqual({ alpha: ["error"], beta: ["error"], gamma: [] });
  expect(await recorded(from)).toEqual({
    decided: ["alpha allow", "beta allow"],
    outcomes: ["result", "result"],
  });
});

it("denied by the first server, it still goes to the others, with the denial in the log", async () => {
  const from = (await readAuditRecords(world.gateway.auditDir)).length;
  expect(await setLevel("debug")).toMatchObject({ result: {} });
  expect(levels()).toEqual({ alpha: ["error"], beta: ["error", "debug"], gamma: [] });
  const { decided } = await recorded(from);
  expect(decided).toEqual(["alpha deny", "beta allow"]);
});

it("denied by a limit at the first server, it still goes to the others; by one at all of them, it is refused", async () => {
  const caller = { ...DEVELOPER, subject: "lena" };
  const client = await LegacySessionClient.open(
    world.endpoint(ENDPOINT),
    await world.token(caller, ENDPOINT),
  );
  // Counts at alpha alone.
  const first = { name: "alpha__first", arguments: {} };
  expect(await (await client.post("tools/call", first)).text()).toContain("result");
  for (let count = 0; count < 5; count += 1)
    expect(await setLevel("error", caller)).toMatchObject({ result: {} });
  const from = (await readAuditRecords(world.gateway.auditDir)).length;
  const before = levels();
  expect(await setLevel("notice", caller)).toMatchObject({ result: {} });
  expect(levels()).toEqual({ ...before, beta: [...(before["beta"] ?? []), "notice"] });
  expect((await recorded(from)).decided).toEqual(["alpha deny", "beta allow"]);

  const end = (await readAuditRecords(world.gateway.auditDir)).length;
  const refused = await setLevel("notice", caller);
  expect(refused).toMatchObject({ error: { data: { code: "RATE_LIMITED", limit: "few" } } });
  expect((await recorded(end)).decided).toEqual(["alpha deny"]);
});

it("is set where the first of them is away and another one took it, and refused where nobody did", async () => {
  await feeds.get("alpha")?.close();
  const from = (await readAuditRecords(world.gateway.auditDir)).length;
  expect(await setLevel("warning")).toMatchObject({ result: {} });
  expect(levels()["beta"]?.at(-1)).toBe("warning");
  await feeds.get("beta")?.close();
  expect(await setLevel("info")).toMatchObject({ error: {} });
  expect(levels()["gamma"]).toEqual([]);
  const { outcomes } = await recorded(from);
  expect(outcomes).toContain("denied");
});
