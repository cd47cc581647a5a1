// `input_required` (MCP 2026-07-28): an answer that carries requests of the server, and the retry that carries what the
// client says to them. Every entry is governed as a request of its own, in both directions.
import { AegisError, ERROR_CODES, isAegisError, requestFault } from "#errors";
import { META_CLIENT_CAPABILITIES } from "#mcp";
import type { Sealer } from "#sealing";
import { isJsonObject } from "#std";
import type { JsonObject, JsonValue } from "#std";
import type { Admitted, Answer, Answered, Targeted } from "../pipeline/exchange.ts";
import type { Denial } from "../pipeline/verdict.ts";
import { callerOf } from "./ask-context.ts";
import type { AskContext } from "./ask-context.ts";
import { abandonAll } from "./ask-desk.ts";
import type { AskDesk, OpenAsk } from "./ask-desk.ts";
import { askArguments } from "./ask.ts";
import type { Ask } from "./ask.ts";
import { transformFor } from "./govern-ask.ts";
import type { AskRefusal } from "./govern-ask.ts";
import { isDeclared } from "./client-capabilities.ts";
import { presentedParams } from "./relay-ask.ts";
import { MAX_UPSTREAM_STATE_CHARS, openRequestState, sealRequestState } from "./request-state.ts";
import type { RememberedAsk, StatedCall } from "./request-state.ts";

/** Methods whose answer may ask for input. */
export const ASKING_METHODS: ReadonlySet<string> = new Set(["prompts/get", "resources/read", "tools/call"]);
/** Entries of one answer; of one retry, extra ones included, which are ignored. */
const MAX_INPUT_REQUESTS = 16;
const MAX_INPUT_RESPONSES = 64;
/** UTF-16 code units of the key of an entry. */
const MAX_KEY_CHARS = 256;

export interface InputRounds {
  /** The answer as the client may have it, or why it may not. Rejects where a decision cannot be recorded. */
  readonly govern: (exchange: Answered, result: JsonObject, signal: AbortSignal) => Promise<GovernedInput>;
  /**
   * What a retry carries, as the server may have it; undefined where the message is no retry.
   * @throws {AegisError} REQUEST_STATE_INVALID, ASK_ANSWER_INVALID, POLICY_DENIED and what else refuses an answer
   */
  readonly retried: (exchange: Targeted, signal: AbortSignal) => Promise<RetriedInput> | undefined;
  /**
   * Decides what a legacy server asks together with an answer that came with the call, and records both. Undefined where
   * a transform covers the call: what may be said of an ask is then known only when it has been transformed.
   */
  readonly ahead: (
    exchange: Targeted,
    signal: AbortSignal,
  ) => ((ask: Ahead, answer: JsonObject) => Promise<AheadReply | undefined>) | undefined;
}

interface Ahead {
  readonly method: string;
  readonly params: JsonObject;
}

interface AheadReply {
  readonly kind: "result";
  readonly result: JsonObject;
}

export type GovernedInput =
  { readonly ok: true; readonly answer: Answer } | { readonly ok: false; readonly denial: Denial };

export interface RetriedInput {
  /** Members of `params` for the server. */
  readonly params: JsonObject;
  /** Decision ids of what is answered. */
  readonly answers: readonly string[];
}

export function createInputRounds(desk: AskDesk, sealer: Sealer): InputRounds {
  return {
    govern: async (exchange, result, signal) => {
      const context = contextOf(exchange, signal);
      const call = callOf(exchange);
      const entries = readEntries(result);
      const seal = (asks: ReadonlyMap<string, RememberedAsk>): string =>
        sealRequestState(sealer, bindingOf(exchange), call, { upstream: entries.state, asks });
      const asked = await askAll(desk, context, entries.requests, seal);
      if (!asked.ok) return { ok: false, denial: denialOf(asked.refusal) };
      const { opened, requestState } = asked;
      const inputRequests = Object.fromEntries(
        opened.map(([key, open]) => [key, { method: open.ask.method, params: presentedParams(open) }]),
      );
      for (const [, open] of opened) await desk.deliver(open);
      const governed: JsonObject = {
        resultType: "input_required",
        ...(opened.length === 0 ? {} : { inputRequests }),
        requestState,
      };
      return { ok: true, answer: { kind: "result", result: governed, isAsking: true, asked: result } };
    },
    retried: (exchange, signal) => {
      const params = exchange.message.kind === "request" ? exchange.message.params : undefined;
      if (params?.["inputResponses"] === undefined && params?.["requestState"] === undefined)
        return undefined;
      return readRetry(desk, sealer, exchange, params, signal);
    },
    ahead: (exchange, signal) => {
      const context = contextOf(exchange, signal);
      if (transformFor(context) !== undefined) return undefined;
      return async ({ method, params }, answer) => {
        const open = await desk.ask(context, method, params);
        if (!open.ok) return undefined;
        const governed = await desk.answer(open, { kind: "result", result: answer });
        return governed.kind === "result" ? governed : undefined;
      };
    },
  };
}

