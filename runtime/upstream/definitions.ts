// The definitions a server shows right now: every page of every list its capabilities announce.
import { definitionDigest } from "#bundle";
import type { Digest, Era, EraEntry, PinnedKind } from "#bundle";
import { isJsonObject } from "#std";
import type { JsonObject, JsonValue } from "#std";
import { readingEnvelope } from "./envelope.ts";
import { SILENT_OBSERVER } from "./handshake.ts";
import type { ServerUpstream } from "./server-upstream.ts";
import { UpstreamFault } from "./upstream-fault.ts";
import type { ChannelKey } from "./upstream.ts";

/** Bounds of one listing. A server that exceeds them cannot be pinned. */
const LIST_CAPS = { maxPages: 200, maxItems: 10_000, maxPageBytes: 16 * 1024 * 1024 } as const;

export interface LiveDefinition {
  readonly kind: PinnedKind;
  /** Tool or prompt name, resource URI, or URI template. */
  readonly name: string;
  readonly digest: Digest;
  /** The list item exactly as the server gave it. */
  readonly definition: JsonObject;
}

export interface LiveListing {
  readonly era: Era;
  readonly entry: EraEntry;
  readonly definitions: readonly LiveDefinition[];
}

interface ListMethod {
  readonly kind: PinnedKind;
  readonly capability: string;
  readonly method: string;
  readonly member: string;
  readonly nameMember: string;
  /** A server with the capability may lack this very method. */
  readonly optional: boolean;
}

const LISTS: readonly ListMethod[] = [
  {
    kind: "tool",
    capability: "tools",
    method: "tools/list",
    member: "tools",
    nameMember: "name",
    optional: false,
  },
  {
    kind: "resource",
    capability: "resources",
    method: "resources/list",
    member: "resources",
    nameMember: "uri",
    optional: false,
  },
  {
    kind: "resource-template",
    capability: "resources",
    method: "resources/templates/list",
    member: "resourceTemplates",
    nameMember: "uriTemplate",
    optional: true,
  },
  {
    kind: "prompt",
    capability: "prompts",
    method: "prompts/list",
    member: "prompts",
    nameMember: "name",
    optional: false,
  },
];

const METHOD_NOT_FOUND = -32601;

function pageParams(era: Era, cursor: string | undefined): JsonObject | undefined {
  const paging = cursor === undefined ? {} : { cursor };
  if (era === "modern") return { ...paging, _meta: readingEnvelope() };
  return cursor === undefined ? undefined : paging;
}

function toDefinition(list: ListMethod, item: JsonValue): LiveDefinition {
  const name = isJsonObject(item) ? item[list.nameMember] : undefined;
  if (!isJsonObject(item) || typeof name !== "string") {
    throw new UpstreamFault("UPSTREAM_PROTOCOL", `${list.method} lists an item without a ${list.nameMember}`);
  }
  return { kind: list.kind, name, digest: definitionDigest(item), definition: item };
}

async function listAll(
  upstream: ServerUpstream,
  channel: ChannelKey,
  list: ListMethod,
  signal: AbortSignal,
  onPage: () => void,
): Promise<LiveDefinition[]> {
  const found = new Map<string, LiveDefinition>();
  const cursors = new Set<string>();
  let cursor: string | undefined;
  for (let page = 0; page < LIST_CAPS.maxPages; page++) {
    const request = { method: list.method, params: pageParams(channel.era, cursor), paramHeaders: {} };
    const reply = await upstream.request(
      channel,
      request,
      SILENT_OBSERVER,
      { maxResponseBytes: LIST_CAPS.maxPageBytes },
      signal,
    );
    if (reply.kind === "error") {
      if (list.optional && reply.error.code === METHOD_NOT_FOUND) return [];
      throw new UpstreamFault(
        "UPSTREAM_PROTOCOL",
        `${list.method} was answered with error ${String(reply.error.code)}: ${reply.error.message}`,
      );
    }
    const items = reply.result[list.member];
    if (!Array.isArray(items))
      throw new UpstreamFault("UPSTREAM_PROTOCOL", `${list.method} answered without ${list.member}`);
    for (const item of items as readonly JsonValue[]) {
      const definition = toDefinition(list, item);
      if (found.has(definition.name)) {
        throw new UpstreamFault(
          "UPSTREAM_PROTOCOL",
          `${list.method} lists ${JSON.stringify(definition.name)} twice`,
        );
      }
      found.set(definition.name, definition);
    }
    if (found.size > LIST_CAPS.maxItems)
      throw new UpstreamFault("UPSTREAM_PROTOCOL", `${list.method} lists too many items`);
    onPage();
    const next = reply.result["nextCursor"];
    if (next === undefined || next === null) return [...found.values()];
    if (typeof next !== "string" || cursors.has(next))
      throw new UpstreamFault("UPSTREAM_PROTOCOL", `${list.method} pages in a circle`);
    cursors.add(next);
    cursor = next;
  }
  throw new UpstreamFault("UPSTREAM_PROTOCOL", `${list.method} has too many pages`);
}

/**
 * Announcement and all definitions of one era, read through `channel`. `onPage` is called after each page.
 * @throws {AegisError} UPSTREAM_PROTOCOL where a list is malformed, ambiguous or over `LIST_CAPS`; otherwise as
 * `Upstream.request`.
 */
export async function listDefinitions(
  upstream: ServerUpstream,
  channel: ChannelKey,
  signal: AbortSignal,
  onPage: () => void = () => undefined,
): Promise<LiveListing> {
  const entry = await upstream.announce(channel, signal);
  const definitions: LiveDefinition[] = [];
  for (const list of LISTS) {
    if (entry.capabilities[list.capability] === undefined) continue;
    definitions.push(...(await listAll(upstream, channel, list, signal, onPage)));
  }
  return { era: channel.era, entry, definitions };
}
