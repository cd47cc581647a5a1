// What a server may ask of a client, in both eras: as a JSON-RPC request (legacy) or as an entry of `inputRequests`
// (2026-07-28). What is asked is rebuilt member by member; a member that nobody judges is refused.
import { AegisError } from "#errors";
import { readUrl } from "#facts";
import { elicitationArguments, samplingArguments } from "#methods";
import { isJsonObject } from "#std";
import type { JsonObject, JsonValue } from "#std";

const ASK_METHODS = ["elicitation/create", "roots/list", "sampling/createMessage"] as const;
export type AskMethod = (typeof ASK_METHODS)[number];

export interface Ask {
  readonly method: AskMethod;
  readonly params: JsonObject;
}

/** UTF-16 code units of the parameters of one ask as JSON. */
export const MAX_ASK_CHARS = 262_144;

/** Members of `params` that are judged and passed on, besides `_meta`. A task is no part of them. */
const KNOWN_PARAMS: Readonly<Record<AskMethod, ReadonlySet<string>>> = {
  "elicitation/create": new Set(["mode", "message", "requestedSchema", "url", "elicitationId"]),
  "roots/list": new Set(),
  "sampling/createMessage": new Set([
    ...["messages", "maxTokens", "systemPrompt", "modelPreferences", "includeContext", "temperature"],
    ...["stopSequences", "metadata", "tools", "toolChoice"],
  ]),
};

export function isAskMethod(method: JsonValue | undefined): method is AskMethod {
  return (ASK_METHODS as readonly (JsonValue | undefined)[]).includes(method);
}

/**
 * A server's request, without `_meta`.
 * @throws {AegisError} METHOD_UNKNOWN; ARGUMENTS_INVALID for what has not the shape of the protocol or is too long
 */
export function readAsk(method: JsonValue | undefined, params: JsonValue | undefined): Ask {
  if (!isAskMethod(method)) throw new AegisError("METHOD_UNKNOWN", "not a method that a server may ask");
  if (params !== undefined && !isJsonObject(params)) throw invalid("params is not an object");
  const known = KNOWN_PARAMS[method];
  const judged: Record<string, JsonValue> = {};
  for (const [key, value] of Object.entries(params ?? {})) {
    if (key === "_meta") continue;
    if (!known.has(key)) throw invalid(`params.${key.slice(0, 64)} is not governed for ${method}`);
    judged[key] = value;
  }
  const ask = { method, params: judged };
  if (JSON.stringify(judged).length > MAX_ASK_CHARS) throw invalid("params is too long");
  requireShape(ask);
  return ask;
}

function requireShape({ method, params }: Ask): void {
  if (method === "roots/list") return;
  if (method === "sampling/createMessage") {
    if (!Array.isArray(params["messages"])) throw invalid("params.messages is not a list");
    if (typeof params["maxTokens"] !== "number") throw invalid("params.maxTokens is not a number");
    return;
  }
  if (typeof params["message"] !== "string") throw invalid("params.message is not a string");
  const { mode = "form", url, requestedSchema } = params;
  if (mode === "form") {
    if (!isJsonObject(requestedSchema)) throw invalid("params.requestedSchema is not an object");
    if (url !== undefined) throw invalid("a form has no params.url");
  } else if (mode === "url") {
    if (!isVisitable(url)) throw invalid("params.url is not an https URL, nor an http URL of this machine");
    if (requestedSchema !== undefined) throw invalid("a URL has no params.requestedSchema");
  } else throw invalid("params.mode is neither form nor url");
}

const LOOPBACK: ReadonlySet<string> = new Set(["localhost", "127.0.0.1", "::1", "[::1]"]);

/** A client opens it in a browser, so it is read as strictly as policies read it (MCP security best practices). */
function isVisitable(url: JsonValue | undefined): boolean {
  const read = typeof url === "string" ? readUrl(url) : undefined;
  if (read?.ok !== true) return false;
  return read.scheme === "https" || (read.scheme === "http" && LOOPBACK.has(read.host));
}

/**
 * What policies see of an ask; undefined for `roots/list`, where each root of the answer is judged instead.
 * @throws {AegisError} ARGUMENTS_INVALID
 */
export function askArguments({ method, params }: Ask): JsonObject | undefined {
  switch (method) {
    case "elicitation/create":
      return elicitationArguments(params);
    case "sampling/createMessage":
      return samplingArguments(params);
    case "roots/list":
      return undefined;
  }
}

/** The mode of an elicitation. */
export function elicitationMode(params: JsonObject): "form" | "url" {
  return params["mode"] === "url" ? "url" : "form";
}

function invalid(detail: string): AegisError {
  return new AegisError("ARGUMENTS_INVALID", detail);
}
