// What a legacy client posts that is no answer, and what a legacy server does in the middle of a call: by hand, since no
// SDK does it.
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { verifyAuditLog } from "#audit";
import { ELICIT_ALONE, VISIT, startAskingLegacyServer } from "../servers/asking-legacy.ts";
import type { AskingLegacyServer } from "../servers/asking-legacy.ts";
import { readAuditRecords } from "./audit-records.ts";
import { DEVELOPER, startGatewayWorld } from "./gateway-world.ts";
import type { GatewayWorld } from "./gateway-world.ts";
import { grantingRepository, pinLive } from "./granting-repository.ts";
import { exchange } from "./sse-client.ts";
import type { Message, StreamingReply } from "./sse-client.ts";

const SERVER = "by-hand";
const ASKS = [
  "metadata: { name: asks, reason: developers may be asked }",
  "scope: { principals: { in: [Developer] } }",
  'allow: { sampling: ["*"], elicitation: ["*"], roots: ["*"] }',
  "elicitation:",
  `  ${SERVER}: { hosts: ["visit.example.com"] }`,
  "",
].join("\n");
const CAPABILITIES = {
  elicitation: { form: {}, url: {} },
  roots: { listChanged: true },
  experimental: { secret: {} },
};

let world: GatewayWorld;
let server: AskingLegacyServer;

beforeAll(async () => {
  server = await startAskingLegacyServer();
  const transport = { type: "streamable-http", url: server.url } as const;
  const pinned = await pinLive({ id: SERVER, transport });
  world = await startGatewayWorld({
    workspace: grantingRepository([pinned], { "policies/asks.yaml": ASKS }),
    transports: { [SERVER]: transport },
  });
});

afterAll(async () => {
  await world.stop();
  await server.close();
});

interface HandClient {
  readonly post: (message: object) => Promise<StreamingReply>;
  readonly call: (name: string) => Promise<StreamingReply>;
  /** Opens the session's own stream. */
  readonly listen: () => Promise<StreamingReply>;
  readonly end: () => Promise<void>;
}

async function open(subject: string): Promise<HandClient> {
  const url = world.endpoint(SERVER);
  const authorization = `Bearer ${await world.token({ ...DEVELOPER, subject }, SERVER)}`;
  const params = {
    protocolVersion: "2025-11-25",
    capabilities: CAPABILITIES,
    clientInfo: { name: "by-hand", version: "1" },
  };
  const opened = await exchange(
    url,
    "POST",
    { authorization },
    {
      ...{ jsonrpc: "2.0", id: "i", method: "initialize", params },
    },
  );
  await opened.text();
  const headers = { authorization, "mcp-session-id": opened.headers.get("mcp-session-id") ?? "" };
  let lastId = 0;
  const post = (message: object): Promise<StreamingReply> =>
    exchange(url, "POST", headers, { jsonrpc: "2.0", ...message });
  const call = (name: string): Promise<StreamingReply> =>
    post({ id: ++lastId, method: "tools/call", params: { name, arguments: {} } });
  const listen = (): Promise<StreamingReply> => exchange(url, "GET", headers);
  const end = async (): Promise<void> => void (await (await exchange(url, "DELETE", headers)).text());
  return { post, call, listen, end };
}

const isAsk = ({ method }: Message): boolean => method === "elicitation/create";
const isAnswer = ({ result, error }: Message): boolean => result !== undefined || error !== undefined;
const ACCEPT = { action: "accept", content: { word: "yes" } };

async function deniedCodes(): Promise<readonly unknown[]> {
  const records = await readAuditRecords(world.gateway.auditDir);
  return records.filter(({ body }) => body["outcome"] === "denied").map(({ body }) => body["code"]);
}

describe("a posted response", () => {
  it("answers only under a pending id, once, in its own session", async () => {
    const ada = await open("ada");
    const mallory = await open("mallory");
    const call = await ada.call("elicit");
    const asked = await call.stream.until(isAsk);
    for (const [client, id] of [
      [mallory, asked.id],
      [ada, "e-1"],
      [ada, 1],
    ] as const) {
      const reply = await client.post({ id, result: { action: "accept", content: { word: "forged" } } });
      expect([reply.status, await reply.text()]).toEqual([202, ""]);
    }
    expect((await ada.post({ id: asked.id, result: ACCEPT })).status).toBe(202);
    expect((await ada.post({ id: asked.id, result: { action: "decline" } })).status).toBe(202);
    const answer = await call.stream.until(isAnswer);
    expect(JSON.stringify(answer.result)).toContain("yes");
    expect(server.received.filter(({ id }) => String(id).startsWith("e-"))).toMatchObject([
      { result: ACCEPT },
    ]);
    expect((await deniedCodes()).filter((code) => code === "ASK_UNKNOWN")).toHaveLength(4);
  });

  it("that is not what was asked for becomes a cancel", async () => {
    const ada = await open("ada");
    const call = await ada.call("elicit");
    const asked = await call.stream.until(isAsk);
    await ada.post({ id: asked.id, result: { action: "accept", content: { card: "4111" } } });
    expect(JSON.stringify((await call.stream.until(isAnswer)).result)).toContain("cancel");
    expect(await deniedCodes()).toContain("ASK_ANSWER_INVALID");
  });

  it("that is an error reaches the server as one", async () => {
    const ada = await open("ada");
    const call = await ada.call("elicit");
    const asked = await call.stream.until(isAsk);
    await ada.post({ id: asked.id, error: { code: -1, message: "not now", data: { secret: 1 } } });
    const text = JSON.stringify((await call.stream.until(isAnswer)).result);
    expect(text).toContain("not now");
    expect(text).not.toContain("secret");
  });
});

