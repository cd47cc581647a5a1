// Members, capabilities, results and errors of one era in the words of the other (MCP 2026-07-28 and 2025-11-25).
// Plain functions: nothing is sent or decided here.
import { AegisError } from "#errors";
import {
  META_CLIENT_CAPABILITIES,
  META_CLIENT_INFO,
  META_LOG_LEVEL,
  META_PREFIX,
  META_PROTOCOL_VERSION,
} from "#mcp";
import { isJsonObject } from "#std";
import type { JsonObject, JsonValue } from "#std";
import { MODERN_PROTOCOL_VERSION } from "#upstream";
import type { DeclaredClient, UpstreamReply } from "#upstream";

const META_SERVER_INFO = "io.modelcontextprotocol/serverInfo";
const RESOURCE_NOT_FOUND = -32002;
const URL_ELICITATION_REQUIRED = -32042;
const INVALID_PARAMS = -32602;
/** -32020, -32021, -32022: what the gateway itself sent was wrong. */
const GATEWAY_FAULT_CODES: ReadonlySet<number> = new Set([-32020, -32021, -32022]);
/** Entries made of one error of a legacy server. */
const MAX_URL_ENTRIES = 8;

/** Members that the modern era gives to results, and that mean nothing, or something else, in a legacy one. */
const MODERN_RESULT_MEMBERS: ReadonlySet<string> = new Set([
  "resultType",
  "ttlMs",
  "cacheScope",
  "inputRequests",
  "requestState",
]);

/** `_meta` without the keys that the protocol reserves; trace context and progress token stay. */
export function withoutReserved(meta: JsonValue | undefined): JsonObject | undefined {
  if (!isJsonObject(meta)) return undefined;
  const kept = Object.entries(meta).filter(([key]) => !key.startsWith(META_PREFIX));
  return kept.length === 0 ? undefined : Object.fromEntries(kept);
}

/** Params of a legacy request from those of a modern one: no envelope, and nothing of a retry. */
export function legacyParams(params: JsonObject | undefined): JsonObject | undefined {
  if (params === undefined) return undefined;
  const { _meta, inputResponses: _answers, requestState: _state, ...rest } = params;
  const meta = withoutReserved(_meta);
  return meta === undefined ? rest : { ...rest, _meta: meta };
}

/** Params of a modern request from those of a legacy one: the envelope comes from the session, and tasks have no counterpart. */
export function modernParams(
  params: JsonObject | undefined,
  client: DeclaredClient,
  logLevel: string | undefined,
): JsonObject {
  const envelope: Record<string, JsonValue> = {
    ...withoutReserved(params?.["_meta"]),
    [META_PROTOCOL_VERSION]: MODERN_PROTOCOL_VERSION,
    [META_CLIENT_CAPABILITIES]: modernCapabilities(client.capabilities),
  };
  if (client.info !== undefined) envelope[META_CLIENT_INFO] = client.info;
  if (logLevel !== undefined) envelope[META_LOG_LEVEL] = logLevel;
  const { task: _task, ...rest } = params ?? {};
  return { ...rest, _meta: envelope };
}

const ASK_CAPABILITIES = ["elicitation", "roots", "sampling"] as const;

/** What a legacy client can be asked for in the modern era: the three requests that `input_required` may carry. */
export function modernCapabilities(capabilities: JsonObject): JsonObject {
  const declared: Record<string, JsonValue> = {};
  for (const name of ASK_CAPABILITIES) {
    const value = capabilities[name];
    if (!isJsonObject(value)) continue;
    const { listChanged: _changes, ...rest } = value;
    declared[name] = rest;
  }
  return declared;
}

/** The same for a legacy session of `protocolVersion`: elicitation since 2025-06-18, by URL since 2025-11-25. */
export function legacyCapabilities(capabilities: JsonObject, protocolVersion: string): JsonObject {
  const declared: Record<string, JsonValue> = {};
  const { elicitation, roots, sampling } = capabilities;
  if (isJsonObject(roots)) declared["roots"] = {};
  if (isJsonObject(sampling)) declared["sampling"] = protocolVersion >= "2025-11-25" ? sampling : {};
  if (!isJsonObject(elicitation) || protocolVersion < "2025-06-18") return declared;
  const takesForms = elicitation["form"] !== undefined || elicitation["url"] === undefined;
  if (protocolVersion >= "2025-11-25") declared["elicitation"] = elicitation;
  else if (takesForms) declared["elicitation"] = {};
  return declared;
}

