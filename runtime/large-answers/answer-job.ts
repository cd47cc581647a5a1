// The work of an answer worker, free of threads: look at a message, and turn an upstream's answer into the caller's.
import type { TransformEntry } from "#bundle";
import { AegisError, isAegisError } from "#errors";
import { META_PREFIX, UPSTREAM_JSON_LIMITS, parseServerMessage } from "#mcp";
import type { ServerMessage, ServerResponseMessage } from "#mcp";
import { readNames } from "#naming";
import type { NamedRoute, NamedServer } from "#naming";
import { isJsonObject } from "#std";
import type { JsonObject } from "#std";
import { compileTransform, parseJsonText } from "#transform";
import type { CompiledTransform } from "#transform";
import type { UpstreamReply } from "#upstream";
import { translateReply } from "../bridge/translate-reply.ts";
import type { Translation } from "../bridge/translate-reply.ts";
import { answerJson, answerOf, conform, nameAnswer, outcomeCode, redact } from "../pipeline/answer-rules.ts";
import type { ReadAnswer } from "../pipeline/answer-rules.ts";
import { ruleTaskAnswer } from "../tasks/task-answers.ts";
import { requireParsable } from "./value-budget.ts";
import type { Finished, Inspected, SentPlan, WorkerReply, WorkerRequest } from "./protocol.ts";

const SUBSCRIPTION_ID = `${META_PREFIX}subscriptionId`;
const MAX_ENVELOPE_TEXT_CHARS = 512;

/** What one worker has compiled, by digest. */
export interface WorkerMemory {
  readonly transforms: Map<string, CompiledTransform>;
  readonly routes: Map<string, NamedRoute>;
}

export function createWorkerMemory(): WorkerMemory {
  return { transforms: new Map(), routes: new Map() };
}

/** Does what was asked. Never throws: a fault is a reply too. */
export function answerRequest(request: WorkerRequest, memory: WorkerMemory): WorkerReply {
  try {
    return request.kind === "inspect"
      ? inspectMessage(request.input, request.maxBytes)
      : finishAnswer(request.bytes, request.plan, memory);
  } catch (fault) {
    if (isAegisError(fault)) return { kind: "fault", code: fault.code, detail: fault.detail };
    // What a caught error says may quote the answer.
    const name = fault instanceof Error ? fault.name : "unknown fault";
    return { kind: "fault", code: "RESULT_BLOCKED", detail: `a large answer could not be read (${name})` };
  }
}

/**
 * Reads a message strictly and says what it is.
 * @throws {AegisError} JSON_INVALID, MESSAGE_INVALID, MESSAGE_TOO_LARGE
 */
function inspectMessage(input: Uint8Array | string, maxBytes: number): Inspected {
  // Encoding would repair a lone surrogate, and then what is decided on is not what was sent.
  if (typeof input === "string" && !input.isWellFormed())
    throw new AegisError("JSON_INVALID", "lone surrogate");
  const bytes = typeof input === "string" ? new TextEncoder().encode(input) : input;
  requireParsable(bytes);
  const message = parseServerMessage(bytes, { ...UPSTREAM_JSON_LIMITS, maxBytes });
  return { kind: "inspected", envelope: envelopeOf(message), bytes };
}

function envelopeOf(message: ServerMessage): ServerMessage {
  if (message.kind !== "response") return { ...message, params: undefined };
  const { id, error } = message;
  if (error === undefined) return { kind: "response", id, result: {} };
  const text = typeof error["message"] === "string" ? error["message"] : "";
  const short = text.slice(0, MAX_ENVELOPE_TEXT_CHARS).toWellFormed();
  return { kind: "response", id, error: { code: error["code"] ?? null, message: short } };
}

/**
 * The caller's message out of the upstream's, or why there is none.
 * @throws {AegisError} as `inspectMessage`; UPSTREAM_PROTOCOL where it is no answer
 */