describe("a legacy server", () => {
  it("is told of what may be asked of the client, and of nothing else", async () => {
    await (await (await open("ada")).call("ping")).text();
    expect(server.declared()).toEqual({ elicitation: { form: {}, url: {} }, roots: { listChanged: true } });
  });

  it("hears of progress, withdraws its request, and the client is told", async () => {
    const ada = await open("ada");
    const call = await ada.call("withdraw");
    const asked = await call.stream.until(isAsk);
    const meta = asked.params?.["_meta"] as Record<string, unknown>;
    const progress = { progressToken: meta["progressToken"], progress: 1, total: 2, extra: "dropped" };
    await ada.post({ method: "notifications/progress", params: progress });
    const heard = await server.until(({ method }) => method === "notifications/progress");
    expect(heard.params).toEqual({ progressToken: "own", progress: 1, total: 2 });
    const withdrawn = await call.stream.until(({ method }) => method === "notifications/cancelled");
    expect(withdrawn.params?.["requestId"]).toBe(asked.id);
    await call.stream.until(isAnswer);
    await ada.post({ id: asked.id, result: ACCEPT });
    expect(server.received.some(({ id }) => id === "w-1")).toBe(false);
  });

  it("says that a URL was visited to the session it was asked in", async () => {
    const ada = await open("ada");
    const call = await ada.call("visit");
    const asked = await call.stream.until(isAsk);
    expect(asked.params).toMatchObject({ mode: "url", url: VISIT, elicitationId: "visit-1" });
    await ada.post({ id: asked.id, result: { action: "accept" } });
    await call.stream.until(isAnswer);
    const complete = call.stream
      .messages()
      .filter(({ method }) => method === "notifications/elicitation/complete");
    expect(complete.map(({ params }) => params?.["elicitationId"])).toEqual(["visit-1"]);
  });

  it("says that a URL comes first: its judged elicitations pass, and nothing beside them", async () => {
    const reply = await (await open("ada")).call("visit_first");
    const { error } = JSON.parse(await reply.text()) as { error: { code: number; data: unknown } };
    expect(error.code).toBe(-32042);
    expect(error.data).toEqual({
      elicitations: [
        {
          ...{ mode: "url", message: "First visit", url: VISIT, elicitationId: "visit-2" },
          _meta: { "dev.aegis/server": SERVER },
        },
      ],
    });
  });

  it("is answered when it asks whether anybody is there, and refused what is no request of the protocol", async () => {
    const ada = await open("ada");
    const ping = await ada.call("ping");
    expect(JSON.stringify(JSON.parse(await ping.text()))).toContain("{}");
    const unknown = await ada.call("unknown");
    expect(await unknown.text()).toContain("-32601");
  });

  it("hears that roots changed", async () => {
    const ada = await open("ada");
    await (await ada.call("ping")).text();
    await ada.post({ method: "notifications/roots/list_changed" });
    await server.until(({ method }) => method === "notifications/roots/list_changed");
  });

  it("may ask outside any call where the session has a stream, and else is told that nobody is there", async () => {
    const ada = await open("zoe");
    await (await ada.call("ping")).text();
    expect(server.push({ ...ELICIT_ALONE, id: "alone-1" })).toBe(true);
    const nobody = await server.until(({ id }) => id === "alone-1");
    expect(nobody.result).toEqual({ action: "decline" });
    const stream = await ada.listen();
    server.push({ ...ELICIT_ALONE, id: "alone-2" });
    const asked = await stream.stream.until(isAsk);
    await ada.post({ id: asked.id, result: ACCEPT });
    expect((await server.until(({ id }) => id === "alone-2")).result).toEqual(ACCEPT);
    const records = await readAuditRecords(world.gateway.auditDir);
    expect(records.some(({ body }) => body["during"] === null && body["effect"] === "allow")).toBe(true);
    server.push({ ...ELICIT_ALONE, id: "alone-3" });
    await stream.stream.until(({ id, method }) => method === "elicitation/create" && id !== asked.id);
    stream.stream.abort();
    await ada.end();
  });

  it("is answered where it answers the call first, and the client is not left with its request", async () => {
    const ada = await open("ada");
    for (let n = 1; n <= 17; n += 1) {
      const call = await ada.call("leave");
      await call.stream.until(isAnswer);
      const told = await server.until(({ id, method }) => id === `l-${String(n)}` && method === undefined);
      expect(told.result).toEqual({ action: "cancel" });
      const asked = call.stream.messages().find(isAsk);
      if (asked === undefined) continue;
      const withdrawn = call.stream.messages().find(({ method }) => method === "notifications/cancelled");
      expect(withdrawn?.params?.["requestId"]).toBe(asked.id);
    }
    const records = await readAuditRecords(world.gateway.auditDir);
    const asks = records.filter(({ body }) => body["method"] === "elicitation/create");
    const allowed = asks.filter(({ body }) => body["effect"] === "allow").map(({ body }) => body["id"]);
    const ended = new Set(records.filter(({ ev }) => ev === "result").map(({ body }) => body["id"]));
    expect(allowed.filter((id) => !ended.has(id))).toEqual([]);
  });

  it("gets a cancel where the caller cancels the call, and nobody can answer any more", async () => {
    const ada = await open("ada");
    const call = await ada.call("elicit");
    const asked = await call.stream.until(isAsk);
    await ada.post({ method: "notifications/cancelled", params: { requestId: 1 } });
    const told = await call.stream.until(({ method }) => method === "notifications/cancelled");
    expect(told.params?.["requestId"]).toBe(asked.id);
  });
});

it("leaves a log that is whole, with an outcome for everything that was allowed", async () => {
  const { auditDir } = world.gateway;
  await world.gateway.stop();
  expect(await verifyAuditLog({ dir: auditDir })).toMatchObject({ outcome: "clean", openDecisions: 0 });
});
