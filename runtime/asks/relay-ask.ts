// A server's request on its way to a legacy client and the answer on its way back: governed in both directions, bounded
// in time, and withdrawn on both sides where either goes away. Never silence: a server always gets an answer.
import { AegisError, ERROR_CODES, isAegisError } from "#errors";
import { rewriteAsk } from "#naming";
import { isJsonObject } from "#std";
import type { JsonObject, JsonValue } from "#std";
import type { UpstreamReply } from "#upstream";
import type { AskContext } from "./ask-context.ts";
import type { AskDesk, ClientAnswer, OpenAsk } from "./ask-desk.ts";
import type { AskMethod } from "./ask.ts";
import { passesUntransformed } from "./govern-answer.ts";
import { paramsOf, refusal } from "./govern-ask.ts";
import type { AskRefusal } from "./govern-ask.ts";
import type { PendingAsk, SessionAsks } from "./session-asks.ts";

/** Names the server that asks, in `_meta` of what a client is asked. */
const META_ASKING_SERVER = "dev.aegis/server";
/** UTF-16 code units of a progress text. */
const MAX_PROGRESS_TEXT = 512;

/** The client's end. */
export interface AskedClient {
  readonly asks: SessionAsks;
  /** Puts one message on the stream that the client reads; false where there is none. */
  readonly send: (json: string) => boolean;
  /** Sends a notification to the server that asks. Must not throw. */
  readonly notifyServer: (notification: JsonObject) => void;
}

/**
 * Asks the client, and gives what the server is to be told. A refusal is an answer in-band: `decline` (or `cancel`, where
 * nobody answered) of an elicitation, a JSON-RPC error of everything else. Never rejects.
 * @param signal bounds the wait: the call's deadline and cancellation, and the server's withdrawal.
 */
export async function relayAsk(
  desk: AskDesk,
  context: AskContext,
  request: JsonObject,
  client: AskedClient,
  signal: AbortSignal,
): Promise<UpstreamReply> {
  const method = request["method"];
  try {
    if (signal.aborted) throw abortOf(signal);
    const share = client.asks.share.take(performance.now());
    if (share !== "within") {
      const over = refusal("RATE_LIMITED", "the server asks too much of this session");
      if (share === "spent") await desk.refuse(context, method, over);
      return refusedReply(method, over);
    }
    const asked = await desk.ask(context, method, request["params"]);
    if (!asked.ok) return refusedReply(method, asked.refusal);
    return await relayOpen(desk, asked, request, client, signal);
  } catch (fault) {
    const code = isAegisError(fault) ? fault.code : "STAGE_FAULT";
    return refusedReply(method, refusal(code, String(fault)));
  }
}

async function relayOpen(
  desk: AskDesk,
  open: OpenAsk,
  request: JsonObject,
  client: AskedClient,
  signal: AbortSignal,
): Promise<UpstreamReply> {
  const { method } = open.ask;
  const token = progressTokenOf(request);
  const onProgress =
    token === undefined ? undefined : progressRelay(token, client, passesUntransformed(open.context));
  const pending = client.asks.open(onProgress);
  const abandon = async (code: AskRefusal["code"], detail: string): Promise<UpstreamReply> =>
    refusedReply(method, await desk.abandon(open, code, detail), true);
  if (pending === undefined) return abandon("OVERLOADED", "too many requests wait for this client");
  try {
    // Recording takes time, in which the call may have ended: nobody is asked for nothing.
    if (signal.aborted) {
      const { code, detail } = abortOf(signal);
      return await abandon(code, detail);
    }
    const params = presentedParams(open, onProgress === undefined ? undefined : pending.id);
    if (!client.send(JSON.stringify({ jsonrpc: "2.0", id: pending.id, method, params })))
      return await abandon("STREAM_OVERFLOW", "the client has no stream for it");
    if (method === "elicitation/create")
      client.asks.noteElicitation(open.context.server.entry.id, open.ask.params["elicitationId"]);
    const withdraw = (): void => void client.send(cancelledJson(pending.id));
    const answer = await answerBefore(pending, signal, withdraw);
    if (answer === undefined) {
      const { code, detail } = abortOf(signal);
      return await abandon(code, detail);
    }
    const governed = await desk.answer(open, answer);
    return governed.kind === "refused" ? refusedReply(method, governed.refusal, true) : governed;
  } catch (fault) {
    // What was allowed has an outcome on record, whatever fails.
    if (isAegisError(fault)) return await abandon(fault.code, fault.detail);
    return await abandon("STAGE_FAULT", "the request could not be relayed");
  } finally {
    pending.close();
  }
}

