// Stage 9, transform request: what will be sent is built afresh from the judged values, member by member.
import type { AuditLog } from "#audit";
import { AegisError, requestFault } from "#errors";
import { META_CLIENT_CAPABILITIES } from "#mcp";
import type { RequestMessage } from "#mcp";
import { locate } from "#naming";
import { validateAndProject } from "#schema";
import { isJsonObject } from "#std";
import type { JsonObject, JsonValue } from "#std";
import { applyRequest } from "#transform";
import type { OutboundRequest } from "#upstream";
import { upstreamEra } from "../bridge/index.ts";
import { ASKING_METHODS, callerOf, declaredBy, forwardedCapabilities } from "../asks/index.ts";
import type { InputRounds, RetriedInput } from "../asks/index.ts";
import { learn } from "../pipeline/exchange.ts";
import type { Throttled, Transformed } from "../pipeline/exchange.ts";
import type { Stage } from "../pipeline/pipeline.ts";
import { deny, proceed } from "../pipeline/verdict.ts";
import type { Verdict } from "../pipeline/verdict.ts";
import { taskExtension, taskParams } from "../tasks/index.ts";

const PREFIX = "io.modelcontextprotocol/";
const OWN_NAMESPACE = "dev.aegis/";
const MAX_TRACE_CHARS = 512;
const TRACE_KEYS = new Set(["traceparent", "tracestate", "baggage"]);
/** Members of `params` that are judged and forwarded, besides `_meta`. Any other member is refused. */
const FORWARDED_PARAMS: ReadonlyMap<string, readonly string[]> = new Map([
  ["tools/call", ["name", "arguments", "task"]],
  ["prompts/get", ["name", "arguments"]],
  ["resources/read", ["uri"]],
  ["resources/subscribe", ["uri"]],
  ["resources/unsubscribe", ["uri"]],
  ["completion/complete", ["ref", "argument", "context"]],
  ["logging/setLevel", ["level"]],
  ["tasks/get", ["taskId"]],
  ["tasks/result", ["taskId"]],
  ["tasks/cancel", ["taskId"]],
  ["tasks/update", ["taskId", "inputResponses"]],
]);

/** Members of a retry of a call that was answered with `input_required`. */
const OF_RETRIES: ReadonlySet<string> = new Set(["inputResponses", "requestState"]);

export function createTransformRequestStage(
  { fingerprint }: Pick<AuditLog, "fingerprint">,
  rounds: InputRounds,
): Stage<Throttled, Transformed> {
  return {
    name: "transform",
    run: (exchange, signal) => {
      if (exchange.method.handling !== "forward" || exchange.message.kind !== "request")
        return proceed(learn(exchange, { outbound: undefined, answersTo: undefined }));
      const retried = exchange.method.target === "task" ? undefined : rounds.retried(exchange, signal);
      if (retried === undefined) return transform(exchange, exchange.message, undefined, fingerprint);
      const { message } = exchange;
      return retried.then((input) => transform(exchange, message, input, fingerprint));
    },
  };
}

function transform(
  exchange: Throttled,
  message: RequestMessage,
  retried: RetriedInput | undefined,
  fingerprint: AuditLog["fingerprint"],
): Verdict<Transformed> {
  const { method, target } = exchange;
  const own = locate(exchange.route, method.target, message.params)?.params ?? message.params ?? {};
  const params = { ...forwardedParams(message.method, own, exchange), ...retried?.params };
  const args = params["arguments"];
  if (target.kind === "leaf" && target.mode === "call" && isJsonObject(args)) {
    const compiled = exchange.snapshot.transformFor(exchange.route.entry.tenant, target.action);
    if (compiled !== undefined && !compiled.request.isIdle) {
      const changed = applyRequest(compiled, args, { fingerprint });
      // What is sent must be what was approved, whatever the policy made of it.
      const checked = validateAndProject(target.leaf.argumentsProgram, changed);
      if (!checked.ok) {
        const detail = `the transformed arguments are refused by the pinned schema: ${checked.message}`;
        return deny({ code: "TRANSFORM_FAILED", detail });
      }
      params["arguments"] = changed;
    }
  }
  const outbound = { method: message.method, params, paramHeaders: paramHeaders(exchange, params) };
  return proceed(learn(exchange, { outbound, answersTo: retried?.answers }));
}

function forwardedParams(method: string, params: JsonObject, exchange: Throttled): Record<string, JsonValue> {
  const known = FORWARDED_PARAMS.get(method);
  if (known === undefined)
    throw new AegisError("STAGE_FAULT", `no forwarded members are listed for ${method}`);
  const forwarded: Record<string, JsonValue> = {};
  for (const key of Object.keys(params)) {
    if (key === "_meta") continue;
    // Judged, unsealed and put in their place by themselves.
    if (OF_RETRIES.has(key) && ASKING_METHODS.has(method)) continue;
    // Clients of the SDK 1.x repeat the wish of the call in what they ask about its task; it means nothing there.
    if (key === "task" && exchange.method.target === "task") continue;
    if (!known.includes(key))
      throw requestFault("MESSAGE_INVALID", `params.${key.slice(0, 64)} is not governed for ${method}`);
    if (key !== "task") forwarded[key] = params[key] as JsonValue;
  }
  Object.assign(forwarded, taskParams(exchange));
  const meta = forwardedMeta(params["_meta"], exchange);
  if (meta !== undefined) forwarded["_meta"] = meta;
  return forwarded;
}

/**
 * `_meta` towards the upstream. The capabilities a client declares are the only basis on which a server may ask it for
 * something, so those whose requests are not governed here are taken out.
 */
function forwardedMeta(meta: JsonValue | undefined, exchange: Throttled): JsonObject | undefined {
  if (!isJsonObject(meta)) return undefined;
  const forwarded: Record<string, JsonValue> = {};
  for (const key of Object.keys(meta)) {
    const value = meta[key] as JsonValue;
    if (key.startsWith(OWN_NAMESPACE)) continue;
    if (key.startsWith(PREFIX) && exchange.era === "legacy") continue;
    if (TRACE_KEYS.has(key) && (typeof value !== "string" || value.length > MAX_TRACE_CHARS)) continue;
    forwarded[key] = key === META_CLIENT_CAPABILITIES ? capabilitiesOf(exchange) : value;
  }
  return Object.keys(forwarded).length === 0 && exchange.era === "legacy" ? undefined : forwarded;
}

function capabilitiesOf(exchange: Throttled): JsonObject {
  const { snapshot, route, target } = exchange;
  if (target.kind !== "leaf") return {};
  const asked = { snapshot, route, server: target.server };
  // Where an answer may not ask for input, there is nothing to ask it by.
  const ofAsks = ASKING_METHODS.has(exchange.method.method)
    ? forwardedCapabilities(declaredBy(exchange), asked, callerOf(exchange))
    : {};
  return { ...ofAsks, ...taskExtension(exchange) };
}

function paramHeaders(exchange: Throttled, params: JsonObject): OutboundRequest["paramHeaders"] {
  const { target, era } = exchange;
  // A modern server gets the headers whatever the caller's era.
  if (target.kind !== "leaf" || upstreamEra(target.server.entry, era) !== "modern") return {};
  const headers: Record<string, JsonValue> = {};
  for (const { header, path } of target.leaf.paramHeaders) {
    let value: JsonValue | undefined = params["arguments"];
    for (const name of path) value = isJsonObject(value) ? value[name] : undefined;
    if (value !== undefined && value !== null) headers[header] = value;
  }
  return headers;
}
