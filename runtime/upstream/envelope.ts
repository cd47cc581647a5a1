// What the gateway adds to a message for an upstream: the modern envelope of its own requests and the HTTP headers
// that mirror a message (MCP 2026-07-28, Streamable HTTP: standard request headers, value encoding).
import { AegisError } from "#errors";
import {
  LEGACY_VERSIONS,
  META_CLIENT_CAPABILITIES,
  META_CLIENT_INFO,
  META_PROTOCOL_VERSION,
  encodeHeaderValue,
  headerTextOf,
} from "#mcp";
import { isJsonObject } from "#std";
import type { JsonObject, JsonValue } from "#std";
import type { LegacyChannelKey, OutboundRequest } from "./upstream.ts";

export const MODERN_PROTOCOL_VERSION = "2026-07-28";
export const LATEST_LEGACY_PROTOCOL_VERSION = "2025-11-25";
/** Legacy revisions that the gateway can speak to an upstream. */
export const LEGACY_PROTOCOL_VERSIONS: ReadonlySet<string> = new Set(LEGACY_VERSIONS);

export const META_SERVER_INFO = "io.modelcontextprotocol/serverInfo";
export const META_SUBSCRIPTION_ID = "io.modelcontextprotocol/subscriptionId";

/** How the gateway introduces itself. Unauthenticated on the wire, so it carries nothing worth hiding. */
export const GATEWAY_CLIENT_INFO: JsonObject = { name: "aegis-gateway", version: "0.1.0" };

/** All that the gateway relays for clients. Revisions without modes of elicitation or of sampling ignore the members. */
const RELAYED: JsonObject = {
  elicitation: { form: {}, url: {} },
  roots: {},
  sampling: { context: {}, tools: {} },
};

/** Envelope of a modern request that the gateway sends on its own behalf. It declares no capability unless told to. */
export function gatewayEnvelope(capabilities: JsonObject = {}): JsonObject {
  return {
    [META_PROTOCOL_VERSION]: MODERN_PROTOCOL_VERSION,
    [META_CLIENT_INFO]: GATEWAY_CLIENT_INFO,
    [META_CLIENT_CAPABILITIES]: capabilities,
  };
}

/**
 * Of requests that read what a server shows: it declares whatever the gateway relays for clients, so that a server that
 * hides what some clients cannot use shows all of it, to `aegis pin` and to each verification alike. Nobody can be asked
 * by it: the modern era has no requests of servers, and `input_required` is no answer to `server/discover` and lists.
 */
export function readingEnvelope(): JsonObject {
  return gatewayEnvelope(RELAYED);
}

/**
 * The same in the legacy era: a session of the gateway's own, never a caller's, whose declaration is equal for `aegis pin`
 * and each verification, whatever the revision. A declaration lets a server ask there, and every ask is refused with
 * -32601 before anybody hears of it.
 */
export function readingChannel(session: string, protocolVersion: string): LegacyChannelKey {
  return { era: "legacy", session, protocolVersion, client: { capabilities: RELAYED, isReader: true } };
}

function nameOf(method: string, params: JsonObject | undefined): JsonValue | undefined {
  switch (method) {
    case "tools/call":
    case "prompts/get":
      return params?.["name"];
    case "resources/read":
      return params?.["uri"];
    case "tasks/get":
    case "tasks/update":
    case "tasks/cancel":
      return params?.["taskId"];
    default:
      return undefined;
  }
}

/**
 * The four header families of a modern request, derived from the message that is really sent, as a flat
 * name, value, name, value list.
 * @throws {AegisError} STAGE_FAULT where the envelope lacks a protocol version or the target has no name.
 */
export function modernHeaders(request: OutboundRequest): string[] {
  const meta = request.params?.["_meta"];
  const version = isJsonObject(meta) ? meta[META_PROTOCOL_VERSION] : undefined;
  if (typeof version !== "string" || version === "") {
    throw new AegisError(
      "STAGE_FAULT",
      `modern ${request.method} without a protocol version in its envelope`,
    );
  }
  const headers = [
    "mcp-protocol-version",
    encodeHeaderValue(version),
    "mcp-method",
    encodeHeaderValue(request.method),
  ];
  const name = nameOf(request.method, request.params);
  if (name !== undefined) {
    if (typeof name !== "string")
      throw new AegisError("STAGE_FAULT", `the target of ${request.method} is not a string`);
    headers.push("mcp-name", encodeHeaderValue(name));
  }
  for (const [header, value] of Object.entries(request.paramHeaders)) {
    const text = headerTextOf(value);
    if (text !== undefined) headers.push(`mcp-param-${header}`, encodeHeaderValue(text));
  }
  return headers;
}
