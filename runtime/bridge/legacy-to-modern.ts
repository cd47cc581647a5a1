// A modern server as a legacy one (MCP 2025-11-25 and before on 2026-07-28): the session becomes an envelope of every
// request, `input_required` becomes requests to the client, results lose what legacy clients do not know.
import { randomUUID } from "node:crypto";
import { AegisError } from "#errors";
import type { RequestId } from "#mcp";
import { isJsonObject } from "#std";
import type { JsonObject, JsonValue } from "#std";
import type {
  DeclaredClient,
  ExchangeObserver,
  OutboundRequest,
  RequestLimits,
  ServerUpstream,
  UpstreamReply,
} from "#upstream";
import { finalReply, isDeclared, withoutReserved } from "./translate-reply.ts";
import { modernParams } from "./translate.ts";

/** Answers that may ask for more before there must be a final one (as the SDKs have it). */
const MAX_ROUNDS = 10;
/** Entries of one answer. */
const MAX_ASKS = 16;

export interface LegacyCaller {
  readonly client: DeclaredClient;
  /** Level the session's client set; undefined = it did not, and gets no log messages of a modern server. */
  readonly logLevel: string | undefined;
}

/** @throws {AegisError} as `Upstream.request`; METHOD_UNKNOWN for what has no counterpart */
export async function requestModern(
  upstream: ServerUpstream,
  { client, logLevel }: LegacyCaller,
  request: OutboundRequest,
  observer: ExchangeObserver,
  limits: RequestLimits,
  signal: AbortSignal,
): Promise<UpstreamReply> {
  // The level is the session's, and travels with every request from now on.
  if (request.method === "logging/setLevel") return { kind: "result", result: {} };
  if (request.method === "resources/subscribe" || request.method === "resources/unsubscribe")
    throw new AegisError("METHOD_UNKNOWN", `${request.method} has no counterpart towards a modern server`);
  const params = modernParams(request.params, client, logLevel);
  const relay: ExchangeObserver = {
    onNotification: (notification) => observer.onNotification(legacyNotification(notification)),
    pressure: observer.pressure,
    onReceived: observer.onReceived,
    // A modern server has no requests; the upstream leg drops them.
    onServerRequest: observer.onServerRequest,
  };
  const { onLarge } = limits;
  let isLarge = false;
  const keep = (bytes: Uint8Array): void => {
    isLarge = true;
    onLarge?.(bytes);
  };
  const bounds: RequestLimits = onLarge === undefined ? limits : { ...limits, onLarge: keep };
  let retry: JsonObject = {};
  for (let round = 0; ; round++) {
    const sent = { ...request, params: { ...params, ...retry } };
    const reply = await upstream.request({ era: "modern" }, sent, relay, bounds, signal);
    // Whoever reads it translates it. One that asks for something is blocked there.
    if (isLarge) return reply;
    if (reply.kind === "error" || !asksForInput(reply.result)) return finalReply(reply, request);
    // Nobody is asked for answers that would not be sent.
    if (round === MAX_ROUNDS) break;
    const answered = await collect(reply.result, client, observer, signal);
    if ("refusal" in answered) return answered.refusal;
    retry = answered.retry;
  }
  throw new AegisError(
    "UPSTREAM_PROTOCOL",
    `the server asked for input more than ${String(MAX_ROUNDS)} times`,
  );
}

function asksForInput(result: JsonObject): boolean {
  return result["resultType"] === "input_required";
}

type Collected = { readonly retry: JsonObject } | { readonly refusal: UpstreamReply };

/** Asks the client for every entry, and makes of the answers what the retry carries. */
async function collect(
  result: JsonObject,
  client: DeclaredClient,
  observer: ExchangeObserver,
  signal: AbortSignal,
): Promise<Collected> {
  const { inputRequests = {}, requestState } = result;
  if (!isJsonObject(inputRequests) || (requestState !== undefined && typeof requestState !== "string"))
    throw new AegisError("UPSTREAM_PROTOCOL", "a malformed input_required result");
  const entries = Object.entries(inputRequests);
  if (entries.length > MAX_ASKS || (entries.length === 0 && requestState === undefined))
    throw new AegisError(
      "UPSTREAM_PROTOCOL",
      "an input_required result with too many entries, or nothing at all",
    );
  const asks = entries.map(([key, entry]) => ({ key, ...readEntry(entry, client) }));
  const replies = await Promise.all(asks.map((ask) => observer.onServerRequest(legacyAsk(ask), signal)));
  signal.throwIfAborted();
  const answers: [string, JsonObject][] = [];
  for (const [index, reply] of replies.entries()) {
    const ask = asks[index];
    if (ask === undefined) continue;
    if (reply.kind === "result") answers.push([ask.key, withoutMeta(reply.result)]);
    // An elicitation that could not be made is one that nobody answered. The others have no such word.
    else if (ask.method === "elicitation/create") answers.push([ask.key, { action: "cancel" }]);
    else return { refusal: reply };
  }
  const state = requestState === undefined ? {} : { requestState };
  return { retry: entries.length === 0 ? state : { inputResponses: Object.fromEntries(answers), ...state } };
}

interface Entry {
  readonly method: string;
  readonly params: JsonObject;
}

function readEntry(entry: JsonValue, client: DeclaredClient): Entry {
  const method = isJsonObject(entry) ? entry["method"] : undefined;
  const params = isJsonObject(entry) ? (entry["params"] ?? {}) : undefined;
  if (typeof method !== "string" || !isJsonObject(params))
    throw new AegisError("UPSTREAM_PROTOCOL", "a malformed entry of inputRequests");
  if (!isDeclared(client.capabilities, method, params))
    throw new AegisError(
      "UPSTREAM_PROTOCOL",
      `asks for ${method.slice(0, 64)}, which the client did not declare`,
    );
  return { method, params };
}

/** The id only tells asks apart here: the client sees one of its own session. */
function legacyAsk({ key, method, params }: Entry & { readonly key: string }): JsonObject {
  const id: RequestId = key;
  const base = { jsonrpc: "2.0", id, method };
  if (method === "roots/list" && Object.keys(params).length === 0) return base;
  // Legacy elicitations by URL carry an id, so that their completion can be told.
  const byUrl = method === "elicitation/create" && params["mode"] === "url";
  return { ...base, params: byUrl ? { ...params, elicitationId: randomUUID() } : params };
}

function withoutMeta(result: JsonObject): JsonObject {
  const { _meta, ...rest } = result;
  const meta = withoutReserved(_meta);
  return meta === undefined ? rest : { ...rest, _meta: meta };
}

function legacyNotification(notification: JsonObject): JsonObject {
  const { params } = notification;
  if (!isJsonObject(params)) return notification;
  const { _meta, ...rest } = params;
  const meta = withoutReserved(_meta);
  return { ...notification, params: meta === undefined ? rest : { ...rest, _meta: meta } };
}