type AskedEntries =
  | {
      readonly ok: true;
      readonly opened: readonly (readonly [string, OpenAsk])[];
      readonly requestState: string;
    }
  | { readonly ok: false; readonly refusal: AskRefusal };

/**
 * Decides every entry and seals the state. Where that fails for one, none is asked, and so it is recorded of those that
 * were decided before it.
 */
async function askAll(
  desk: AskDesk,
  context: AskContext,
  requests: InputEntries["requests"],
  seal: (asks: ReadonlyMap<string, RememberedAsk>) => string,
): Promise<AskedEntries> {
  const opened: (readonly [string, OpenAsk])[] = [];
  const abandon = (code: AskRefusal["code"], detail: string): Promise<void> => {
    const asks = opened.splice(0).map(([, open]) => open);
    return abandonAll(desk, asks, code, detail);
  };
  try {
    for (const [key, { method, params }] of requests) {
      const open = await desk.ask(context, method, params);
      if (!open.ok) {
        await abandon("SERVER_REQUEST_DENIED", "asked together with what is refused");
        return { ok: false, refusal: open.refusal };
      }
      opened.push([key, open]);
    }
    const requestState = seal(new Map(opened.map(([key, open]) => [key, remember(open)])));
    context.signal.throwIfAborted();
    return { ok: true, opened, requestState };
  } catch (fault) {
    const code = isAegisError(fault) ? fault.code : "STAGE_FAULT";
    await abandon(code, "what the server asks could not be sent");
    throw fault;
  }
}

/** A state serves at the endpoint that it was given at, for the caller that it was given to. */
function bindingOf({ principal, route }: Targeted): string {
  return JSON.stringify([principal.bindingKey, route.entry.path]);
}

interface InputEntries {
  readonly requests: readonly (readonly [string, JsonObject])[];
  readonly state: string | undefined;
}

function readEntries({ inputRequests, requestState }: JsonObject): InputEntries {
  if (requestState !== undefined && typeof requestState !== "string")
    throw broken("requestState is no string");
  if (requestState !== undefined && requestState.length > MAX_UPSTREAM_STATE_CHARS)
    throw new AegisError(
      "RESULT_TOO_LARGE",
      "the server's requestState is too long to be carried by a client",
    );
  const requests = inputRequests ?? {};
  if (!isJsonObject(requests)) throw broken("inputRequests is not an object");
  const entries = Object.entries(requests);
  // Nothing to answer and nothing to bring back: a retry would be the same request for ever.
  if (entries.length === 0 && requestState === undefined) throw broken("neither requests nor state");
  if (entries.length > MAX_INPUT_REQUESTS) throw broken("more inputRequests than a client is asked at once");
  const read = entries.map(([key, request]): readonly [string, JsonObject] => {
    if (!isJsonObject(request) || key.length > MAX_KEY_CHARS || key === "__proto__")
      throw broken("a malformed entry of inputRequests");
    return [key, request];
  });
  return { requests: read, state: requestState };
}

function broken(detail: string): AegisError {
  return new AegisError("UPSTREAM_PROTOCOL", `input_required: ${detail}`);
}

function remember({ id, ask }: OpenAsk): RememberedAsk {
  return { id, ask, arguments: askArguments(ask) };
}

/** The whole answer is refused with its first entry that is: a client cannot be asked half of it. */
function denialOf({ code, detail, policies, isUndeclared }: AskRefusal): Denial {
  const reason = isUndeclared
    ? "the server asks for what the client did not declare"
    : `the server asks for something that is refused: ${ERROR_CODES[code].message}`;
  return {
    code: "SERVER_REQUEST_DENIED",
    detail: `${code}: ${detail}`,
    reason,
    data: { policies: [...policies] },
  };
}

