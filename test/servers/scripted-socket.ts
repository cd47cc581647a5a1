// A WebSocket server that speaks MCP by hand, so that it can send what no SDK would: before it answers a call it sends
// whatever the test gave it. It serves both eras.
import { createServer } from "node:http";
import { setTimeout as delay } from "node:timers/promises";
import { WebSocketServer } from "ws";
import type { WebSocket } from "ws";
import { isJsonObject } from "#std";
import type { JsonObject, JsonValue } from "#std";
import { listenOnLoopback } from "./loopback.ts";

export interface ScriptedSocket {
  readonly url: string;
  /** Sent before the answer to the next `tools/call`; `$token` and `$id` stand for the call's own. */
  readonly play: (messages: readonly JsonObject[]) => void;
  /** Every message that came. */
  readonly received: readonly JsonObject[];
  readonly close: () => Promise<void>;
}

/** What was played has been dealt with by then where nothing is answered to it. */
const SETTLED_MS = 40;
/** A legacy client that leaves a request unanswered does not hold the call for ever. */
const ANSWER_WAIT_MS = 5_000;
const POLL_MS = 5;

const CAPABILITIES: JsonObject = {
  tools: { listChanged: true },
  resources: { subscribe: true, listChanged: true },
  prompts: { listChanged: true },
  logging: {},
  completions: {},
};
const INFO: JsonObject = { name: "scripted", version: "1.0.0" };
const LISTS: Readonly<Record<string, JsonObject>> = {
  "tools/list": { tools: [{ name: "work", description: "Works.", inputSchema: { type: "object" } }] },
  "resources/list": { resources: [{ uri: "script://one", name: "one" }] },
  "resources/templates/list": { resourceTemplates: [] },
  "prompts/list": { prompts: [{ name: "say", description: "Says." }] },
};
const ANSWERS: Readonly<Record<string, JsonObject>> = {
  ...LISTS,
  "tools/call": { content: [{ type: "text", text: "worked" }] },
  "resources/read": { contents: [{ uri: "script://one", text: "one" }] },
  "prompts/get": { messages: [{ role: "user", content: { type: "text", text: "said" } }] },
  "completion/complete": { completion: { values: [] } },
};

function answerOf(method: string, isModern: boolean): JsonObject {
  if (method === "initialize")
    return { protocolVersion: "2025-11-25", capabilities: CAPABILITIES, serverInfo: INFO };
  const typed: JsonObject = isModern ? { resultType: "complete", ttlMs: 0, cacheScope: "private" } : {};
  if (method === "server/discover")
    return {
      ...typed,
      supportedVersions: ["2026-07-28"],
      capabilities: CAPABILITIES,
      _meta: { "io.modelcontextprotocol/serverInfo": INFO },
    };
  return { ...typed, ...ANSWERS[method] };
}

function filled(value: JsonValue, token: JsonValue, id: JsonValue): JsonValue {
  if (value === "$token") return token;
  if (value === "$id") return id;
  if (Array.isArray(value)) return value.map((item: JsonValue) => filled(item, token, id));
  if (!isJsonObject(value)) return value;
  return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, filled(item, token, id)]));
}

/** Ends when what was played has been dealt with, so that it belongs to the call: a legacy client answers requests. */
async function untilDealtWith(played: readonly JsonObject[], received: readonly JsonObject[]): Promise<void> {
  const asked = played.flatMap(({ id, method }) => (id === undefined || method === undefined ? [] : [id]));
  const from = received.length;
  const isAnswered = (id: JsonValue): boolean =>
    received.slice(from).some((one) => one["id"] === id && one["method"] === undefined);
  const deadline = performance.now() + ANSWER_WAIT_MS;
  while (!asked.every(isAnswered) && performance.now() < deadline) await delay(POLL_MS);
  await delay(SETTLED_MS);
}

export async function startScriptedSocket(): Promise<ScriptedSocket> {
  const server = createServer();
  const sockets = new WebSocketServer({ server, handleProtocols: () => "mcp" });
  const received: JsonObject[] = [];
  let script: readonly JsonObject[] = [];
  const answer = (socket: WebSocket, message: JsonObject): void => {
    received.push(message);
    const { id, method, params } = message;
    if (typeof method !== "string" || id === undefined) return;
    const meta = isJsonObject(params) && isJsonObject(params["_meta"]) ? params["_meta"] : {};
    const send = (out: JsonObject): void => socket.send(JSON.stringify(out));
    const isModern = meta["io.modelcontextprotocol/protocolVersion"] !== undefined;
    const end = (): void => send({ jsonrpc: "2.0", id, result: answerOf(method, isModern) });
    if (method !== "tools/call") return end();
    const played = script;
    script = [];
    for (const out of played) send(filled(out, meta["progressToken"] ?? null, id) as JsonObject);
    void untilDealtWith(isModern ? [] : played, received).then(end);
  };
  sockets.on("connection", (socket) => {
    socket.on("message", (data: Buffer) => answer(socket, JSON.parse(data.toString("utf8")) as JsonObject));
  });
  const { port, close } = await listenOnLoopback(server);
  return {
    url: `ws://127.0.0.1:${String(port)}/mcp`,
    play: (messages) => {
      script = messages;
    },
    received,
    close: async () => {
      for (const socket of sockets.clients) socket.terminate();
      await close();
    },
  };
}
