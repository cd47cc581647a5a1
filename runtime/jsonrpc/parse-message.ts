// From a strictly parsed JSON value to a JSON-RPC message (JSON-RPC 2.0, MCP base protocol): exactly one message, no
// member that another parser could read otherwise.
import { AegisError } from "#errors";
import { isJsonObject } from "#std";
import type { JsonObject, JsonValue } from "#std";
import type { ClientMessage, RequestId, ServerMessage, ServerResponseMessage } from "./message.ts";
import { lookupAnyEra } from "./method-table.ts";
import { cleanMeta } from "./meta.ts";
import {
  COMPLETION_MEMBERS,
  MESSAGE_MEMBERS,
  META_MEMBERS,
  PARAMS_MEMBERS,
  hasControlCharacter,
  variantOf,
} from "./names.ts";
import { UPSTREAM_JSON_LIMITS, parseStrict, parseStrictText } from "./parse-json.ts";
import type { JsonLimits } from "./scan.ts";

/** UTF-16 units of a string id. */
const MAX_ID_LENGTH = 256;
/** UTF-16 units of a method name. */
const MAX_METHOD_LENGTH = 256;

/**
 * Reads one message of a client. Batches are refused: no revision but 2025-03-26 has them. In `params._meta`, keys of
 * the gateway's own namespace and malformed trace context are removed.
 * @throws {AegisError} MESSAGE_INVALID; METHOD_UNKNOWN for a method name with control characters
 */
export function parseClientMessage(value: JsonValue): ClientMessage {
  const message = requireMessage(value);
  const names = Object.keys(message);
  const stranger = names.find((name) => !MESSAGE_MEMBERS.has(name));
  if (stranger !== undefined) throw invalid(`unknown member ${JSON.stringify(stranger.slice(0, 64))}`);
  if (!Object.hasOwn(message, "method")) return responseOf(message);
  if (Object.hasOwn(message, "result") || Object.hasOwn(message, "error"))
    throw invalid("method together with result or error");
  const method = methodOf(message);
  const params = cleanParams(paramsOf(message));
  if (!Object.hasOwn(message, "id")) {
    if (lookupAnyEra("client-to-server", method)?.kind === "request")
      throw invalid(`${method} without an id`);
    return { kind: "notification", method, params };
  }
  const id = message["id"];
  if (!isRequestId(id)) throw invalid("id is neither a short string nor a safe integer");
  return { kind: "request", id, method, params };
}

/**
 * The id of a message that was refused, where it can be read: every refusal carries it (JSON-RPC 2.0 section 5).
 * Undefined for notifications, batches and anything malformed.
 */
export function readableId(value: JsonValue): RequestId | undefined {
  if (!isJsonObject(value) || !Object.hasOwn(value, "method")) return undefined;
  const id = Object.hasOwn(value, "id") ? value["id"] : undefined;
  return isRequestId(id) ? id : undefined;
}

/**
 * Reads one message of a server: bytes of a body, or the data of one event. Lenient where real servers are: `id: null`
 * on an error, `params: null`, `error: null` next to a result, and unknown members, which are dropped.
 * @throws {AegisError} JSON_INVALID, MESSAGE_INVALID, MESSAGE_TOO_LARGE
 */
export function parseServerMessage(
  input: Uint8Array | string,
  limits: JsonLimits = UPSTREAM_JSON_LIMITS,
): ServerMessage {
  const value = typeof input === "string" ? parseStrictText(input, limits) : parseStrict(input, limits);
  const message = requireMessage(value);
  const variant = variantOf(Object.keys(message), MESSAGE_MEMBERS);
  if (variant !== undefined)
    throw invalid(`member ${JSON.stringify(variant.slice(0, 64))} is a variant spelling`);
  if (!Object.hasOwn(message, "method")) return serverResponseOf(message);
  const method = methodOf(message);
  const params = message["params"] === null ? undefined : paramsOf(message);
  if (!Object.hasOwn(message, "id")) return { kind: "notification", method, params };
  const id = message["id"];
  if (!isRequestId(id)) throw invalid("id is neither a short string nor a safe integer");
  return { kind: "request", id, method, params };
}

function invalid(detail: string): AegisError {
  return new AegisError("MESSAGE_INVALID", detail);
}

