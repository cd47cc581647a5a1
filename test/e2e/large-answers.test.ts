// Answers of megabytes through a running gateway: transformed like small ones, and nobody else waits for them.
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { person, startBulkServer } from "../servers/bulk.ts";
import type { BulkServer } from "../servers/bulk.ts";
import { startWebSocketServer } from "../servers/sdk-servers.ts";
import type { SdkServer } from "../servers/sdk-servers.ts";
import { readAuditRecords } from "./audit-records.ts";
import { openLegacy } from "./clients.ts";
import { DEVELOPER, startGatewayWorld } from "./gateway-world.ts";
import type { GatewayWorld } from "./gateway-world.ts";
import { grantingRepository, pinLive } from "./granting-repository.ts";
import { rawCall } from "./raw-call.ts";

const RECORDS = 14_000;
const POLICY = `
metadata: { name: transforms, reason: what leaves is transformed }
scope: { servers: [bulk, slow, wire] }
transforms:
  bulk/bulk:
    detect: [{ path: $.response, detectors: [email] }]
    hash: ["$.response.list[*].name"]
    redact: ["$.response.list[*].iban"]
  bulk/hostile: { detect: [{ path: $.response, detectors: [email, card, key] }] }
  slow/hostile: { detect: [{ path: $.response, detectors: [email, card, key] }] }
  large: { redact: [$.response.secret] }
`;

const ROUTES = `
endpoints:
  - { path: /bulk/mcp, server: bulk }
  - { path: /slow/mcp, server: slow, deadline: 80ms }
  - { path: /wire/mcp, server: wire }
  - { path: /both/mcp, servers: [bulk, wire] }
`;

let bulk: BulkServer;
let socket: SdkServer;
let world: GatewayWorld;
let token: string;

beforeAll(async () => {
  bulk = await startBulkServer();
  socket = await startWebSocketServer({
    tools: [{ name: "large", description: "Says much.", inputSchema: { type: "object" } }],
    answer: () =>
      JSON.stringify({ secret: "hunter2-hunter2", text: "word ".repeat(400_000), tail: "hunter2-hunter2" }),
  });
  const servers = [
    await pinLive({ id: "bulk", transport: { type: "streamable-http", url: bulk.url } }),
    await pinLive({ id: "slow", transport: { type: "streamable-http", url: bulk.url } }),
    await pinLive({ id: "wire", transport: { type: "websocket", url: socket.url } }),
  ];
  world = await startGatewayWorld({
    workspace: grantingRepository(servers, {
      "policies/transforms.yaml": POLICY,
      "routes.yaml": ROUTES,
    }),
    transports: Object.fromEntries(servers.map(({ target }) => [target.id, target.transport])),
  });
  token = await world.token(DEVELOPER, "bulk");
}, 60_000);

afterAll(async () => {
  await world.stop();
  await bulk.close();
  await socket.close();
});

it.each(["json", "sse"])("redacts an answer of 5 MB that comes as %s", async (how) => {
  const args = { records: RECORDS, how };
  const { status, result, error } = await rawCall(world.endpoint("bulk"), token, "bulk", args);
  expect({ status, error }).toEqual({ status: 200, error: undefined });
  const text = JSON.stringify(result);
  expect(text.length).toBeGreaterThan(4_000_000);
  expect(text).not.toMatch(/@example\.com|DE7777|Person \d/u);
  const { content, structuredContent } = result as {
    readonly content: readonly { readonly text: string }[];
    readonly structuredContent: { readonly list: readonly unknown[] };
  };
  expect(JSON.parse(content[0]?.text ?? "")).toEqual(structuredContent);
  expect(structuredContent.list).toHaveLength(RECORDS);
  const { note } = person(5);
  expect(structuredContent.list[5]).toEqual({
    id: 5,
    name: expect.stringMatching(/^hmac:[\w-]{22}$/u) as string,
    email: "[redacted email]",
    note,
    iban: "[redacted]",
  });
});

it("hashes alike in large and small answers", async () => {
  const names = async (records: number): Promise<readonly unknown[]> => {
    const { result } = await rawCall(world.endpoint("bulk"), token, "bulk", { records });
    const { list } = result?.["structuredContent"] as { readonly list: readonly { readonly name: string }[] };
    return list.slice(0, 3).map(({ name }) => name);
  };
  expect(await names(RECORDS)).toEqual(await names(3));
});

it("records what a transform replaced, as for small answers", async () => {
  const records = await readAuditRecords(world.gateway.auditDir);
  const replaced = records.flatMap(({ ev, body }) => (ev === "result" ? [body["transformed"]] : []));
  expect(replaced).toContain(RECORDS * 6);
});

