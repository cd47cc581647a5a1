// The method table, row by row: what a client may send in each era is taken or refused as its row says, what a server
// sends reaches the client or does not, and what has no row reaches nobody. A row without a sample here fails.
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { METHOD_TABLE } from "#mcp";
import type { MethodRow } from "#mcp";
import type { JsonObject } from "#std";
import { readAuditRecords } from "../e2e/audit-records.ts";
import { DEVELOPER, startGatewayWorld } from "../e2e/gateway-world.ts";
import type { GatewayWorld } from "../e2e/gateway-world.ts";
import { grantingRepository, pinLive } from "../e2e/granting-repository.ts";
import { startScriptedSocket } from "../servers/scripted-socket.ts";
import type { ScriptedSocket } from "../servers/scripted-socket.ts";
import { CAPABILITIES, CLIENT_INFO, LEGACY_VERSION, envelope } from "./leg.ts";
import type { Era, Leg } from "./leg.ts";
import { openLeg } from "./open-leg.ts";

const ERAS: readonly Era[] = ["legacy", "modern"];
const UNKNOWN_METHOD = -32601;
const SERVER = "scripted";

/** Params of every method that a client sends. */
const SENT: Readonly<Record<string, JsonObject>> = {
  "completion/complete": { ref: { type: "ref/prompt", name: "say" }, argument: { name: "a", value: "b" } },
  initialize: { protocolVersion: LEGACY_VERSION, capabilities: CAPABILITIES, clientInfo: CLIENT_INFO },
  "logging/setLevel": { level: "info" },
  "notifications/cancelled": { requestId: 999_999 },
  "notifications/initialized": {},
  "notifications/progress": { progressToken: "none", progress: 1 },
  "notifications/roots/list_changed": {},
  "notifications/tasks/status": { taskId: "none", status: "working" },
  ping: {},
  "prompts/get": { name: "say" },
  "prompts/list": {},
  "resources/list": {},
  "resources/read": { uri: "script://one" },
  "resources/subscribe": { uri: "script://one" },
  "resources/templates/list": {},
  "resources/unsubscribe": { uri: "script://one" },
  "server/discover": {},
  "subscriptions/listen": { notifications: { toolsListChanged: true } },
  "tasks/cancel": { taskId: "none" },
  "tasks/get": { taskId: "none" },
  "tasks/list": {},
  "tasks/result": { taskId: "none" },
  "tasks/update": { taskId: "none", inputResponses: {} },
  "tools/call": { name: "work", arguments: {} },
  "tools/list": {},
};

/** What a server sends, and whether the caller of the call under way sees it: in an era where the row exists. */
const PLAYED: Readonly<Record<string, { readonly params: JsonObject; readonly reaches: readonly Era[] }>> = {
  "elicitation/create": {
    params: { message: "Why?", requestedSchema: { type: "object", properties: { why: { type: "string" } } } },
    reaches: ["legacy"],
  },
  "notifications/cancelled": { params: { requestId: "nothing" }, reaches: [] },
  // Of an elicitation that nobody was asked for.
  "notifications/elicitation/complete": { params: { elicitationId: "unknown" }, reaches: [] },
  "notifications/message": { params: { level: "info", data: "a line" }, reaches: ["legacy"] },
  "notifications/progress": { params: { progressToken: "$token", progress: 1 }, reaches: ERAS },
  // Sessions hear of every list, listens of those they asked for.
  "notifications/prompts/list_changed": { params: {}, reaches: ["legacy"] },
  "notifications/resources/list_changed": { params: {}, reaches: ["legacy"] },
  "notifications/resources/updated": { params: { uri: "script://one" }, reaches: ["legacy"] },
  "notifications/subscriptions/acknowledged": { params: { notifications: {} }, reaches: [] },
  "notifications/tasks": { params: { taskId: "none", status: "working" }, reaches: [] },
  "notifications/tasks/status": { params: { taskId: "none", status: "working" }, reaches: [] },
  "notifications/tools/list_changed": { params: {}, reaches: ERAS },
  ping: { params: {}, reaches: [] },
  "roots/list": { params: {}, reaches: ["legacy"] },
  "sampling/createMessage": {
    params: { maxTokens: 5, messages: [{ role: "user", content: { type: "text", text: "?" } }] },
    reaches: ["legacy"],
  },
  "tasks/cancel": { params: { taskId: "none" }, reaches: [] },
  "tasks/get": { params: { taskId: "none" }, reaches: [] },
  "tasks/list": { params: {}, reaches: [] },
  "tasks/result": { params: { taskId: "none" }, reaches: [] },
};

const ANSWERS: Readonly<Record<string, JsonObject>> = {
  "elicitation/create": { action: "decline" },
  "roots/list": { roots: [] },
  "sampling/createMessage": { role: "assistant", model: "m", content: { type: "text", text: "!" } },
};

let socket: ScriptedSocket;
let world: GatewayWorld;
const legs = new Map<Era, Leg>();

beforeAll(async () => {
  socket = await startScriptedSocket();
  const transport = { type: "websocket", url: socket.url } as const;
  const pinned = await pinLive({ id: SERVER, transport });
  const asks = [
    "metadata: { name: asks, reason: it may ask }",
    `scope: { servers: [${SERVER}], principals: { in: [Developer] } }`,
    `allow: { sampling: [${SERVER}], elicitation: [${SERVER}], roots: [${SERVER}] }`,
    "",
  ].join("\n");
  world = await startGatewayWorld({
    workspace: grantingRepository([pinned], { "policies/asks.yaml": asks }),
    transports: { [SERVER]: transport },
  });
  const token = await world.token(DEVELOPER, SERVER);
  for (const era of ERAS) legs.set(era, await openLeg("websocket", era, world.endpoint(SERVER), token));
}, 60_000);