/** Whether a client that declared `capabilities` may be asked for this. An empty `elicitation` means forms. */
export function isDeclared(capabilities: JsonObject, method: JsonValue, params: JsonObject): boolean {
  const { elicitation, roots, sampling } = capabilities;
  switch (method) {
    case "roots/list":
      return isJsonObject(roots);
    case "sampling/createMessage":
      return isJsonObject(sampling) && (params["tools"] === undefined || isJsonObject(sampling["tools"]));
    case "elicitation/create":
      if (!isJsonObject(elicitation)) return false;
      if (params["mode"] === "url") return isJsonObject(elicitation["url"]);
      return isJsonObject(elicitation["form"]) || elicitation["url"] === undefined;
    default:
      return false;
  }
}

/** Params of a server's request as an entry of `inputRequests`: no task, no id of an elicitation, no reserved keys. */
export function entryParams(params: JsonValue | undefined): JsonObject {
  if (!isJsonObject(params)) return {};
  const { _meta, task: _task, elicitationId: _id, ...rest } = params;
  const { progressToken: _token, ...meta } = withoutReserved(_meta) ?? {};
  return Object.keys(meta).length === 0 ? rest : { ...rest, _meta: meta };
}

export interface CallFacts {
  readonly method: string;
  readonly params: JsonObject | undefined;
}

/** A legacy server's reply as a modern one gives it. @throws {AegisError} CAPABILITY_REQUIRED */
export function modernReply(
  reply: UpstreamReply,
  { method, params }: CallFacts,
  facts: { readonly serverInfo: JsonObject; readonly capabilities: JsonObject },
): UpstreamReply {
  if (reply.kind === "result") {
    const own = Object.entries(reply.result).filter(([key]) => !MODERN_RESULT_MEMBERS.has(key));
    const { _meta, ...rest } = Object.fromEntries(own);
    const meta = { ...withoutReserved(_meta), [META_SERVER_INFO]: facts.serverInfo };
    const caching = method === "resources/read" ? { ttlMs: 0, cacheScope: "private" } : {};
    return { kind: "result", result: { resultType: "complete", ...rest, ...caching, _meta: meta } };
  }
  const { code, message, data } = reply.error;
  if (code === RESOURCE_NOT_FOUND) {
    const named = isJsonObject(data) ? data["uri"] : undefined;
    const uri = typeof named === "string" ? named : params?.["uri"];
    const known = typeof uri === "string" ? { data: { uri } } : {};
    return { kind: "error", error: { code: INVALID_PARAMS, message, ...known } };
  }
  if (code === URL_ELICITATION_REQUIRED) return urlEntries(message, data, facts.capabilities);
  return reply;
}

/** -32042 of 2025-11-25 as the entries that the modern era has for it. */
function urlEntries(message: string, data: JsonValue | undefined, capabilities: JsonObject): UpstreamReply {
  const asked = isJsonObject(data) ? data["elicitations"] : undefined;
  const items = (Array.isArray(asked) ? (asked as readonly JsonValue[]) : []).filter(isJsonObject);
  const entries = items
    .filter((item) => typeof item["url"] === "string" && (item["mode"] ?? "url") === "url")
    .slice(0, MAX_URL_ENTRIES)
    .map((item, index): [string, JsonObject] => {
      const text = typeof item["message"] === "string" ? item["message"] : message;
      const params = { mode: "url", url: item["url"] as string, message: text };
      return [`url-${String(index + 1)}`, { method: "elicitation/create", params }];
    });
  if (entries.length === 0)
    throw new AegisError("UPSTREAM_PROTOCOL", "an error that asks for an elicitation names no URL");
  if (!isDeclared(capabilities, "elicitation/create", { mode: "url" })) {
    throw new AegisError("CAPABILITY_REQUIRED", "the server asks for an elicitation by URL", {
      data: { requiredCapabilities: { elicitation: { url: {} } } },
    });
  }
  const inputRequests = Object.fromEntries(entries);
  return { kind: "result", result: { resultType: "input_required", inputRequests } };
}

/** A modern server's final reply as a legacy one gives it. Lossy: values that legacy schemas have no place for go. */
export function legacyReply(reply: UpstreamReply, { method }: CallFacts): UpstreamReply {
  if (reply.kind === "error") {
    const { code, message, data } = reply.error;
    if (GATEWAY_FAULT_CODES.has(code))
      return { kind: "error", error: { code: -32603, message: "Internal error" } };
    const isMissing = code === INVALID_PARAMS && isJsonObject(data) && typeof data["uri"] === "string";
    if (method !== "resources/read" || !isMissing) return reply;
    return { kind: "error", error: { code: RESOURCE_NOT_FOUND, message, data } };
  }
  const own = Object.entries(reply.result).filter(
    ([key, value]) => !MODERN_RESULT_MEMBERS.has(key) && (key !== "structuredContent" || isJsonObject(value)),
  );
  const { _meta, ...rest } = Object.fromEntries(own);
  const meta = withoutReserved(_meta);
  return { kind: "result", result: meta === undefined ? rest : { ...rest, _meta: meta } };
}