/** Undefined where the signal comes first; `onWithdrawn` is called at once then, while the stream is still open. */
function answerBefore(
  pending: PendingAsk,
  signal: AbortSignal,
  onWithdrawn: () => void,
): Promise<ClientAnswer | undefined> {
  return new Promise((resolve) => {
    const onAbort = (): void => {
      onWithdrawn();
      resolve(undefined);
    };
    if (signal.aborted) return onAbort();
    signal.addEventListener("abort", onAbort, { once: true });
    void pending.answer.then((answer) => {
      signal.removeEventListener("abort", onAbort);
      resolve(answer);
    });
  });
}

function abortOf(signal: AbortSignal): AegisError {
  const reason: unknown = signal.reason;
  return isAegisError(reason) ? reason : new AegisError("EXCHANGE_DEADLINE", "nobody answered in time");
}

/**
 * What the client sees: the judged parameters, under the names that the endpoint's clients know, and who asks. At an
 * endpoint of several servers the text of an elicitation says it too, because a user sees nothing else.
 */
export function presentedParams(
  { ask, context }: Pick<OpenAsk, "ask" | "context">,
  progressToken?: string,
): JsonObject {
  const { route, server } = context;
  const meta: JsonObject = {
    [META_ASKING_SERVER]: server.entry.id,
    ...(progressToken === undefined ? {} : { progressToken }),
  };
  return { ...rewriteAsk(route, server, ask.method, ask.params), _meta: meta };
}

function progressTokenOf(request: JsonObject): string | number | undefined {
  const meta = paramsOf(request)?.["_meta"];
  const token = isJsonObject(meta) ? meta["progressToken"] : undefined;
  return typeof token === "string" || typeof token === "number" ? token : undefined;
}

function progressRelay(
  token: string | number,
  client: AskedClient,
  withText: boolean,
): (params: JsonObject) => void {
  return ({ progress, total, message }) => {
    if (typeof progress !== "number") return;
    const params: JsonObject = {
      progressToken: token,
      progress,
      ...(typeof total === "number" ? { total } : {}),
      ...(withText && typeof message === "string"
        ? { message: message.slice(0, MAX_PROGRESS_TEXT).toWellFormed() }
        : {}),
    };
    client.notifyServer({ jsonrpc: "2.0", method: "notifications/progress", params });
  };
}

function cancelledJson(requestId: string): string {
  const params = { requestId, reason: "the request is no longer waited for" };
  return JSON.stringify({ jsonrpc: "2.0", method: "notifications/cancelled", params });
}

const METHOD_NOT_FOUND = -32601;

/** What a server is told of a refused ask. `isAsked`: the client had been asked, or could have been. */
export function refusedReply(
  method: JsonValue | undefined,
  { code, isUndeclared }: AskRefusal,
  isAsked = false,
): UpstreamReply {
  if (isUndeclared || code === "METHOD_UNKNOWN")
    return { kind: "error", error: { code: METHOD_NOT_FOUND, message: "Method not found" } };
  if (method === ("elicitation/create" satisfies AskMethod))
    return { kind: "result", result: { action: isAsked ? "cancel" : "decline" } };
  const { jsonrpc } = ERROR_CODES.SERVER_REQUEST_DENIED;
  return { kind: "error", error: { code: jsonrpc, message: ERROR_CODES[code].message } };
}