afterAll(async () => {
  for (const leg of legs.values()) await leg.close();
  await world.stop();
  await socket.close();
});

function legOf(era: Era): Leg {
  const leg = legs.get(era);
  if (leg === undefined) throw new Error(`no ${era} leg`);
  return leg;
}

function rowsOf(
  direction: MethodRow["direction"],
  kind: "request" | "notification",
): readonly [string, Era, MethodRow][] {
  return METHOD_TABLE.filter((row) => row.direction === direction && row.kind === kind).flatMap((row) =>
    ERAS.map((era): [string, Era, MethodRow] => [row.method, era, row]),
  );
}

describe("what a client sends", () => {
  it.each(rowsOf("client-to-server", "request"))("%s, %s era", async (method, era, row) => {
    const params = SENT[method];
    expect(params, "a sample of the method").toBeDefined();
    const leg = legOf(era);
    const isKnown = row.eras.includes(era) && row.handling !== "deny";
    if (row.handling === "listen" && isKnown) {
      // Answered only when it ends: its acknowledgement is what shows that it was taken.
      const from = leg.received.length;
      leg.request(method, params ?? {}).catch(() => undefined);
      await expect
        .poll(() => leg.received.slice(from).map((message) => message["method"]))
        .toContain("notifications/subscriptions/acknowledged");
      return;
    }
    const answer = await leg.request(method, params ?? {});
    if (isKnown) expect(answer.error?.code).not.toBe(UNKNOWN_METHOD);
    else expect(answer.error?.code).toBe(UNKNOWN_METHOD);
  });

  it.each(rowsOf("client-to-server", "notification"))("%s, %s era", async (method, era, row) => {
    const params = SENT[method];
    expect(params, "a sample of the method").toBeDefined();
    const leg = legOf(era);
    const before = (await readAuditRecords(world.gateway.auditDir)).length;
    await leg.notify(method, era === "modern" ? { ...params, _meta: envelope() } : (params ?? {}));
    // A request behind it on the same connection: when that is answered, the notification has been dealt with.
    await leg.request("tools/list", {});
    const records = JSON.stringify((await readAuditRecords(world.gateway.auditDir)).slice(before));
    const isKnown = row.eras.includes(era) && row.handling !== "deny";
    if (row.audit === "count" && isKnown) return;
    // A method without a row stands in the detail of its refusal.
    expect(records).toContain(isKnown ? `"method":"${method}"` : method);
    if (!isKnown) expect(records).toContain("METHOD_UNKNOWN");
  });

  it.each(ERAS)("a method without a row is unknown, %s era", async (era) => {
    for (const method of ["vendor/thing", "Tools/Call", "tools/call "]) {
      const { error } = await legOf(era).request(method, {});
      expect(error?.code).toBe(UNKNOWN_METHOD);
    }
  });
});

describe("what a server sends during a call", () => {
  const rows = [...rowsOf("server-to-client", "request"), ...rowsOf("server-to-client", "notification")];
  it.each(rows)("%s, %s era", async (method, era, row) => {
    const sample = PLAYED[method];
    expect(sample, "a sample of the method").toBeDefined();
    const { params, reaches } = sample ?? { params: {}, reaches: [] };
    const message: JsonObject = { jsonrpc: "2.0", method, params };
    const from = legOf(era).received.length;
    const heardBefore = socket.received.length;
    const seen = await callWhile(era, row.kind === "request" ? { ...message, id: `srv-${method}` } : message);
    const isReached = reaches.includes(era) && row.eras.includes(era);
    const received = (): unknown[] =>
      legOf(era)
        .received.slice(from)
        .map((one) => one["method"]);
    // Of a list that changes again at once, callers are told a little later.
    if (isReached && isListChange(method)) await expect.poll(received).toContain(method);
    else expect(seen.includes(method)).toBe(isReached);
    // Whatever came of it, a legacy server that asked was answered, once.
    if (row.kind !== "request" || era !== "legacy") return;
    const answers = socket.received
      .slice(heardBefore)
      .filter((one) => one["id"] === `srv-${method}` && one["method"] === undefined);
    expect(answers).toHaveLength(1);
  });

  it.each(ERAS)("what has no row reaches nobody, %s era", async (era) => {
    const params = { progressToken: "$token" };
    const notified = await callWhile(era, { jsonrpc: "2.0", method: "notifications/vendor", params });
    const asked = await callWhile(era, { jsonrpc: "2.0", method: "vendor/ask", id: "srv-v", params });
    // The changed lists of the rows above may still be on their way.
    expect([...notified, ...asked].filter((name) => !isListChange(name))).toEqual([]);
  });
});

function isListChange(method: string): boolean {
  return method.endsWith("/list_changed");
}

/** The methods that the caller saw while its call ran, asked or notified. */
async function callWhile(era: Era, message: JsonObject): Promise<readonly string[]> {
  const leg = legOf(era);
  const from = leg.received.length;
  socket.play([message]);
  const params = { name: "work", arguments: {}, _meta: { progressToken: "mine" } };
  const answer = await leg.request("tools/call", params, (ask) => ANSWERS[ask.method] ?? {});
  expect(answer.error).toBeUndefined();
  const notified = leg.received.slice(from).map((one) => String(one["method"]));
  return [...answer.asks.map((ask) => ask.method), ...notified];
}
