// Messages of a server in the names that clients of its endpoint know. Whatever is not a name or a URI by the protocol
// is passed on as it is: text and structured content belong to the server.
import { isJsonObject } from "#std";
import type { JsonObject, JsonValue } from "#std";
import { toClientName, toClientUri } from "./names.ts";
import type { NamedRoute, NamedServer } from "./route-names.ts";

type Uri = (uri: string) => string;

/** Members of `_meta` that name the resource of a user interface (MCP Apps), and where they stand. */
const UI_MEMBER = "ui";
const UI_RESOURCE = "resourceUri";
const UI_RESOURCE_FLAT = "ui/resourceUri";

/** Nested content is followed this deep: a tool result inside a sampling message is the deepest there is. */
const MAX_CONTENT_DEPTH = 4;

/** A result of `method` as clients see it, but for entries of `inputRequests`: those are asks. */
export function rewriteAnswer(
  route: NamedRoute,
  server: NamedServer,
  method: string,
  result: JsonObject,
): JsonObject {
  if (route.servers.length === 1) return result;
  const uri = uriOf(route, server);
  const renamed = withMeta(result, uri);
  switch (method) {
    case "tools/call":
    case "tasks/result":
      return withMember(renamed, "content", (content) => contentOf(content, uri));
    case "prompts/get":
      return withMember(renamed, "messages", (messages) => messagesOf(messages, uri));
    case "resources/read":
      return withMember(renamed, "contents", (contents) =>
        each(contents, (item) => withUri(item, "uri", uri)),
      );
    case "tasks/get":
    case "tasks/cancel":
      return withMember(renamed, "result", (inner) =>
        isJsonObject(inner) ? rewriteAnswer(route, server, "tools/call", inner) : inner,
      );
    default:
      return renamed;
  }
}

/** The `data` of an error: the URI of a resource that was not found (MCP 2025-11-25 and 2026-07-28, resources). */
export function rewriteErrorData(route: NamedRoute, server: NamedServer, data: JsonObject): JsonObject {
  if (route.servers.length === 1) return data;
  return withMember(data, "upstream", (own) =>
    isJsonObject(own) ? withUri(own, "uri", uriOf(route, server)) : own,
  );
}

/** An item of a list as clients see it. */
export function rewriteDefinition(
  route: NamedRoute,
  server: NamedServer,
  kind: "tool" | "prompt" | "resource" | "resource-template",
  definition: JsonObject,
): JsonObject {
  if (route.servers.length === 1) return definition;
  const uri = uriOf(route, server);
  const named = withMeta(definition, uri);
  switch (kind) {
    case "tool":
    case "prompt":
      return withUri(named, "name", (name) => toClientName(route, server, name));
    case "resource":
      return withUri(named, "uri", uri);
    case "resource-template":
      return withUri(named, "uriTemplate", uri);
  }
}

/** A notification of the server as clients see it. */
export function rewriteNotification(
  route: NamedRoute,
  server: NamedServer,
  notification: JsonObject,
): JsonObject {
  if (route.servers.length === 1) return notification;
  const uri = uriOf(route, server);
  return withMember(notification, "params", (params) => {
    if (!isJsonObject(params)) return params;
    switch (notification["method"]) {
      case "notifications/message": {
        const { logger } = params;
        const own = typeof logger === "string" ? toClientName(route, server, logger) : server.entry.id;
        return { ...params, logger: own };
      }
      case "notifications/resources/updated":
        return withUri(params, "uri", uri);
      case "notifications/tasks":
      case "notifications/tasks/status":
        return rewriteAnswer(route, server, "tasks/get", params);
      default:
        return params;
    }
  });
}

/**
 * The params of what a server asks of the client: `sampling/createMessage`, `elicitation/create`, `roots/list`. The user
 * is told which of the endpoint's servers asks.
 */
export function rewriteAsk(
  route: NamedRoute,
  server: NamedServer,
  method: string,
  params: JsonObject,
): JsonObject {
  if (route.servers.length === 1) return params;
  switch (method) {
    case "sampling/createMessage":
      return withMember(params, "messages", (messages) => messagesOf(messages, uriOf(route, server)));
    case "elicitation/create":
      return withMember(params, "message", (text) =>
        typeof text === "string" ? `[${server.entry.id}] ${text}` : text,
      );
    default:
      return params;
  }
}

function uriOf(route: NamedRoute, server: NamedServer): Uri {
  return (uri) => toClientUri(route, server, uri);
}

function messagesOf(messages: JsonValue, uri: Uri): JsonValue {
  return each(messages, (message) => withMember(message, "content", (content) => contentOf(content, uri)));
}

/** Content is one block or several. */
function contentOf(content: JsonValue, uri: Uri, depth = 0): JsonValue {
  if (depth > MAX_CONTENT_DEPTH) return content;
  if (Array.isArray(content)) return content.map((block: JsonValue) => blockOf(block, uri, depth));
  return blockOf(content, uri, depth);
}

function blockOf(block: JsonValue, uri: Uri, depth: number): JsonValue {
  if (!isJsonObject(block)) return block;
  switch (block["type"]) {
    case "resource_link":
      return withUri(withMeta(block, uri), "uri", uri);
    case "resource":
      return withMember(block, "resource", (inner) =>
        isJsonObject(inner) ? withUri(inner, "uri", uri) : inner,
      );
    case "tool_result":
      return withMember(block, "content", (content) => contentOf(content, uri, depth + 1));
    default:
      return block;
  }
}

function withMeta(object: JsonObject, uri: Uri): JsonObject {
  return withMember(object, "_meta", (meta) => {
    if (!isJsonObject(meta)) return meta;
    const flat = withUri(meta, UI_RESOURCE_FLAT, uri);
    return withMember(flat, UI_MEMBER, (ui) => (isJsonObject(ui) ? withUri(ui, UI_RESOURCE, uri) : ui));
  });
}

function each(list: JsonValue, change: (item: JsonObject) => JsonObject): JsonValue {
  if (!Array.isArray(list)) return list;
  return list.map((item: JsonValue) => (isJsonObject(item) ? change(item) : item));
}

function withUri(object: JsonObject, key: string, change: Uri): JsonObject {
  return withMember(object, key, (value) => (typeof value === "string" ? change(value) : value));
}

/** The object with one member changed; itself where it has none of that name or nothing changes. */
function withMember(object: JsonObject, key: string, change: (value: JsonValue) => JsonValue): JsonObject {
  if (!Object.hasOwn(object, key)) return object;
  const before = object[key] as JsonValue;
  const after = change(before);
  return after === before ? object : { ...object, [key]: after };
}
