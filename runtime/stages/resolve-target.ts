// Stage 5, target: from the method row and the body to the pinned leaf the message is about. Headers are never asked.
import type { LeafEntry } from "#bundle";
import { AegisError } from "#errors";
import { completionArguments, loggingArguments } from "#methods";
import { canonicalSpelling } from "#resources";
import { isJsonObject } from "#std";
import type { JsonObject, JsonValue } from "#std";
import { learn } from "../pipeline/exchange.ts";
import type { Admitted, MethodGate, Target, Targeted } from "../pipeline/exchange.ts";
import type { Stage } from "../pipeline/pipeline.ts";
import { proceed } from "../pipeline/verdict.ts";
import type { RoutedServer } from "../snapshot/snapshot.ts";

export function createTargetStage(): Stage<Admitted, Targeted> {
  return { name: "target", run: (exchange) => proceed(learn(exchange, { target: resolveTarget(exchange) })) };
}

function resolveTarget(exchange: Admitted): Target {
  const [server] = exchange.route.servers;
  if (server === undefined) throw new AegisError("STAGE_FAULT", "an endpoint without a server");
  const params = exchange.message.kind === "response" ? undefined : exchange.message.params;
  const { method, target } = exchange.method;
  switch (target) {
    case "tool":
      return leafTarget(server, toolLeaf(server, params), argumentsOf(params));
    case "prompt":
      return leafTarget(server, promptLeaf(server, params?.["name"]), argumentsOf(params));
    case "resource": {
      const uri = requiredString(params, "uri");
      // A pinned name may be spelled otherwise; policies see one spelling.
      const args = { uri: canonicalSpelling(uri) };
      const read = leafTarget(server, resourceLeaf(server, uri), args);
      // Unsubscribing takes nothing that subscribing did not give.
      if (method !== "resources/subscribe") return read;
      return { ...read, gate: gateOf(server, method, args) };
    }
    case "completion": {
      const leaf = completionLeaf(server, params);
      const gate = gateOf(server, method, completionArguments(params));
      return { ...leafTarget(server, leaf, {}), mode: "visibility", gate };
    }
    case "method":
      return leafTarget(server, methodLeaf(server, method), loggingArguments(params));
    case "none":
      return { kind: "endpoint" };
    case "task":
    default:
      throw new AegisError("METHOD_UNKNOWN", `no target resolution for ${method}`);
  }
}

function leafTarget(
  server: RoutedServer,
  leaf: LeafEntry,
  args: JsonObject,
): Extract<Target, { kind: "leaf" }> {
  return { kind: "leaf", server, leaf, action: leaf.action, mode: "call", arguments: args };
}

function methodLeaf(server: RoutedServer, method: string): LeafEntry {
  const leaf = server.methods.get(method);
  if (leaf === undefined) throw new AegisError("TARGET_UNKNOWN", `the release does not offer ${method}`);
  return leaf;
}

function gateOf(server: RoutedServer, method: string, args: JsonObject): MethodGate {
  return { action: methodLeaf(server, method).action, arguments: args };
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
  const fault = server.resources.faultOf(uri);
  if (fault !== undefined)
    throw new AegisError("TARGET_UNKNOWN", `the resource URI is not in canonical form: ${fault}`);
  const leaf = server.resources.leafOf(uri);
  if (leaf === undefined)
    throw new AegisError("TARGET_UNKNOWN", `no pinned resource, template or rule for ${JSON.stringify(uri)}`);
  return leaf;
}

function completionLeaf(server: RoutedServer, params: JsonObject | undefined): LeafEntry {
  const ref = params?.["ref"];
  if (isJsonObject(ref) && ref["type"] === "ref/prompt") return promptLeaf(server, ref["name"]);
  if (isJsonObject(ref) && ref["type"] === "ref/resource" && typeof ref["uri"] === "string") {
    const uri = ref["uri"];
    return server.resources.named(uri) ?? resourceLeaf(server, uri);
  }
  throw new AegisError(
    "COMPLETION_TARGET_UNKNOWN",
    "completion reference names no pinned prompt or template",
  );
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