export function finishAnswer(
  bytes: Uint8Array,
  plan: SentPlan,
  memory: WorkerMemory,
): Finished | Extract<WorkerReply, { readonly kind: "denied" }> {
  // First, whatever comes of the answer: the main thread sends an entry only once.
  if (plan.forget) forget(memory);
  const transform = transformOf(plan, memory);
  const names = namesOf(plan, memory);
  const message = parseServerMessage(bytes, { ...UPSTREAM_JSON_LIMITS, maxBytes: plan.maxBytes });
  if (message.kind !== "response") throw new AegisError("UPSTREAM_PROTOCOL", "not an answer");
  const conforming = conform(readAnswer(replyOf(message), plan), plan.era, plan.method);
  if (!conforming.ok) return { kind: "denied", denial: conforming.denial };
  let { answer } = conforming;
  let applied = 0;
  if (transform !== undefined) {
    const ruled = redact(answer, transform, { hashKey: plan.transform?.hashKey });
    if (!ruled.ok) return { kind: "denied", denial: ruled.denial };
    ({ answer, applied } = ruled);
  }
  if (names !== undefined) answer = nameAnswer(names.route, names.server, names.method, answer);
  const body = new TextEncoder().encode(oneLine(answerJson(plan.id, answer)));
  return { kind: "finished", body, outcome: answer.kind, code: outcomeCode(answer), applied };
}

/** @throws {AegisError} RESULT_BLOCKED for a task that asks for something: that is decided on the main thread alone */
function readAnswer(reply: UpstreamReply, plan: SentPlan): ReadAnswer {
  const translation = readTranslation(plan);
  const translated = translation === undefined ? reply : translateReply(reply, translation);
  const answer = answerOf(translated, plan.era);
  if (plan.task === undefined) return answer;
  const ruled = ruleTaskAnswer(answer, plan.task);
  if (ruled.asks !== undefined) throw new AegisError("RESULT_BLOCKED", "a large answer that asks something");
  return ruled.answer;
}

/** Written by the main thread from the translation it made itself. */
function readTranslation({ translationJson }: SentPlan): Translation | undefined {
  if (translationJson === undefined) return undefined;
  const translation = parseJsonText(translationJson);
  if (translation === undefined) throw new AegisError("RESULT_BLOCKED", "a translation cannot be read");
  return translation as unknown as Translation;
}

function forget({ transforms, routes }: WorkerMemory): void {
  transforms.clear();
  routes.clear();
}

interface KnownNames {
  readonly route: NamedRoute;
  readonly server: NamedServer;
  readonly method: string;
}

function namesOf({ names }: SentPlan, { routes }: WorkerMemory): KnownNames | undefined {
  if (names === undefined) return undefined;
  const { digest, routeJson, method } = names;
  let route = routes.get(digest);
  if (route === undefined) {
    if (routeJson === undefined) throw new AegisError("RESULT_BLOCKED", "names of an endpoint were not sent");
    route = readNames(routeJson);
    routes.set(digest, route);
  }
  const server = route.names.byId.get(names.server);
  if (server === undefined)
    throw new AegisError("RESULT_BLOCKED", "a server that the endpoint does not have");
  return { route, server, method };
}

function transformOf({ transform }: SentPlan, { transforms }: WorkerMemory): CompiledTransform | undefined {
  if (transform === undefined) return undefined;
  const known = transforms.get(transform.digest);
  if (known !== undefined) return known;
  const entry = transform.entryJson === undefined ? undefined : parseJsonText(transform.entryJson);
  if (entry === undefined) throw new AegisError("TRANSFORM_FAILED", "a transform was not sent");
  // Written by the main thread from the entry it compiled itself.
  const made = compileTransform(entry as unknown as TransformEntry);
  transforms.set(transform.digest, made);
  return made;
}

function replyOf(message: ServerResponseMessage): UpstreamReply {
  if (message.error !== undefined) {
    const { code, message: text, data } = message.error;
    if (typeof code !== "number" || typeof text !== "string")
      throw new AegisError("UPSTREAM_PROTOCOL", "an error answer without integer code and string message");
    const error = { code, message: text };
    return { kind: "error", error: data === undefined ? error : { ...error, data } };
  }
  if (message.result === undefined) throw new AegisError("UPSTREAM_PROTOCOL", "an answer without a result");
  return { kind: "result", result: withoutSubscription(message.result) };
}

/** A subscription id is the gateway's own and names nothing to this caller. */
function withoutSubscription(result: JsonObject): JsonObject {
  const meta = result["_meta"];
  if (!isJsonObject(meta) || meta[SUBSCRIPTION_ID] === undefined) return result;
  const { [SUBSCRIPTION_ID]: _own, ...rest } = meta;
  return { ...result, _meta: rest };
}

/** Line separators may stand in JSON strings, but break lines for some readers of an event stream. */
function oneLine(json: string): string {
  if (!/[\u2028\u2029]/.test(json)) return json;
  return json.replaceAll("\u2028", "\\u2028").replaceAll("\u2029", "\\u2029");
}
