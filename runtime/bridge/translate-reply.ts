// Replies of a server of one era as one of the other gives them (MCP 2026-07-28 and 2025-11-25). Plain functions, which
// answer workers use too.
import type { Era, ServerEntry } from "#bundle";
import { AegisError } from "#errors";
import { META_CLIENT_CAPABILITIES, META_PREFIX } from "#mcp";
import { isJsonObject } from "#std";
import type { JsonObject, JsonValue } from "#std";
import type { UpstreamReply } from "#upstream";
import { isBridged } from "./upstream-era.ts";

const META_SERVER_INFO = "io.modelcontextprotocol/serverInfo";
const RESOURCE_NOT_FOUND = -32002;
const URL_ELICITATION_REQUIRED = -32042;
const INVALID_PARAMS = -32602;
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

/** What a client would have to declare for this, as an error names it; nothing for what no client can be asked. */
export function requiredCapability(method: string, params: JsonObject): JsonObject {
  switch (method) {
    case "roots/list":
      return { roots: {} };
    case "sampling/createMessage":
      return { sampling: params["tools"] === undefined ? {} : { tools: {} } };
    case "elicitation/create":
      return { elicitation: params["mode"] === "url" ? { url: {} } : { form: {} } };
    default:
      return {};
  }
}

const MISSING_CAPABILITY = -32021;

/**
 * The reply of a call whose server asked for what the client did not declare: a server that could do without is taken at
 * its word, and of one that failed a modern client is told what it lacks (MCP 2026-07-28, missing client capability).
 */
export function withMissingCapability(reply: UpstreamReply, missing: JsonObject | undefined): UpstreamReply {
  if (missing === undefined || Object.keys(missing).length === 0) return reply;
  const failed =
    reply.kind === "error" ? reply.error.code !== URL_ELICITATION_REQUIRED : reply.result["isError"] === true;
  if (!failed) return reply;
  const message = "The server needs a capability that the client did not declare";
  return {
    kind: "error",
    error: { code: MISSING_CAPABILITY, message, data: { requiredCapabilities: missing } },
  };
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

/**
 * A modern server's final reply as a legacy one gives it. Lossy: values that legacy schemas have no place for go. The
 * errors that blame the message, -32020 to -32022, stay: whoever makes an answer of the reply refuses them in any era.
 */
export function legacyReply(reply: UpstreamReply, { method }: CallFacts): UpstreamReply {
  if (reply.kind === "error") {
    const { code, message, data } = reply.error;
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

/** The last reply of a modern server as a legacy one gives it. @throws {AegisError} RESULT_BLOCKED */
export function finalReply(reply: UpstreamReply, request: CallFacts): UpstreamReply {
  if (reply.kind === "result") {
    const { resultType } = reply.result;
    // Neither tasks nor any extension was declared, so the server has no ground for another type.
    if (resultType !== undefined && resultType !== "complete")
      throw new AegisError("RESULT_BLOCKED", `resultType ${JSON.stringify(resultType).slice(0, 128)}`);
  }
  return legacyReply(reply, request);
}

/** What turns a reply of a bridged server into that of one of the caller's era. */
export interface Translation {
  readonly to: Era;
  readonly call: CallFacts;
  readonly facts: { readonly serverInfo: JsonObject; readonly capabilities: JsonObject };
}

/** Undefined where nothing has to be translated. `request`: as the caller's era has it. */
export function translationOf(
  { eras }: Pick<ServerEntry, "eras">,
  callerEra: Era,
  { method, params }: CallFacts,
): Translation | undefined {
  if (!isBridged({ eras }, callerEra)) return undefined;
  const uri = params?.["uri"];
  const call = { method, params: uri === undefined ? {} : { uri } };
  const serverInfo = eras.legacy?.serverInfo ?? {};
  return { to: callerEra, call, facts: { serverInfo, capabilities: declaredIn(params) } };
}

/** @throws {AegisError} CAPABILITY_REQUIRED, RESULT_BLOCKED, UPSTREAM_PROTOCOL */
export function translateReply(reply: UpstreamReply, { to, call, facts }: Translation): UpstreamReply {
  return to === "modern" ? modernReply(reply, call, facts) : finalReply(reply, call);
}

/** What the client of a modern request declares in it. */
export function declaredIn(params: JsonObject | undefined): JsonObject {
  const meta = params?.["_meta"];
  const declared = isJsonObject(meta) ? meta[META_CLIENT_CAPABILITIES] : undefined;
  return isJsonObject(declared) ? declared : {};
}
