// What a server says about itself: the legacy `initialize` handshake and the modern `server/discover`.
import { isJsonObject } from "#std";
import type { JsonObject } from "#std";
import type { Era, EraEntry } from "#bundle";
import {
  GATEWAY_CLIENT_INFO,
  LEGACY_PROTOCOL_VERSIONS,
  META_SERVER_INFO,
  MODERN_PROTOCOL_VERSION,
  readingEnvelope,
} from "./envelope.ts";
import { UpstreamFault } from "./upstream-fault.ts";
import type { ExchangeObserver, LegacyChannelKey, OutboundRequest, UpstreamReply } from "./upstream.ts";

/** Largest answer to `initialize` or `server/discover`. */
export const MAX_HANDSHAKE_BYTES = 1024 * 1024;
/** UTF-16 code units of what a client says of itself. */
const MAX_CLIENT_TEXT_CHARS = 256;

/** What a server gets that asks the gateway itself. */
export const NOBODY_TO_ASK: UpstreamReply = {
  kind: "error",
  error: { code: -32601, message: "Method not found" },
};

/** For exchanges of the gateway's own: nothing that comes along is of interest, and every server request is refused. */
export const SILENT_OBSERVER: ExchangeObserver = {
  onNotification: () => undefined,
  onServerRequest: () => Promise.resolve(NOBODY_TO_ASK),
};

export const INITIALIZED: JsonObject = { jsonrpc: "2.0", method: "notifications/initialized" };

/** Without a client nothing is declared, so a server has no ground to ask for sampling, elicitation or roots. */
export function initializeRequest({ protocolVersion, client }: LegacyChannelKey): OutboundRequest {
  const capabilities = client?.capabilities ?? {};
  return {
    method: "initialize",
    params: { protocolVersion, capabilities, clientInfo: clientInfoOf(client?.info) },
    paramHeaders: {},
  };
}

/**
 * The name a client gives itself, as in the modern era, where it stands in every request. Unauthenticated text: only the
 * members that a revision has had from the start are passed on.
 */
export function clientInfoOf(info: JsonObject | undefined): JsonObject {
  const name = info?.["name"];
  const version = info?.["version"];
  if (typeof name !== "string" || typeof version !== "string") return GATEWAY_CLIENT_INFO;
  const title = info?.["title"];
  const told = { name: bounded(name), version: bounded(version) };
  return typeof title === "string" ? { ...told, title: bounded(title) } : told;
}

function bounded(text: string): string {
  return text.toWellFormed().slice(0, MAX_CLIENT_TEXT_CHARS).toWellFormed();
}

function discoverRequest(): OutboundRequest {
  return { method: "server/discover", params: { _meta: readingEnvelope() }, paramHeaders: {} };
}

/** What any server answers at any time: `ping`, which revision 2026-07-28 no longer has. */
export function livenessRequest(era: Era): OutboundRequest {
  return era === "modern" ? discoverRequest() : { method: "ping", params: undefined, paramHeaders: {} };
}

/** The server names the revisions it has where it refuses one (MCP 2026-07-28, protocol version negotiation). */
const UNSUPPORTED_VERSION = -32022;

/**
 * Asks `server/discover`, and once more where the answer is that the server has another revision and the one it names is
 * the gateway's.
 * @throws {UpstreamFault} as `modernEntry`
 */
export async function discover(ask: (request: OutboundRequest) => Promise<UpstreamReply>): Promise<EraEntry> {
  const reply = await ask(discoverRequest());
  return modernEntry(namesOurs(reply) ? await ask(discoverRequest()) : reply);
}

function namesOurs(reply: UpstreamReply): boolean {
  if (reply.kind === "result" || reply.error.code !== UNSUPPORTED_VERSION) return false;
  const { data } = reply.error;
  const supported = isJsonObject(data) ? data["supported"] : undefined;
  return Array.isArray(supported) && supported.includes(MODERN_PROTOCOL_VERSION);
}

function entryOf(protocolVersion: string, result: JsonObject, serverInfo: JsonObject): EraEntry {
  const capabilities = result["capabilities"];
  if (!isJsonObject(capabilities))
    throw new UpstreamFault("UPSTREAM_PROTOCOL", "the server announced no capabilities object");
  const base = { protocolVersion, capabilities, serverInfo };
  const instructions = result["instructions"];
  return typeof instructions === "string" ? { ...base, instructions } : base;
}

function resultOf(method: string, reply: UpstreamReply): JsonObject {
  if (reply.kind === "result") return reply.result;
  throw new UpstreamFault(
    "UPSTREAM_PROTOCOL",
    `${method} was answered with error ${String(reply.error.code)}: ${reply.error.message}`,
  );
}

/** @throws {UpstreamFault} UPSTREAM_PROTOCOL where the answer is an error or names no revision the gateway speaks. */
export function legacyEntry(reply: UpstreamReply): EraEntry {
  const result = resultOf("initialize", reply);
  const version = result["protocolVersion"];
  if (typeof version !== "string" || !LEGACY_PROTOCOL_VERSIONS.has(version)) {
    throw new UpstreamFault(
      "UPSTREAM_PROTOCOL",
      "initialize was answered with a revision that is not supported",
    );
  }
  const serverInfo = result["serverInfo"];
  return entryOf(version, result, isJsonObject(serverInfo) ? serverInfo : {});
}

/** @throws {UpstreamFault} UPSTREAM_PROTOCOL where the answer is an error or does not list revision 2026-07-28. */
function modernEntry(reply: UpstreamReply): EraEntry {
  const result = resultOf("server/discover", reply);
  const versions = result["supportedVersions"];
  if (!Array.isArray(versions) || !versions.includes(MODERN_PROTOCOL_VERSION)) {
    throw new UpstreamFault("UPSTREAM_PROTOCOL", `server/discover does not list ${MODERN_PROTOCOL_VERSION}`);
  }
  const meta = result["_meta"];
  const serverInfo = isJsonObject(meta) ? meta[META_SERVER_INFO] : undefined;
  return entryOf(MODERN_PROTOCOL_VERSION, result, isJsonObject(serverInfo) ? serverInfo : {});
}
