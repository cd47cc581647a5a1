// Lifecycle answers: `initialize` and `server/discover` from what the server announced when it was pinned.
import { AegisError } from "#errors";
import { LEGACY_VERSIONS, MODERN_VERSIONS } from "#mcp";
import { isJsonObject } from "#std";
import type { JsonObject, JsonValue } from "#std";
import type { Answer, Recorded } from "../pipeline/exchange.ts";
import { requestFactsOf } from "../pipeline/request-facts.ts";
import type { SessionTable } from "../sessions/session-table.ts";
import { announcementFor } from "./announcement.ts";
import { sessionViews } from "../streams/session-views.ts";
import { taskCapabilities } from "../tasks/index.ts";

const SERVER_INFO_KEY = "io.modelcontextprotocol/serverInfo";

/** Legacy `initialize`: opens a session bound to the caller. @throws {AegisError} SESSION_LIMIT, UPSTREAM_PROTOCOL */
export function answerInitialize(exchange: Recorded, sessions: SessionTable): Answer {
  const entry = announcementFor(exchange, "legacy");
  const params = exchange.message.kind === "request" ? (exchange.message.params ?? {}) : {};
  const asked = params["protocolVersion"];
  const protocolVersion =
    typeof asked === "string" && LEGACY_VERSIONS.includes(asked) ? asked : newestLegacy();
  const session = sessions.open({
    routePath: exchange.route.entry.path,
    bindingKey: exchange.principal.bindingKey,
    protocolVersion,
    clientInfo: isJsonObject(params["clientInfo"]) ? params["clientInfo"] : undefined,
    clientCapabilities: isJsonObject(params["capabilities"]) ? params["capabilities"] : {},
    issuer: exchange.principal.issuer,
    principal: exchange.principal.facts,
    request: requestFactsOf(exchange),
    expiresAtMs: exchange.principal.expiresAtMs,
  });
  session.missingAttributes = exchange.principal.missingAttributes;
  session.seen = sessionViews(exchange.snapshot, exchange.route, session);
  const result: JsonObject = {
    protocolVersion,
    capabilities: {
      ...governedCapabilities(entry.capabilities),
      ...taskCapabilities(exchange.route, "legacy", protocolVersion),
    },
    serverInfo: entry.serverInfo,
    ...(entry.instructions === undefined ? {} : { instructions: entry.instructions }),
  };
  return { kind: "result", result, headers: { "mcp-session-id": session.id } };
}

/** Modern `server/discover`. */
export function answerDiscover(exchange: Recorded): Answer {
  const entry = announcementFor(exchange, "modern");
  const result: JsonObject = {
    resultType: "complete",
    supportedVersions: [...MODERN_VERSIONS],
    capabilities: {
      ...governedCapabilities(entry.capabilities),
      ...taskCapabilities(exchange.route, "modern", exchange.protocolVersion),
    },
    ...(entry.instructions === undefined ? {} : { instructions: entry.instructions }),
    ttlMs: 0,
    cacheScope: "private",
    _meta: { [SERVER_INFO_KEY]: entry.serverInfo },
  };
  return { kind: "result", result };
}

function newestLegacy(): string {
  const newest = LEGACY_VERSIONS[0];
  if (newest === undefined) throw new AegisError("STAGE_FAULT", "no legacy revision is supported");
  return newest;
}

/**
 * The capabilities whose traffic the gateway governs; whatever is not named here is not offered. Lists come from pins and
 * change with a release: the gateway tells whom it concerns, whatever the server promises.
 */
function governedCapabilities(pinned: JsonObject): JsonObject {
  const governed: Record<string, JsonValue> = {};
  for (const name of ["tools", "prompts"]) {
    if (isJsonObject(pinned[name])) governed[name] = { listChanged: true };
  }
  if (isJsonObject(pinned["completions"])) governed["completions"] = {};
  const resources = pinned["resources"];
  if (isJsonObject(resources)) {
    const subscribe = resources["subscribe"] === true ? { subscribe: true } : {};
    governed["resources"] = { ...subscribe, listChanged: true };
  }
  if (isJsonObject(pinned["logging"])) governed["logging"] = {};
  return governed;
}
