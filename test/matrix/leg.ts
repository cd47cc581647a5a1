// One client connection in one era, whatever carries it: a request in, its answer out, and in between whatever the
// server asks of the client, answered by `answerAsk`. Written against the wire, so that all legs behave alike.
import type { JsonObject } from "#std";

export type Era = "legacy" | "modern";
export type TransportName = "http" | "sse" | "websocket" | "stdio";

/** What a server asks of its client: a request of its own (legacy), or one entry of `inputRequests` (modern). */
export interface Ask {
  readonly method: string;
  readonly params: JsonObject;
}

export interface Answer {
  readonly result?: JsonObject;
  readonly error?: { readonly code: number; readonly message: string; readonly data?: JsonObject };
  /** What was asked meanwhile, in order. */
  readonly asks: readonly Ask[];
}

export type AnswerAsk = (ask: Ask) => JsonObject;

export interface Leg {
  readonly transport: TransportName;
  readonly era: Era;
  readonly request: (method: string, params: JsonObject, answerAsk?: AnswerAsk) => Promise<Answer>;
  readonly notify: (method: string, params: JsonObject) => Promise<void>;
  /** Notifications that came, in order. */
  readonly received: readonly JsonObject[];
  readonly close: () => Promise<void>;
}

/** Everything a client can be asked for. */
export const CAPABILITIES: JsonObject = {
  sampling: {},
  elicitation: { form: {}, url: {} },
  roots: { listChanged: true },
};

export const CLIENT_INFO: JsonObject = { name: "matrix", version: "1.0.0" };
export const LEGACY_VERSION = "2025-11-25";
export const MODERN_VERSION = "2026-07-28";

export const REFUSE_ASK: AnswerAsk = (ask) => {
  throw new Error(`nothing was expected to be asked, but ${ask.method} was`);
};

export function envelope(): JsonObject {
  return {
    "io.modelcontextprotocol/protocolVersion": MODERN_VERSION,
    "io.modelcontextprotocol/clientInfo": CLIENT_INFO,
    "io.modelcontextprotocol/clientCapabilities": {
      sampling: {},
      elicitation: { form: {}, url: {} },
      roots: {},
    },
  };
}
