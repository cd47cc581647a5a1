// Lists are served from the pins, never from live text, and show a caller only what some call of theirs could reach. No
// server is asked for them: one that is dead or slow neither delays nor hides what another one has.
import type { Era } from "#bundle";
import { AegisError } from "#errors";
import { isListed } from "#pdp";
import type { Sealer } from "#sealing";
import { isJsonObject } from "#std";
import type { JsonObject, JsonValue } from "#std";
import type { Answer, Recorded } from "../pipeline/exchange.ts";
import { requestFactsOf } from "../pipeline/request-facts.ts";
import type { ListName, RouteItem } from "../snapshot/snapshot.ts";
import { readCursor, writeCursor } from "./cursors.ts";

/** Items on one page. Long lists are cut so that no answer grows without bound. */
const PAGE_ITEMS = 500;

/** Member of an item's `_meta` that says that its server could not be reached lately. */
const AVAILABILITY_KEY = "dev.aegis/availability";

const LIST_OF_METHOD: ReadonlyMap<string, ListName> = new Map([
  ["tools/list", "tools"],
  ["prompts/list", "prompts"],
  ["resources/list", "resources"],
  ["resources/templates/list", "resourceTemplates"],
]);

/** @throws {AegisError} METHOD_UNKNOWN, CURSOR_INVALID */
export function answerList(exchange: Recorded, sealer: Sealer): Answer {
  const { method, era, route, message } = exchange;
  const name = LIST_OF_METHOD.get(method.method);
  if (name === undefined) throw new AegisError("METHOD_UNKNOWN", `${method.method} is not a list`);
  const cursor = message.kind === "request" ? message.params?.["cursor"] : undefined;
  const start = cursor === undefined ? 0 : readCursor(sealer, cursor, exchange, name);
  const page = visibleFrom(exchange, route.lists[era][name], start);
  const result: Record<string, JsonValue> = { [name]: page.items.map(shown) };
  if (page.next !== undefined) result["nextCursor"] = writeCursor(sealer, page.next, exchange, name);
  return { kind: "result", result: withEraFields(result, era) };
}

interface Page {
  readonly items: readonly RouteItem[];
  /** Index of the first visible item of the next page; absent on the last one. */
  readonly next: number | undefined;
}

/** Looks at no more items than it takes to know whether there is another page. */
function visibleFrom(exchange: Recorded, all: readonly RouteItem[], start: number): Page {
  const { principal, route, snapshot } = exchange;
  const request = requestFactsOf(exchange);
  const items: RouteItem[] = [];
  for (let at = start; at < all.length; at++) {
    const item = all[at];
    if (item === undefined) break;
    if (!isListed(snapshot.evaluator, route.entry.tenant, principal, request, item.leaf.action)) continue;
    if (items.length === PAGE_ITEMS) return { items, next: at };
    items.push(item);
  }
  return { items, next: undefined };
}

/** Of a server that could not be reached lately the items stay, and say so. */
function shown({ server, definition }: RouteItem): JsonObject {
  if (server.binding.isReachable()) return definition;
  const meta = definition["_meta"];
  const marked = { ...(isJsonObject(meta) ? meta : {}), [AVAILABILITY_KEY]: "unavailable" };
  return { ...definition, _meta: marked };
}

function withEraFields(result: JsonObject, era: Era): JsonObject {
  return era === "modern" ? { resultType: "complete", ...result, ttlMs: 0, cacheScope: "private" } : result;
}
