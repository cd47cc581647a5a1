// Members and capabilities of one era in the words of the other (MCP 2026-07-28 and 2025-11-25).
// Plain functions: nothing is sent or decided here.
import { META_CLIENT_CAPABILITIES, META_CLIENT_INFO, META_LOG_LEVEL, META_PROTOCOL_VERSION } from "#mcp";
import { isJsonObject } from "#std";
import type { JsonObject, JsonValue } from "#std";
import { MODERN_PROTOCOL_VERSION } from "#upstream";
import type { DeclaredClient } from "#upstream";
import { withoutReserved } from "./translate-reply.ts";

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
function modernCapabilities(capabilities: JsonObject): JsonObject {
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

/** Params of a server's request as an entry of `inputRequests`: no task, no id of an elicitation, no reserved keys. */
export function entryParams(params: JsonValue | undefined): JsonObject {
  if (!isJsonObject(params)) return {};
  const { _meta, task: _task, elicitationId: _id, ...rest } = params;
  const { progressToken: _token, ...meta } = withoutReserved(_meta) ?? {};
  return Object.keys(meta).length === 0 ? rest : { ...rest, _meta: meta };
}
