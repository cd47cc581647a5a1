// A leg over anything that carries messages both ways (WebSocket, stdio, HTTP+SSE): requests by id, asks answered.
import { isJsonObject } from "#std";
import type { JsonObject } from "#std";
import { CAPABILITIES, CLIENT_INFO, LEGACY_VERSION, REFUSE_ASK, envelope } from "./leg.ts";
import type { Answer, AnswerAsk, Ask, Era, Leg, TransportName } from "./leg.ts";

export interface MessageLink {
  readonly send: (message: JsonObject) => Promise<void> | void;
  readonly onMessage: (listener: (message: JsonObject) => void) => void;
  readonly close: () => Promise<void>;
}

const WAIT_MS = 20_000;
const MAX_ROUNDS = 5;

interface Waiting {
  readonly settle: (message: JsonObject) => void;
  readonly answerAsk: AnswerAsk;
  readonly asks: Ask[];
}

/** Opens the leg: the handshake of the legacy era, nothing in the modern. */
export async function messageLeg(
  transport: TransportName,
  era: Era,
  link: MessageLink,
  protocolVersion = LEGACY_VERSION,
): Promise<Leg> {
  const waiting = new Map<number, Waiting>();
  const received: JsonObject[] = [];
  let lastId = 0;
  let failure: Error | undefined;
  link.onMessage((message) => {
    const { id, method } = message;
    if (typeof method !== "string") {
      if (typeof id === "number") waiting.get(id)?.settle(message);
      return;
    }
    if (id === undefined) {
      received.push(message);
      return;
    }
    const [current] = waiting.values();
    const ask: Ask = { method, params: isJsonObject(message["params"]) ? message["params"] : {} };
    try {
      if (method === "ping") return void link.send({ jsonrpc: "2.0", id, result: {} });
      if (current === undefined) throw new Error(`${method} outside any request`);
      current.asks.push(ask);
      void link.send({ jsonrpc: "2.0", id, result: current.answerAsk(ask) });
    } catch (error) {
      failure = error as Error;
      void link.send({ jsonrpc: "2.0", id, error: { code: -32603, message: "refused by the test" } });
    }
  });
  const exchange = async (method: string, params: JsonObject, answerAsk: AnswerAsk): Promise<Answer> => {
    lastId += 1;
    const id = lastId;
    const asks: Ask[] = [];
    const settled = new Promise<JsonObject>((resolve, reject) => {
      const timer = setTimeout(() => reject(new Error(`${method} over ${transport}: no answer`)), WAIT_MS);
      const settle = (message: JsonObject): void => {
        clearTimeout(timer);
        resolve(message);
      };
      waiting.set(id, { settle, answerAsk, asks });
    });
    await link.send({ jsonrpc: "2.0", id, method, params });
    const message = await settled.finally(() => waiting.delete(id));
    if (failure !== undefined) throw failure;
    return { ...(message as Pick<Answer, "result" | "error">), asks };
  };
  if (era === "legacy") {
    await exchange(
      "initialize",
      { protocolVersion, capabilities: CAPABILITIES, clientInfo: CLIENT_INFO },
      REFUSE_ASK,
    );
    await link.send({ jsonrpc: "2.0", method: "notifications/initialized" });
  }
  return {
    transport,
    era,
    request: (method, params, answerAsk = REFUSE_ASK) =>
      era === "legacy"
        ? exchange(method, params, answerAsk)
        : withRounds((all) => exchange(method, all, REFUSE_ASK), params, answerAsk),
    notify: async (method, params) => {
      await link.send({ jsonrpc: "2.0", method, params });
    },
    received,
    close: link.close,
  };
}

/** Answers `input_required` and asks again, as a modern client does (MCP 2026-07-28, multi round-trip requests). */
export async function withRounds(
  send: (params: JsonObject) => Promise<Answer>,
  params: JsonObject,
  answerAsk: AnswerAsk,
): Promise<Answer> {
  const asks: Ask[] = [];
  let retry: JsonObject = {};
  for (let round = 0; round < MAX_ROUNDS; round++) {
    const meta = isJsonObject(params["_meta"]) ? params["_meta"] : {};
    const answer = await send({ ...params, ...retry, _meta: { ...meta, ...envelope() } });
    if (answer.result?.["resultType"] !== "input_required") return { ...answer, asks };
    const { inputRequests, requestState } = answer.result;
    const responses: Record<string, JsonObject> = {};
    for (const [key, entry] of Object.entries(isJsonObject(inputRequests) ? inputRequests : {})) {
      if (!isJsonObject(entry)) throw new Error(`an input request that is no object: ${key}`);
      const ask: Ask = {
        method: String(entry["method"]),
        params: isJsonObject(entry["params"]) ? entry["params"] : {},
      };
      asks.push(ask);
      responses[key] = answerAsk(ask);
    }
    retry = { inputResponses: responses, ...(requestState === undefined ? {} : { requestState }) };
  }
  throw new Error(`still asked for input after ${MAX_ROUNDS} rounds`);
}
