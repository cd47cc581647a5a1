// A legacy MCP server by hand, whose tools do with the client what the SDK has no way to do: withdraw a request, ask under
// a progress token, say that a URL was visited. It keeps what reached it.
import { once } from "node:events";
import type { IncomingMessage, ServerResponse } from "node:http";
import { serveOnLoopback } from "./loopback.ts";

export interface Received {
  readonly id?: string | number;
  readonly method?: string;
  readonly params?: Readonly<Record<string, unknown>>;
  readonly result?: Readonly<Record<string, unknown>>;
  readonly error?: { readonly code: number; readonly message: string };
}

export interface AskingLegacyServer {
  readonly url: string;
  /** Everything but lists and the handshake, in order. */
  readonly received: readonly Received[];
  /** Waits for a message. @throws after 10 s */
  readonly until: (matches: (message: Received) => boolean) => Promise<Received>;
  /** Puts a message, which belongs to no call, on the general stream that was opened last. False where there is none. */
  readonly push: (message: object) => boolean;
  /** What the client was declared to be able to do. */
  readonly declared: () => unknown;
  readonly close: () => Promise<void>;
}

export const VISIT = "https://visit.example.com/start";
const FORM = { type: "object", properties: { word: { type: "string" } } };
const ELICIT = { mode: "form", message: "Which word?", requestedSchema: FORM };
/** Of requests that belong to no call. */
export const ELICIT_ALONE = { jsonrpc: "2.0", method: "elicitation/create", params: ELICIT };
const TOOLS = ["elicit", "withdraw", "visit", "visit_first", "ping", "unknown", "leave"];
const PATIENCE_MS = 10_000;

interface Call {
  readonly id: string | number;
  /** Puts a message on the stream of the call. */
  readonly send: (message: object) => void;
  /** Sends a request, under an id that begins as given, and waits for what comes back. */
  readonly ask: (id: string, method: string, params: object) => Promise<Received>;
  readonly finish: (text: string) => void;
  readonly until: AskingLegacyServer["until"];
}

/** Calls of `leave`, which answers before it has its own answer. */
let left = 0;

const isProgress = ({ method }: Received): boolean => method === "notifications/progress";

const BEHAVIOUR: Readonly<Record<string, (call: Call) => Promise<void>>> = {
  elicit: async ({ ask, finish }) => {
    const answer = await ask("e", "elicitation/create", { ...ELICIT, _meta: { progressToken: "own" } });
    finish(JSON.stringify(answer.result ?? answer.error));
  },
  withdraw: async ({ send, finish, until }) => {
    const params = { ...ELICIT, _meta: { progressToken: "own" } };
    send({ jsonrpc: "2.0", id: "w-1", method: "elicitation/create", params });
    await until(isProgress);
    send({ jsonrpc: "2.0", method: "notifications/cancelled", params: { requestId: "w-1" } });
    finish("withdrawn");
  },
  visit: async ({ send, ask, finish }) => {
    const params = { mode: "url", message: "Please visit", url: VISIT, elicitationId: "visit-1" };
    const answer = await ask("v", "elicitation/create", params);
    for (const elicitationId of ["somebody-else", "visit-1"])
      send({ jsonrpc: "2.0", method: "notifications/elicitation/complete", params: { elicitationId } });
    finish(JSON.stringify(answer.result ?? answer.error));
  },
  visit_first: ({ id, send }) => {
    const elicitations = [{ mode: "url", message: "First visit", url: VISIT, elicitationId: "visit-2" }];
    const error = { code: -32042, message: "visit first", data: { elicitations, note: "unjudged" } };
    send({ jsonrpc: "2.0", id, error });
    return Promise.resolve();
  },
  leave: ({ send, finish }) => {
    send({ jsonrpc: "2.0", id: `l-${String((left += 1))}`, method: "elicitation/create", params: ELICIT });
    finish("gone");
    return Promise.resolve();
  },
  ping: async ({ ask, finish }) => finish(JSON.stringify((await ask("p", "ping", {})).result)),
  unknown: async ({ ask, finish }) => finish(JSON.stringify((await ask("u", "vendor/steal", {})).error)),
};

export async function startAskingLegacyServer(): Promise<AskingLegacyServer> {
  const received: Received[] = [];
  let declared: unknown;
  let asks = 0;
  const streams = new Set<ServerResponse>();
  let changed = Promise.withResolvers<undefined>();
  const until: AskingLegacyServer["until"] = async (matches) => {
    const due = AbortSignal.timeout(PATIENCE_MS);
    for (;;) {
      const found = received.find(matches);
      if (found !== undefined) return found;
      if (due.aborted) throw new Error(`nothing came: ${JSON.stringify(received)}`);
      await Promise.race([changed.promise, once(due, "abort")]);
    }
  };
  const answer = (response: ServerResponse, id: unknown, result: object): void =>
    void response
      .writeHead(200, { "content-type": "application/json", "mcp-session-id": "by-hand" })
      .end(JSON.stringify({ jsonrpc: "2.0", id, result }));
  const call = (message: Received, response: ServerResponse): Promise<void> => {
    response.writeHead(200, { "content-type": "text/event-stream" });
    const { id = 0, params } = message;
    const send = (sent: object): void => void response.write(`data: ${JSON.stringify(sent)}\n\n`);
    const ask: Call["ask"] = (prefix, method, asked) => {
      asks += 1;
      const own = `${prefix}-${String(asks)}`;
      send({ jsonrpc: "2.0", id: own, method, params: asked });
      return until((other) => other.id === own && other.method === undefined);
    };
    const finish = (text: string): void =>
      send({ jsonrpc: "2.0", id, result: { content: [{ type: "text", text }] } });
    const behave = BEHAVIOUR[String(params?.["name"])];
    return Promise.resolve(behave?.({ id, send, ask, finish, until })).then(() => void response.end());
  };
  const handle = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    if (request.method === "GET") {
      streams.add(response);
      response.once("close", () => streams.delete(response));
      return void response.writeHead(200, { "content-type": "text/event-stream" }).flushHeaders();
    }
    if (request.method !== "POST") return void response.writeHead(405).end();
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk as Buffer);
    const message = JSON.parse(Buffer.concat(chunks).toString("utf8")) as Received;
    switch (message.method) {
      case "initialize":
        declared = message.params?.["capabilities"];
        return answer(response, message.id, {
          protocolVersion: "2025-11-25",
          capabilities: { tools: {} },
          serverInfo: { name: "by-hand", version: "1" },
        });
      case "tools/list":
        return answer(response, message.id, {
          tools: TOOLS.map((name) => ({ name, inputSchema: { type: "object" } })),
        });
      case "tools/call":
        return call(message, response);
      case "server/discover":
        return void response.writeHead(400).end();
      default:
        received.push(message);
        changed.resolve(undefined);
        changed = Promise.withResolvers();
        return void response.writeHead(202).end();
    }
  };
  const { origin, close } = await serveOnLoopback(handle);
  return {
    url: `${origin}/mcp`,
    received,
    until,
    push: (message) => {
      const last = [...streams].at(-1);
      last?.write(`data: ${JSON.stringify(message)}\n\n`);
      return last !== undefined;
    },
    declared: () => declared,
    close,
  };
}
