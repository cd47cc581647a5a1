// Lists are served from the pins, never from live text, and show a caller only what some call of theirs could reach.
import { createHash } from "node:crypto";
import type { Era, RequestFacts } from "#bundle";
import { AegisError } from "#errors";
import { isListed } from "#pdp";
import type { JsonObject, JsonValue } from "#std";
import type { Answer, Recorded } from "../pipeline/exchange.ts";
import { requestFactsOf } from "../pipeline/request-facts.ts";
import type { ListName, ListedItem } from "../snapshot/snapshot.ts";

/** Items on one page. Long lists are cut so that no answer grows without bound. */
const PAGE_ITEMS = 500;

const LIST_OF_METHOD: ReadonlyMap<string, ListName> = new Map([
  ["tools/list", "tools"],
  ["prompts/list", "prompts"],
  ["resources/list", "resources"],
  ["resources/templates/list", "resourceTemplates"],
]);

/** @throws {AegisError} METHOD_UNKNOWN, CURSOR_INVALID */
export function answerList(exchange: Recorded): Answer {
  const { method, era, route, message } = exchange;
  const name = LIST_OF_METHOD.get(method.method);
  if (name === undefined) throw new AegisError("METHOD_UNKNOWN", `${method.method} is not a list`);
  const request = requestFactsOf(exchange);
  const visible = route.servers
    .flatMap(({ lists }) => lists[era][name])
    .filter((item) => isVisible(exchange, request, item));
  const cursor = message.kind === "request" ? message.params?.["cursor"] : undefined;
  const start = cursor === undefined ? 0 : readCursor(cursor, exchange, name);
  const page = visible.slice(start, start + PAGE_ITEMS);
  const next = start + PAGE_ITEMS;
  const result: Record<string, JsonValue> = { [name]: page.map((item) => item.definition) };
  if (next < visible.length) result["nextCursor"] = writeCursor(next, exchange, name);
  return { kind: "result", result: withEraFields(result, era) };
}

function isVisible(exchange: Recorded, request: RequestFacts, item: ListedItem): boolean {
  const { principal, route, snapshot } = exchange;
  return isListed(snapshot.evaluator, route.entry.tenant, principal, request, item.leaf.action);
}

function withEraFields(result: JsonObject, era: Era): JsonObject {
  return era === "modern" ? { resultType: "complete", ...result, ttlMs: 0, cacheScope: "private" } : result;
}

// A cursor is bound to the caller, the list and the release: one from elsewhere is refused, not reinterpreted.
function writeCursor(start: number, exchange: Recorded, name: ListName): string {
  return `${start}.${cursorTag(start, exchange, name)}`;
}

function readCursor(cursor: JsonValue, exchange: Recorded, name: ListName): number {
  const match = typeof cursor === "string" ? /^(\d{1,9})\.([\w-]{22})$/u.exec(cursor) : null;
  const start = Number(match?.[1]);
  if (match === null || match[2] !== cursorTag(start, exchange, name)) {
    throw new AegisError("CURSOR_INVALID", "cursor of another list, caller or release");
  }
  return start;
}

function cursorTag(start: number, exchange: Recorded, name: ListName): string {
  const facts = JSON.stringify([
    start,
    name,
    exchange.principal.bindingKey,
    exchange.snapshot.digest,
    exchange.route.entry.path,
  ]);
  return createHash("sha256").update(facts).digest("base64url").slice(0, 22);
}
