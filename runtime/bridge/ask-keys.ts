// Keys of `inputRequests` (MCP 2026-07-28, multi round-trip requests) for what a legacy server asks, which has none of its
// own. They are made from what is asked, so that the same question has the same key in every call: a client that answers
// again, or ahead, can do so by it.
import { isJsonObject } from "#std";
import type { JsonObject } from "#std";

const MAX_KEY_CHARS = 64;
/** Different questions of one call. */
const MAX_NAMES = 1_024;
const NAMES: ReadonlyMap<string, string> = new Map([
  ["elicitation/create", "form"],
  ["roots/list", "roots"],
  ["sampling/createMessage", "sampling"],
]);

/** The keys of one call. */
export class AskKeys {
  readonly #mayQuote: boolean;
  readonly #given = new Map<string, number>();

  /** @param mayQuote whether the server's own words may stand in keys; without it they are numbered. */
  constructor(mayQuote: boolean) {
    this.#mayQuote = mayQuote;
  }

  /** Never the same twice: an answer to a former question is none to this one. Undefined for one question too many. */
  next(method: string, params: JsonObject): string | undefined {
    const name = this.#mayQuote ? nameOf(method, params) : "ask";
    if (this.#given.size >= MAX_NAMES && !this.#given.has(name)) return undefined;
    const count = (this.#given.get(name) ?? 0) + 1;
    this.#given.set(name, count);
    if (!this.#mayQuote) return `ask-${String(count)}`;
    return count === 1 ? name : `${name}-${String(count)}`;
  }
}

/** Of a form the titles of its fields, or their names; of a URL that it is one. */
function nameOf(method: string, params: JsonObject): string {
  const fallback = NAMES.get(method) ?? "ask";
  if (method !== "elicitation/create") return fallback;
  if (params["mode"] === "url") return "url";
  const schema = params["requestedSchema"];
  const fields = isJsonObject(schema) ? schema["properties"] : undefined;
  const words = Object.entries(isJsonObject(fields) ? fields : {}).map(([name, field]) => {
    const title = isJsonObject(field) ? field["title"] : undefined;
    return wordsOf(typeof title === "string" && wordsOf(title) !== "" ? title : name);
  });
  const joined = words.filter((word) => word !== "").join("_");
  return joined === "" ? fallback : joined.slice(0, MAX_KEY_CHARS);
}

/** `User name` and `userName` as `user_name`. */
function wordsOf(text: string): string {
  return text
    .slice(0, 4 * MAX_KEY_CHARS)
    .replace(/([a-z0-9])([A-Z])/gu, "$1_$2")
    .toLowerCase()
    .replace(/[^a-z0-9]+/gu, "_")
    .replace(/^_|_$/gu, "");
}
