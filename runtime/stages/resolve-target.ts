// Stage 5, target: from the method row and the body to the pinned leaf the message is about. Headers are never asked.
import type { LeafEntry } from "#bundle";
import { AegisError, aboutRequest, requestFault } from "#errors";
import { completionArguments, loggingArguments } from "#methods";
import { locate } from "#naming";
import type { Located } from "#naming";
import { isListed } from "#pdp";
import { canonicalSpelling } from "#resources";
import type { Sealer } from "#sealing";
import { isJsonObject } from "#std";
import type { JsonObject, JsonValue } from "#std";
import { learn } from "../pipeline/exchange.ts";
import type { Admitted, MethodGate, Target, Targeted } from "../pipeline/exchange.ts";
import type { Stage } from "../pipeline/pipeline.ts";
import { requestFactsOf } from "../pipeline/request-facts.ts";
import { proceed } from "../pipeline/verdict.ts";
import type { RoutedServer } from "../snapshot/snapshot.ts";
import { taskTarget } from "../tasks/index.ts";

export function createTargetStage(sealer: Sealer): Stage<Admitted, Targeted> {
  return {
    name: "target",
    run: (exchange) => proceed(learn(exchange, { target: resolveTarget(exchange, sealer) })),
  };
}

function resolveTarget(exchange: Admitted, sealer: Sealer): Target {
  const { method, target } = exchange.method;
  if (target === "none") return { kind: "endpoint" };
  if (target === "task") return taskTarget(exchange, sealer);
  const { server, params } = locateServer(exchange);
  switch (target) {
    case "tool":
      return leafTarget(server, toolLeaf(server, params), argumentsOf(params));
    case "prompt":
      return leafTarget(server, promptLeaf(server, params?.["name"]), argumentsOf(params));
    case "resource": {
      const uri = requiredString(params, "uri");
      // A pinned name may be spelled otherwise; policies see one spelling.
      const args = { uri: canonicalSpelling(uri) };
      const read = leafTarget(server, resourceLeaf(exchange, server, uri), args);
      // Unsubscribing takes nothing that subscribing did not give.
      if (method !== "resources/subscribe") return read;
      return { ...read, gate: gateOf(server, method, args) };
    }
    case "completion": {
      const leaf = completionLeaf(exchange, server, params);
      const args = aboutRequest(() => completionArguments(params));
      const gate = gateOf(server, method, args);
      return { ...leafTarget(server, leaf, {}), mode: "visibility", gate };
    }
    case "method":
      return leafTarget(server, methodLeaf(server, method), loggingArguments(params));
    default:
      throw new AegisError("METHOD_UNKNOWN", `no target resolution for ${method}`);
  }
}

/** The server that the message is for, and its params as that server spells them: what policies see. */
function locateServer(exchange: Admitted): Located<RoutedServer> {
  const { route, message, method } = exchange;
  const params = message.kind === "response" ? undefined : message.params;
  if (method.target === "method") {
    const server = offering(exchange) ?? route.servers[0];
    if (server !== undefined) return { server, params };
  }
  const located = locate(route, method.target, params);
  if (located === undefined)
    throw unknownTarget(exchange, "no server of the endpoint alone has what the request names");
  return located;
}

/**
 * Of several servers with the method, one that the caller may use it of and that can be reached. A log level holds for
 * the session: messages of every server are filtered by it.
 */
function offering(exchange: Admitted): RoutedServer | undefined {
  const { route, method, principal, snapshot } = exchange;
  const offered = route.servers.filter(({ methods }) => methods.has(method.method));
  if (offered.length < 2) return offered[0];
  const request = requestFactsOf(exchange);
  const usable = offered.filter(({ methods }) => {
    const action = methods.get(method.method)?.action;
    return (
      action !== undefined && isListed(snapshot.evaluator, route.entry.tenant, principal, request, action)
    );
  });
  return usable.find(({ binding }) => binding.isReachable()) ?? usable[0] ?? offered[0];
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

/** What a client asked for stands in the error (MCP 2026-07-28, resources, error handling), as the client spelled it. */
function unknownTarget({ message }: Admitted, detail: string): AegisError {
  const uri = message.kind === "response" ? undefined : message.params?.["uri"];
  return new AegisError("TARGET_UNKNOWN", detail, typeof uri === "string" ? { data: { uri } } : {});
}

function resourceLeaf(exchange: Admitted, server: RoutedServer, uri: string): LeafEntry {
  const fault = server.resources.faultOf(uri);
  if (fault !== undefined)
    throw unknownTarget(exchange, `the resource URI is not in canonical form: ${fault}`);
  const leaf = server.resources.leafOf(uri);
  if (leaf === undefined)
    throw unknownTarget(exchange, `no pinned resource, template or rule for ${JSON.stringify(uri)}`);
  return leaf;
}

function completionLeaf(exchange: Admitted, server: RoutedServer, params: JsonObject | undefined): LeafEntry {
  const ref = params?.["ref"];
  if (isJsonObject(ref) && ref["type"] === "ref/prompt") return promptLeaf(server, ref["name"]);
  if (isJsonObject(ref) && ref["type"] === "ref/resource" && typeof ref["uri"] === "string") {
    const uri = ref["uri"];
    return server.resources.named(uri) ?? resourceLeaf(exchange, server, uri);
  }
  throw new AegisError(
    "COMPLETION_TARGET_UNKNOWN",
    "completion reference names no pinned prompt or template",
  );
}

function argumentsOf(params: JsonObject | undefined): JsonObject {
  const value = params?.["arguments"];
  if (value === undefined) return {};
  if (!isJsonObject(value)) throw requestFault("ARGUMENTS_INVALID", "params.arguments is not an object");
  return value;
}

function requiredString(params: JsonObject | undefined, key: string): string {
  const value = params?.[key];
  if (typeof value !== "string") throw new AegisError("TARGET_UNKNOWN", `params.${key} is not a string`);
  return value;
}