function requireMessage(value: JsonValue): JsonObject {
  if (Array.isArray(value)) throw invalid("a batch, which only sessions of 2025-03-26 have");
  if (!isJsonObject(value)) throw invalid("not an object");
  if (!Object.hasOwn(value, "jsonrpc") || value["jsonrpc"] !== "2.0") throw invalid("jsonrpc is not 2.0");
  return value;
}

function isRequestId(id: JsonValue | undefined): id is RequestId {
  if (typeof id === "string") return id.length <= MAX_ID_LENGTH;
  return typeof id === "number" && Number.isSafeInteger(id);
}

function methodOf(message: JsonObject): string {
  const method = message["method"];
  if (typeof method !== "string" || method === "") throw invalid("method is not a string");
  if (method.length > MAX_METHOD_LENGTH) throw invalid("method name is too long");
  if (hasControlCharacter(method))
    throw new AegisError("METHOD_UNKNOWN", "method name with a control character");
  return method;
}

function paramsOf(message: JsonObject): JsonObject | undefined {
  if (!Object.hasOwn(message, "params")) return undefined;
  const params = message["params"];
  if (!isJsonObject(params)) throw invalid("params is not an object");
  return params;
}

function cleanParams(params: JsonObject | undefined): JsonObject | undefined {
  if (params === undefined) return undefined;
  refuseVariants(params, PARAMS_MEMBERS, "params");
  refuseControls(params, "params");
  for (const name of ["ref", "argument"]) {
    const part = params[name];
    if (!isJsonObject(part)) continue;
    refuseVariants(part, COMPLETION_MEMBERS, `params.${name}`);
    refuseControls(part, `params.${name}`);
  }
  if (!Object.hasOwn(params, "_meta")) return params;
  const meta = params["_meta"];
  if (!isJsonObject(meta)) throw invalid("params._meta is not an object");
  refuseVariants(meta, META_MEMBERS, "params._meta");
  const cleaned = cleanMeta(meta);
  return cleaned === meta ? params : { ...params, _meta: cleaned };
}

function refuseVariants(part: JsonObject, known: ReadonlySet<string>, where: string): void {
  const variant = variantOf(Object.keys(part), known);
  if (variant !== undefined)
    throw invalid(`${where} member ${JSON.stringify(variant.slice(0, 64))} is a variant spelling`);
}

const NAMING_MEMBERS = ["name", "uri", "taskId"] as const;

function refuseControls(part: JsonObject, where: string): void {
  for (const member of NAMING_MEMBERS) {
    const value = part[member];
    if (typeof value === "string" && hasControlCharacter(value))
      throw invalid(`${where}.${member} has a control character`);
  }
}

/** A client's answer to a server-initiated request. */
function responseOf(message: JsonObject): ClientMessage {
  const id = message["id"];
  if (!isRequestId(id)) throw invalid("neither a method nor a response with an id");
  const response = outcomeOf(message);
  if (Object.hasOwn(message, "params")) throw invalid("params on a response");
  return { kind: "response", id, ...response };
}

function serverResponseOf(message: JsonObject): ServerResponseMessage {
  const named = Object.hasOwn(message, "id") ? message["id"] : null;
  const response = outcomeOf(message["error"] === null ? withoutError(message) : message);
  if (named === null && response.error !== undefined) return { kind: "response", id: null, ...response };
  if (!isRequestId(named)) throw invalid("response id is neither a short string nor a safe integer");
  return { kind: "response", id: named, ...response };
}

function withoutError(message: JsonObject): JsonObject {
  return Object.fromEntries(Object.entries(message).filter(([name]) => name !== "error"));
}

type Outcome =
  | { readonly result: JsonObject; readonly error?: never }
  | { readonly error: JsonObject; readonly result?: never };

/** Exactly one of `result`, an object, and `error`, an object with an integer `code` and a string `message`. */
function outcomeOf(message: JsonObject): Outcome {
  const hasResult = Object.hasOwn(message, "result");
  const hasError = Object.hasOwn(message, "error");
  if (hasResult === hasError) throw invalid("a response needs exactly one of result and error");
  if (hasResult) {
    const result = message["result"];
    if (!isJsonObject(result)) throw invalid("result is not an object");
    return { result };
  }
  const error = message["error"];
  if (!isJsonObject(error) || !Number.isSafeInteger(error["code"]) || typeof error["message"] !== "string") {
    throw invalid("error has no integer code or no message");
  }
  return { error };
}
