// What an endpoint says of itself: what its server announced when it was pinned, or what its servers announced together.
import { isMethodKind } from "#bundle";
import type { Era, EraEntry } from "#bundle";
import { AegisError } from "#errors";
import { isListed } from "#pdp";
import { isJsonObject } from "#std";
import type { JsonObject, JsonValue } from "#std";
import { announcementOf } from "../bridge/index.ts";
import type { Recorded } from "../pipeline/exchange.ts";
import { requestFactsOf } from "../pipeline/request-facts.ts";
import type { RoutedServer } from "../snapshot/snapshot.ts";
import { GATEWAY_VERSION } from "../version.ts";

/** @throws {AegisError} METHOD_UNKNOWN where no server was pinned */
export function announcementFor(exchange: Recorded, era: Era): EraEntry {
  const { servers, entry } = exchange.route;
  const announced = servers.flatMap((server) => {
    const announcement = announcementOf(server.entry, era);
    return announcement === undefined ? [] : [{ server, announcement }];
  });
  const [first] = announced;
  if (first === undefined) throw new AegisError("METHOD_UNKNOWN", "not pinned in any era");
  if (servers.length === 1) return withInfo(first.announcement, entry.path);
  // Text for the model comes only from servers that it could use.
  const instructions = announced
    .filter(({ server, announcement }) => announcement.instructions !== undefined && sees(exchange, server))
    .map(({ server, announcement }) => `## ${server.entry.id}\n\n${announcement.instructions ?? ""}`)
    .join("\n\n");
  return {
    protocolVersion: first.announcement.protocolVersion,
    serverInfo: infoOf(entry.path),
    capabilities: union(announced.map(({ announcement }) => announcement.capabilities)),
    ...(instructions === "" ? {} : { instructions }),
  };
}

function infoOf(path: string): JsonObject {
  return { name: `aegis${path}`, version: GATEWAY_VERSION };
}

/** A modern server need not say what it is called; a client may refuse an answer that does not (MCP, Implementation). */
function withInfo(announcement: EraEntry, path: string): EraEntry {
  const { name, version } = announcement.serverInfo;
  if (typeof name === "string" && typeof version === "string") return announcement;
  return { ...announcement, serverInfo: { ...announcement.serverInfo, ...infoOf(path) } };
}

function sees(exchange: Recorded, { entry }: RoutedServer): boolean {
  const { snapshot, route, principal } = exchange;
  const request = requestFactsOf(exchange);
  return entry.leaves.some(
    ({ kind, action }) =>
      !isMethodKind(kind) && isListed(snapshot.evaluator, route.entry.tenant, principal, request, action),
  );
}

/** A feature is there where one server has it, with each of its own features that some server has. */
function union(all: readonly JsonObject[]): JsonObject {
  const united: Record<string, JsonValue> = {};
  for (const capabilities of all) {
    for (const [name, value] of Object.entries(capabilities)) {
      const known = united[name];
      if (known === undefined) united[name] = value;
      else if (isJsonObject(known) && isJsonObject(value)) united[name] = { ...known, ...onlyTrue(value) };
    }
  }
  return united;
}

function onlyTrue(features: JsonObject): JsonObject {
  return Object.fromEntries(Object.entries(features).filter(([, value]) => value !== false));
}
