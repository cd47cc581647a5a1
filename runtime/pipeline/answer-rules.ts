// What an answer must be and what is done to it, as plain functions: the response stages use them on the main thread,
// and the answer worker on its own for large answers. Both give the same answer.
import { AegisError } from "#errors";
import type { Era } from "#bundle";
import type { RequestId } from "#mcp";
import { rewriteAnswer, rewriteErrorData } from "#naming";
import type { NamedRoute, NamedServer } from "#naming";
import { isJsonObject } from "#std";
import type { JsonObject, JsonValue } from "#std";
import { REMOVED_TEXT, applyError, applyResponse, applyTask } from "#transform";
import type { CompiledTransform, TransformOptions } from "#transform";
import type { UpstreamReply } from "#upstream";
import { TASKS_EXTENSION, relatedTo } from "../tasks/task-answers.ts";
import type { Answer } from "./exchange.ts";
import type { Denial } from "./verdict.ts";

/** An answer whose content is at hand. */
export type ReadAnswer = Extract<Answer, { readonly kind: "result" | "error" }>;

export type Ruled<T> = ({ readonly ok: true } & T) | { readonly ok: false; readonly denial: Denial };

// -32020, -32022: the upstream says that headers or version of the gateway's own message are wrong (MCP 2026-07-28, error
// codes). That is never the caller's fault.
const GATEWAY_FAULT_CODES: ReadonlySet<number> = new Set([-32020, -32022]);
/** The server cannot do it for a client that lacks a capability: the client may declare it, if it is governed here. */
const CAPABILITY_MISSING = -32021;
/** The user has to visit URLs first (MCP 2025-11-25): each of them is judged, or the error does not pass. */
export const URL_ELICITATION_REQUIRED = -32042;

/**
 * The answer that a reply of an upstream stands for. `era`: the caller's.
 * @throws {AegisError} UPSTREAM_PROTOCOL where it blames the gateway's own message; CAPABILITY_REQUIRED
 */
export function answerOf(reply: UpstreamReply, era: Era): ReadAnswer {
  if (reply.kind === "result") return { kind: "result", result: reply.result };
  const { code, message, data } = reply.error;
  if (GATEWAY_FAULT_CODES.has(code))
    throw new AegisError("UPSTREAM_PROTOCOL", `upstream refused the request: ${code}`);
  if (code === CAPABILITY_MISSING) throw capabilityRequired(data, era);
  const carried: JsonObject | undefined = data === undefined ? undefined : { upstream: data };
  return { kind: "error", code, message, ...(carried === undefined ? {} : { data: carried }) };
}

function capabilityRequired(data: JsonValue | undefined, era: Era): AegisError {
  const required = isJsonObject(data) ? data["requiredCapabilities"] : undefined;
  const requiredCapabilities = isJsonObject(required) ? namedIn(required, CAPABILITIES) : {};
  const told = { data: { requiredCapabilities } };
  const detail = "the server needs a capability that it was not told of";
  // No revision before 2026-07-28 knows this error: what it means has to be said in words.
  const reason = era === "modern" ? {} : { reason: inWords(requiredCapabilities) };
  return new AegisError("CAPABILITY_REQUIRED", detail, { ...told, ...reason });
}

/** What a legacy client is told that the server needs. `required`: names of the gateway's own alone. */
function inWords({ extensions, ...others }: JsonObject): string {
  const [extension] = Object.keys(isJsonObject(extensions) ? extensions : {});
  if (extension !== undefined)
    return `the server needs the extension ${extension}, which cannot be bridged to this revision; a client of 2026-07-28 can declare it`;
  if (extensions !== undefined) return "the server needs an extension that is not governed here";
  const names = Object.keys(others).join(", ");
  if (names === "") return "the server needs a capability that is not governed here";
  return `the server needs ${names} of the client, which it did not declare or policies leave it no use of`;
}

/** Names of what a server may ask of a client, and nothing else that an upstream may have written there. */
interface Names {
  readonly [name: string]: Names;
}

const CAPABILITIES: Names = {
  elicitation: { form: {}, url: {} },
  roots: {},
  sampling: { context: {}, tools: {} },
  extensions: { [TASKS_EXTENSION]: {} },
};

function namedIn(value: JsonObject, names: Names): JsonObject {
  const found = Object.entries(names).flatMap(([name, inner]) => {
    const member = Object.hasOwn(value, name) ? value[name] : undefined;
    return isJsonObject(member) ? [[name, namedIn(member, inner)] as const] : [];
  });
  return Object.fromEntries(found);
}

/** The answer in the form that its era has, or a denial where it is of a kind that is not governed here. */
export function conform<A extends Answer>(
  answer: A,
  era: Era,
  /** Of the message upstream; undefined for what the gateway answers itself. */
  method: string | undefined,
): Ruled<{ readonly answer: A }> {
  if (answer.kind === "error" && answer.code === URL_ELICITATION_REQUIRED && answer.isAsking !== true) {
    const denial: Denial = { code: "RESULT_BLOCKED", detail: "URLs that were not judged" };
    return { ok: false, denial };
  }
  if (answer.kind !== "result" || answer.task !== undefined) return { ok: true, answer };
  const resultType = answer.result["resultType"];
  // `input_required` and `task` carry requests to the client and later results under another name; neither is
  // governed here, and a type this gateway does not know could mean anything.
  if (resultType !== undefined && resultType !== "complete") {
    const denial: Denial = {
      code: "RESULT_BLOCKED",
      detail: `resultType ${JSON.stringify(resultType).slice(0, 128)}`,
      reason: "this result type is not governed by the gateway",
    };
    return { ok: false, denial };
  }
  if (method === undefined) return { ok: true, answer };
  const result = era === "modern" ? modernResult(answer.result, method) : legacyResult(answer.result);
  return { ok: true, answer: { ...answer, result } };
}

