// Headers that a modern request repeats from its body (MCP 2026-07-28, Streamable HTTP, standard request headers).
// `Mcp-Param-*` need the schema of the tool, which is learnt from the tool lists that pass through.
import { encodeHeaderValue, headerTextOf } from "#mcp";
import { isJsonObject } from "#std";
import type { JsonObject, JsonValue } from "#std";
import type { ClientLine } from "./message.ts";

const NAMED_BY: Readonly<Record<string, string>> = {
  "tools/call": "name",
  "prompts/get": "name",
  "resources/read": "uri",
  "tasks/get": "taskId",
  "tasks/update": "taskId",
  "tasks/cancel": "taskId",
};
const HEADER_TOKEN = /^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/u;
const MAX_DEPTH = 16;
/** Tools remembered at most; the oldest is forgotten first. */
const MAX_TOOLS = 10_000;

interface Declaration {
  readonly header: string;
  readonly path: readonly string[];
}

function declarationsOf(schema: JsonValue | undefined, path: readonly string[] = []): Declaration[] {
  const properties = isJsonObject(schema) ? schema["properties"] : undefined;
  if (!isJsonObject(properties) || path.length > MAX_DEPTH) return [];
  return Object.entries(properties).flatMap(([name, member]) => {
    const inner = [...path, name];
    const header = isJsonObject(member) ? member["x-mcp-header"] : undefined;
    const own = typeof header === "string" && HEADER_TOKEN.test(header) ? [{ header, path: inner }] : [];
    return [...own, ...declarationsOf(member, inner)];
  });
}

function valueAt(value: JsonValue | undefined, path: readonly string[]): JsonValue | undefined {
  return path.reduce<JsonValue | undefined>(
    (at, name) => (isJsonObject(at) && Object.hasOwn(at, name) ? at[name] : undefined),
    value,
  );
}

export class MirroredHeaders {
  readonly #tools = new Map<string, readonly Declaration[]>();

  /** Takes note of the tools of a `tools/list` result. */
  learn(result: JsonObject): void {
    const tools = result["tools"];
    if (!Array.isArray(tools)) return;
    for (const tool of tools) {
      if (!isJsonObject(tool) || typeof tool["name"] !== "string") continue;
      this.#tools.delete(tool["name"]);
      this.#tools.set(tool["name"], declarationsOf(tool["inputSchema"]));
      const oldest = this.#tools.keys().next().value;
      if (this.#tools.size > MAX_TOOLS && oldest !== undefined) this.#tools.delete(oldest);
    }
  }

  /** True where the tool of a `tools/call` has been listed. */
  knows({ params }: ClientLine): boolean {
    const name = params?.["name"];
    return typeof name === "string" && this.#tools.has(name);
  }

  /** Headers of a modern request, by lower-case name. */
  headersOf(message: ClientLine): Record<string, string> {
    const { method = "", params, modernVersion = "" } = message;
    const headers: Record<string, string> = {
      "mcp-protocol-version": modernVersion,
      "mcp-method": encodeHeaderValue(method),
    };
    const member = Object.hasOwn(NAMED_BY, method) ? NAMED_BY[method] : undefined;
    const name = member === undefined ? undefined : params?.[member];
    if (typeof name === "string") headers["mcp-name"] = encodeHeaderValue(name);
    if (method === "tools/call" && typeof name === "string") {
      for (const { header, path } of this.#tools.get(name) ?? []) {
        const text = headerTextOf(valueAt(params?.["arguments"], path));
        if (text !== undefined) headers[`mcp-param-${header.toLowerCase()}`] = encodeHeaderValue(text);
      }
    }
    return headers;
  }
}