async function readRetry(
  desk: AskDesk,
  sealer: Sealer,
  exchange: Targeted,
  params: JsonObject,
  signal: AbortSignal,
): Promise<RetriedInput> {
  const { inputResponses, requestState } = params;
  if (exchange.era !== "modern" || !ASKING_METHODS.has(exchange.method.method))
    throw requestFault("MESSAGE_INVALID", "inputResponses and requestState mean nothing here");
  const responses = readResponses(inputResponses);
  const context = contextOf(exchange, signal);
  if (requestState === undefined) return unstated(desk, context, responses);
  const { upstream, asks } = openRequestState(sealer, bindingOf(exchange), callOf(exchange), requestState);
  const answers: string[] = [];
  const governed: Record<string, JsonValue> = {};
  for (const [key, response] of responses) {
    const asked = asks.get(key);
    // What nobody asked for is ignored, as the protocol has it, and here: not passed on.
    if (asked === undefined) continue;
    const verdict = await desk.returned(context, asked.ask, response, asked.arguments);
    if (!verdict.ok) throw refusedAnswer(verdict.refusal);
    governed[key] = verdict.result;
    answers.push(asked.id);
  }
  const state = upstream === undefined ? {} : { requestState: upstream };
  return { params: { ...withResponses(inputResponses, governed), ...state }, answers };
}

function readResponses(responses: JsonValue | undefined): readonly (readonly [string, JsonValue])[] {
  if (responses === undefined) return [];
  if (!isJsonObject(responses)) throw new AegisError("ASK_ANSWER_INVALID", "inputResponses is not an object");
  const entries = Object.entries(responses);
  if (entries.length > MAX_INPUT_RESPONSES || entries.some(([key]) => key === "__proto__"))
    throw new AegisError("ASK_ANSWER_INVALID", "more inputResponses than were asked for");
  return entries;
}

function withResponses(asked: JsonValue | undefined, governed: JsonObject): JsonObject {
  return asked === undefined ? {} : { inputResponses: governed };
}

function refusedAnswer({ code, detail, policies }: AskRefusal): AegisError {
  return new AegisError(code, detail, { data: { policies: [...policies] } });
}

/**
 * Answers without the state that says what was asked are judged by what they say: a form by its own fields, roots one by
 * one. What cannot be judged so is left out; the server then asks for it.
 */
async function unstated(
  desk: AskDesk,
  context: AskContext,
  responses: readonly (readonly [string, JsonValue])[],
): Promise<RetriedInput> {
  const governed: Record<string, JsonValue> = {};
  for (const [key, response] of responses) {
    const ask = askThatFits(response);
    if (ask === undefined || !isDeclared(context.capabilities, ask)) continue;
    const verdict = await desk.returned(context, ask, response);
    if (verdict.ok) governed[key] = verdict.result;
  }
  return { params: { inputResponses: governed }, answers: [] };
}

function askThatFits(response: JsonValue): Ask | undefined {
  if (!isJsonObject(response)) return undefined;
  if (Array.isArray(response["roots"])) return { method: "roots/list", params: {} };
  const { action, content } = response;
  if (typeof action !== "string") return undefined;
  const fields = Object.entries(isJsonObject(content) ? content : {}).map(
    ([name, value]): [string, JsonValue] => [name, schemaOf(value)],
  );
  const properties = Object.fromEntries(fields);
  const requestedSchema = { type: "object", properties };
  return { method: "elicitation/create", params: { mode: "form", message: "", requestedSchema } };
}

function schemaOf(value: JsonValue): JsonObject {
  return Array.isArray(value) ? { type: "array", items: { type: "string" } } : { type: typeof value };
}

function callOf({ message, method, target }: Targeted): StatedCall {
  const params = message.kind === "request" ? message.params : undefined;
  if (target.kind !== "leaf") throw new AegisError("STAGE_FAULT", "a call of no server in particular");
  return { server: target.server.entry.id, method: method.method, params: params ?? {} };
}

function contextOf(exchange: Targeted, signal: AbortSignal): AskContext {
  const { snapshot, route, target, id } = exchange;
  if (target.kind !== "leaf") throw new AegisError("STAGE_FAULT", "a call of no server in particular");
  return {
    ...{ snapshot, route, signal },
    server: target.server,
    caller: callerOf(exchange),
    capabilities: declaredBy(exchange),
    during: id,
    action: target.action,
  };
}

/** What the client says of itself: in each message (modern), or once for its session. */
export function declaredBy({ message, session }: Pick<Admitted, "message" | "session">): JsonObject {
  if (session !== undefined) return session.clientCapabilities;
  const meta = message.kind === "response" ? undefined : message.params?.["_meta"];
  const declared = isJsonObject(meta) ? meta[META_CLIENT_CAPABILITIES] : undefined;
  return isJsonObject(declared) ? declared : {};
}