/**
 * A result that passed a policy for one caller is private to that caller, whatever the server says
 * (MCP 2026-07-28, caching: `private` = reusable only within one authorization context).
 */
function modernResult(result: JsonObject, method: string): JsonObject {
  const typed = { resultType: "complete", ...result };
  return method === "resources/read" ? { ttlMs: 0, ...typed, cacheScope: "private" } : typed;
}

function legacyResult(result: JsonObject): JsonObject {
  if (!("resultType" in result)) return result;
  const { resultType: _dropped, ...rest } = result;
  return rest;
}

/** The answer without what the transform covers, or TRANSFORM_FAILED. */
export function redact(
  answer: ReadAnswer,
  compiled: CompiledTransform,
  options: TransformOptions,
): Ruled<{ readonly answer: ReadAnswer; readonly applied: number }> {
  if (answer.kind === "result") {
    if (answer.task?.holds === "state") return redactState(answer, compiled, options);
    const outcome = applyResponse(compiled, answer.result, options);
    if (!outcome.ok) return failed(outcome.message);
    const { task } = answer;
    const result = task?.holds === "result" ? relatedTo(task.id, outcome.value) : outcome.value;
    return { ok: true, answer: { ...answer, result }, applied: outcome.applied };
  }
  const error = {
    message: answer.message,
    ...(answer.data === undefined ? {} : { data: answer.data }),
  };
  const cleaned = applyError(compiled, error, options);
  if (!cleaned.ok) return failed(cleaned.message);
  return { ok: true, answer: errorAnswer(answer.code, cleaned.value), applied: cleaned.applied };
}

/** How a task goes. What it asks was transformed before it was decided: changed again, it were not what was decided. */
function redactState(
  answer: Extract<ReadAnswer, { readonly kind: "result" }>,
  compiled: CompiledTransform,
  options: TransformOptions,
): Ruled<{ readonly answer: ReadAnswer; readonly applied: number }> {
  const { inputRequests, ...state } = answer.result;
  const outcome = applyTask(compiled, state, options);
  if (!outcome.ok) return failed(outcome.message);
  const result = inputRequests === undefined ? outcome.value : { ...outcome.value, inputRequests };
  return { ok: true, answer: { ...answer, result }, applied: outcome.applied };
}

function failed(detail: string): { readonly ok: false; readonly denial: Denial } {
  return { ok: false, denial: { code: "TRANSFORM_FAILED", detail } };
}

/** What the codes of JSON-RPC and MCP mean, in the gateway's own words. */
const CODE_NAMES: ReadonlyMap<number, string> = new Map([
  [-32700, "Parse error"],
  [-32603, "Internal error"],
  [-32602, "Invalid params"],
  [-32601, "Method not found"],
  [-32600, "Invalid request"],
  [-32002, "Resource not found"],
]);

function errorAnswer(code: number, cleaned: JsonObject): ReadAnswer {
  const kept = typeof cleaned["message"] === "string" ? cleaned["message"] : "Upstream error";
  // The code passes in any case: its name tells nothing that it does not.
  const name = kept === REMOVED_TEXT ? CODE_NAMES.get(code) : undefined;
  const message = name === undefined ? kept : `${name} ${kept}`;
  const data = cleaned["data"];
  return { kind: "error", code, message, ...(isJsonObject(data) ? { data } : {}) };
}

/** The answer of one server of an endpoint with the names that the endpoint's clients know. */
export function nameAnswer(
  route: NamedRoute,
  server: NamedServer,
  /** Of the caller's message. */
  method: string,
  answer: ReadAnswer,
): ReadAnswer {
  if (answer.kind === "result")
    return { ...answer, result: rewriteAnswer(route, server, method, answer.result) };
  return answer.data === undefined
    ? answer
    : { ...answer, data: rewriteErrorData(route, server, answer.data) };
}

/** The JSON-RPC message that carries an answer to the caller. */
export function answerJson(id: RequestId, answer: ReadAnswer): string {
  if (answer.kind === "result") return JSON.stringify({ jsonrpc: "2.0", id, result: answer.result });
  const error = {
    code: answer.code,
    message: answer.message,
    ...(answer.data === undefined ? {} : { data: answer.data }),
  };
  return JSON.stringify({ jsonrpc: "2.0", id, error });
}

/** What the audit log calls an answer: the code of an error, TOOL_ERROR, or null. */
export function outcomeCode(answer: ReadAnswer): string | number | null {
  if (answer.kind === "error") return answer.code;
  const isError: JsonValue | undefined = answer.result["isError"];
  return isError === true ? "TOOL_ERROR" : null;
}
