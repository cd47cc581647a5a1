// Stage 5, target: from the method row and the body to the pinned leaf the message is about. Headers are never asked.
import type { LeafEntry } from "#bundle";
import { AegisError } from "#errors";
import { isJsonObject } from "#std";
import type { JsonObject, JsonValue } from "#std";
import type { Admitted, Target, Targeted } from "../pipeline/exchange.ts";
import type { Stage } from "../pipeline/pipeline.ts";
import { proceed } from "../pipeline/verdict.ts";
import type { RoutedServer } from "../snapshot/snapshot.ts";

export function createTargetStage(): Stage<Admitted, Targeted> {
  return { name: "target", run: (exchange) => proceed({ ...exchange, target: resolveTarget(exchange) }) };
}

function resolveTarget(exchange: Admitted): Target {
  const server = exchange.route.server;
  const params = exchange.message.kind === "response" ? undefined : exchange.message.params;
  switch (exchange.method.target) {
    case "tool":
      return leafTarget(server, toolLeaf(server, params), argumentsOf(params));
    case "prompt":
      return leafTarget(server, promptLeaf(server, params?.["name"]), argumentsOf(params));
    case "resource": {
      const uri = requiredString(params, "uri");
      const leaf = resourceLeaf(server, uri);
      return leafTarget(server, leaf, { uri });
    }
    case "completion":
      return { ...leafTarget(server, completionLeaf(server, params), {}), mode: "visibility" };
    case "none":
      return { kind: "server", server: server.entry.id };
    case "task":
    default:
      throw new AegisError("METHOD_UNKNOWN", `no target resolution for ${exchange.method.method}`);
  }
}

function leafTarget(
  server: RoutedServer,
  leaf: LeafEntry,
  args: JsonObject,
): Extract<Target, { kind: "leaf" }> {
  return { kind: "leaf", server: server.entry.id, leaf, action: leaf.action, mode: "call", arguments: args };
}

function toolLeaf(server: RoutedServer, params: JsonObject | undefined): LeafEntry {
  const name = requiredString(params, "name");
  const leaf = server.tools.get(name);
  if (leaf === undefined) throw new AegisError("TARGET_UNKNOWN", `no pinned tool ${JSON.stringify(name)}`);
  return leaf;
}

function promptLeaf(server: RoutedServer, name: JsonValue | undefined): LeafEntry {
  const leaf = typeof name === "string" ? server.prompts.get(name) : undefined;
  if (leaf === undefined) throw new AegisError("TARGET_UNKNOWN", `no pinned prompt ${JSON.stringify(name)}`);
  return leaf;
}

function resourceLeaf(server: RoutedServer, uri: string): LeafEntry {
  if (!isCanonicalUri(uri))
    throw new AegisError("TARGET_UNKNOWN", "the resource URI is not in canonical form");
  const leaf = server.resources.get(uri) ?? server.templates.find((template) => template.matches(uri))?.leaf;
  if (leaf === undefined)
    throw new AegisError("TARGET_UNKNOWN", `no pinned resource or template for ${JSON.stringify(uri)}`);
  return leaf;
}

function completionLeaf(server: RoutedServer, params: JsonObject | undefined): LeafEntry {
  const ref = params?.["ref"];
  if (isJsonObject(ref) && ref["type"] === "ref/prompt") return promptLeaf(server, ref["name"]);
  if (isJsonObject(ref) && ref["type"] === "ref/resource" && typeof ref["uri"] === "string") {
    const uri = ref["uri"];
    const template = server.templates.find((candidate) => candidate.leaf.name === uri)?.leaf;
    if (template !== undefined) return template;
    return resourceLeaf(server, uri);
  }
  throw new AegisError(
    "COMPLETION_TARGET_UNKNOWN",
    "completion reference names no pinned prompt or template",
  );
}

/**
 * True for a URI that has one spelling only: no dot segments, no encoded dots, slashes or backslashes, no user
 * information, no control or space characters. A URI in any other spelling is refused rather than rewritten, so
 * that what is judged is what the server reads.
 */
export function isCanonicalUri(uri: string): boolean {
  if (uri.length === 0 || uri.length > 4_096) return false;
  if (/[\p{Cc}\s\\]/u.test(uri)) return false;
  if (/%(?:2e|2f|5c|00)/iu.test(uri)) return false;
  const scheme = /^[a-z][a-z0-9+.-]*:/u.exec(uri);
  if (scheme === null) return false;
  const rest = uri.slice(scheme[0].length);
  if (/^\/\/[^/?#]*@/u.test(rest)) return false;
  const path = rest.split(/[?#]/u, 1)[0] ?? "";
  return !path.split("/").some((segment) => segment === "." || segment === "..");
}

function argumentsOf(params: JsonObject | undefined): JsonObject {
  const value = params?.["arguments"];
  if (value === undefined) return {};
  if (!isJsonObject(value)) throw new AegisError("ARGUMENTS_INVALID", "params.arguments is not an object");
  return value;
}

function requiredString(params: JsonObject | undefined, key: string): string {
  const value = params?.[key];
  if (typeof value !== "string") throw new AegisError("TARGET_UNKNOWN", `params.${key} is not a string`);
  return value;
}