it("answers others while a large answer is searched", async () => {
  const order: string[] = [];
  const started = bulk.calls();
  const large = rawCall(world.endpoint("bulk"), token, "hostile", { records: 20_000 }).then(({ error }) => {
    order.push(error === undefined ? "large" : `large: ${error.message}`);
  });
  await expect.poll(bulk.calls, { interval: 5 }).toBe(started + 1);
  for (let calls = 0; calls < 3; calls += 1) {
    const { result } = await rawCall(world.endpoint("bulk"), token, "bulk", { records: 1 });
    order.push(result === undefined ? "refused" : "small");
  }
  await large;
  expect(order).toEqual(["small", "small", "small", "large"]);
});

it("refuses an answer that takes longer than the call may, and goes on", async () => {
  const slow = await world.token(DEVELOPER, "slow");
  const refused = await rawCall(world.endpoint("slow"), slow, "hostile", { records: 20_000 });
  expect(refused.result).toBeUndefined();
  // On a busy machine the deadline passes while the server is still sending.
  expect(["EXCHANGE_DEADLINE", "UPSTREAM_TIMEOUT"]).toContain(refused.error?.data?.code);
  const small = async (): Promise<boolean> =>
    (await rawCall(world.endpoint("slow"), slow, "bulk", { records: 1 })).result !== undefined;
  await expect.poll(small, { timeout: 20_000 }).toBe(true);
  const { result } = await rawCall(world.endpoint("bulk"), token, "bulk", { records: 2_000 });
  expect(JSON.stringify(result)).toContain("[redacted email]");
});

describe("of servers of the other era, and of several at one endpoint", () => {
  /** Named for the endpoint; `legacy` clients at the modern `bulk`, modern ones at the legacy `wire`, and both at `both`. */
  it.each([
    ["legacy", "bulk", "bulk"],
    ["legacy", "both", "bulk__bulk"],
    ["modern", "both", "bulk__bulk"],
  ])("%s at %s: an answer of 5 MB is redacted and translated", async (era, endpoint, name) => {
    const args = { records: RECORDS, how: "json" };
    const bearer = await world.token(DEVELOPER, endpoint);
    let result: Record<string, unknown> | undefined;
    if (era === "legacy") {
      const client = await openLegacy(world.endpoint(endpoint), bearer);
      result = await client.callTool({ name, arguments: args });
      await client.close();
      expect(Object.keys(result)).toEqual(expect.not.arrayContaining(["resultType", "ttlMs"]) as unknown);
    } else ({ result } = await rawCall(world.endpoint(endpoint), bearer, name, args));
    const { list } = result?.["structuredContent"] as { readonly list: readonly Record<string, unknown>[] };
    expect(list).toHaveLength(RECORDS);
    expect(list[5]).toMatchObject({ id: 5, email: "[redacted email]", iban: "[redacted]" });
    expect(JSON.stringify(result)).not.toMatch(/@example\.com|DE7777|Person \d/u);
  });

  it.each([
    ["wire", "large"],
    ["both", "wire__large"],
  ])("a modern client at %s, whose server is legacy", async (endpoint, name) => {
    const bearer = await world.token(DEVELOPER, endpoint);
    const { result, error } = await rawCall(world.endpoint(endpoint), bearer, name, {});
    expect(error).toBeUndefined();
    expect(result).toMatchObject({ resultType: "complete" });
    const text = JSON.stringify(result);
    expect(text.length).toBeGreaterThan(2_000_000);
    expect(text).not.toContain("hunter2");
  });

  it("others are answered while one is searched", async () => {
    const order: string[] = [];
    const bearer = await world.token(DEVELOPER, "both");
    const started = bulk.calls();
    const client = await openLegacy(world.endpoint("both"), bearer);
    const large = client
      .callTool({ name: "bulk__hostile", arguments: { records: 20_000 } })
      .then(() => order.push("large"));
    await expect.poll(bulk.calls, { interval: 5 }).toBe(started + 1);
    for (let calls = 0; calls < 3; calls += 1) {
      await rawCall(world.endpoint("both"), bearer, "bulk__bulk", { records: 1 });
      order.push("small");
    }
    await large;
    await client.close();
    expect(order).toEqual(["small", "small", "small", "large"]);
  });
});

it("redacts a large answer of a legacy server on a shared wire", async () => {
  const client = await openLegacy(world.endpoint("wire"), await world.token(DEVELOPER, "wire"));
  const result = await client.callTool({ name: "large", arguments: {} });
  await client.close();
  const text = JSON.stringify(result);
  expect(text.length).toBeGreaterThan(2_000_000);
  expect(text).not.toContain("hunter2");
});
