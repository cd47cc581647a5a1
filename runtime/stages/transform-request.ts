// Stage 9, transform request: what will be sent is built afresh from the judged values, member by member.
import type { AuditLog } from "#audit";
import { AegisError } from "#errors";
import { locate } from "#naming";
import { validateAndProject } from "#schema";
import { isJsonObject } from "#std";
import type { JsonObject, JsonValue } from "#std";
import { applyRequest } from "#transform";
import type { OutboundRequest } from "#upstream";
import { upstreamEra } from "../bridge/index.ts";
import { learn } from "../pipeline/exchange.ts";
import type { Throttled, Transformed } from "../pipeline/exchange.ts";
import type { Stage } from "../pipeline/pipeline.ts";
import { deny, proceed } from "../pipeline/verdict.ts";
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

export function createTransformRequestStage({
  fingerprint,
}: Pick<AuditLog, "fingerprint">): Stage<Throttled, Transformed> {
  return {
    name: "transform",
    run: (exchange) => {
      const { message, method, target } = exchange;
      if (method.handling !== "forward" || message.kind !== "request") {
        return proceed(learn(exchange, { outbound: undefined }));
      }
      const own = locate(exchange.route, method.target, message.params)?.params ?? message.params ?? {};
      const params = forwardedParams(message.method, own, exchange);
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
      return proceed(learn(exchange, { outbound }));
    },
  };
}

function forwardedParams(method: string, params: JsonObject, exchange: Throttled): Record<string, JsonValue> {
  const known = FORWARDED_PARAMS.get(method);
  if (known === undefined)
    throw new AegisError("STAGE_FAULT", `no forwarded members are listed for ${method}`);
  const forwarded: Record<string, JsonValue> = {};
  for (const key of Object.keys(params)) {
    if (key === "_meta") continue;
    if (!known.includes(key))
      throw new AegisError("MESSAGE_INVALID", `params.${key} is not governed for ${method}`);
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
    forwarded[key] = key === `${PREFIX}clientCapabilities` ? taskExtension(exchange) : value;
  }
  return Object.keys(forwarded).length === 0 && exchange.era === "legacy" ? undefined : forwarded;
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
