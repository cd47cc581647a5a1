// The four transports as legs: Streamable HTTP in both eras, HTTP+SSE, WebSocket, and the pipes of a process.
import { spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";
import { createParser } from "eventsource-parser";
import { WebSocket } from "ws";
import type { JsonObject } from "#std";
import { CAPABILITIES, CLIENT_INFO, LEGACY_VERSION, MODERN_VERSION, REFUSE_ASK } from "./leg.ts";
import type { Answer, AnswerAsk, Ask, Era, Leg } from "./leg.ts";
import { messageLeg, withRounds } from "./message-leg.ts";

const ACCEPT = "application/json, text/event-stream";

function headersOf(token: string, more: Readonly<Record<string, string>> = {}): Record<string, string> {
  return { "content-type": "application/json", accept: ACCEPT, authorization: `Bearer ${token}`, ...more };
}

/** The messages of a response, JSON or events, as they come. */
async function* messagesOf(response: Response): AsyncGenerator<JsonObject> {
  if (!(response.headers.get("content-type") ?? "").startsWith("text/event-stream")) {
    const text = await response.text();
    if (text !== "") yield JSON.parse(text) as JsonObject;
    return;
  }
  const queue: JsonObject[] = [];
  const parser = createParser({
    onEvent: ({ data }) => {
      if (data !== "") queue.push(JSON.parse(data) as JsonObject);
    },
  });
  const decoder = new TextDecoder();
  for await (const chunk of response.body ?? []) {
    parser.feed(decoder.decode(chunk as Uint8Array, { stream: true }));
    yield* queue.splice(0);
  }
}

function post(url: URL, headers: Record<string, string>, message: JsonObject): Promise<Response> {
  return fetch(url, {
    method: "POST",
    headers,
    body: JSON.stringify(message),
    signal: AbortSignal.timeout(20_000),
  });
}

async function legacyHttp(url: URL, token: string): Promise<Leg> {
  let headers = headersOf(token);
  const received: JsonObject[] = [];
  let lastId = 0;
  const exchange = async (method: string, params: JsonObject, answerAsk: AnswerAsk): Promise<Answer> => {
    lastId += 1;
    const id = lastId;
    const response = await post(url, headers, { jsonrpc: "2.0", id, method, params });
    const session = response.headers.get("mcp-session-id");
    if (session !== null)
      headers = headersOf(token, { "mcp-session-id": session, "mcp-protocol-version": LEGACY_VERSION });
    const asks: Ask[] = [];
    for await (const message of messagesOf(response)) {
      if (message["id"] === id && message["method"] === undefined)
        return { ...(message as Pick<Answer, "result" | "error">), asks };
      if (typeof message["method"] !== "string") continue;
      if (message["id"] === undefined) {
        received.push(message);
        continue;
      }
      const ask: Ask = { method: message["method"], params: (message["params"] ?? {}) as JsonObject };
      asks.push(ask);
      const answer = await post(url, headers, { jsonrpc: "2.0", id: message["id"], result: answerAsk(ask) });
      if (answer.status !== 202) throw new Error(`a posted answer got ${String(answer.status)}`);
    }
    throw new Error(`${method}: the response ended without an answer (${String(response.status)})`);
  };
  await exchange(
    "initialize",
    { protocolVersion: LEGACY_VERSION, capabilities: CAPABILITIES, clientInfo: CLIENT_INFO },
    REFUSE_ASK,
  );
  await post(url, headers, { jsonrpc: "2.0", method: "notifications/initialized" });
  return {
    ...{ transport: "http", era: "legacy" },
    request: (method, params, answerAsk = REFUSE_ASK) => exchange(method, params, answerAsk),
    notify: async (method, params) => void (await post(url, headers, { jsonrpc: "2.0", method, params })),
    received,
    close: async () => void (await fetch(url, { method: "DELETE", headers })),
  };
}

function modernHttp(url: URL, token: string): Leg {
  const received: JsonObject[] = [];
  let lastId = 0;
  const modernHeaders = (method: string, name?: string): Record<string, string> =>
    headersOf(token, {
      "mcp-protocol-version": MODERN_VERSION,
      "mcp-method": method,
      ...(name === undefined ? {} : { "mcp-name": name }),
    });
  const send = async (method: string, params: JsonObject): Promise<Answer> => {
    lastId += 1;
    const id = lastId;
    const name = params["name"] ?? params["uri"];
    const headers = modernHeaders(method, typeof name === "string" ? name : undefined);
    const response = await post(url, headers, { jsonrpc: "2.0", id, method, params });
    for await (const message of messagesOf(response)) {
      if (message["id"] === id) return { ...(message as Pick<Answer, "result" | "error">), asks: [] };
      received.push(message);
    }
    throw new Error(`${method}: the response ended without an answer (${String(response.status)})`);
  };
  return {
    ...{ transport: "http", era: "modern" },
    request: (method, params, answerAsk = REFUSE_ASK) =>
      withRounds((all) => send(method, all), params, answerAsk),
    notify: async (method, params) =>
      void (await post(url, modernHeaders(method), { jsonrpc: "2.0", method, params })),
    received,
    close: () => Promise.resolve(),
  };
}

async function sseLeg(url: URL, token: string): Promise<Leg> {
  const stopping = new AbortController();
  const stream = await fetch(new URL(`${url.pathname}/sse`, url), {
    headers: { accept: "text/event-stream", authorization: `Bearer ${token}` },
    signal: stopping.signal,
  });
  if (stream.status !== 200) throw new Error(`HTTP+SSE: ${String(stream.status)}`);
  let listener: (message: JsonObject) => void = () => undefined;
  const { promise: endpoint, resolve } = Promise.withResolvers<URL>();
  const parser = createParser({
    onEvent: ({ event, data }) => {
      if (event === "endpoint") resolve(new URL(data, stream.url));
      else if (data !== "") listener(JSON.parse(data) as JsonObject);
    },
  });
  const decoder = new TextDecoder();
  const read = async (): Promise<void> => {
    for await (const chunk of stream.body ?? [])
      parser.feed(decoder.decode(chunk as Uint8Array, { stream: true }));
  };
  read().catch(() => undefined);
  const target = await endpoint;
  return messageLeg(
    "sse",
    "legacy",
    {
      send: async (message) => {
        const { status } = await post(target, headersOf(token), message);
        if (status !== 202) throw new Error(`HTTP+SSE POST: ${String(status)}`);
      },
      onMessage: (given) => {
        listener = given;
      },
      close: () => Promise.resolve(stopping.abort()),
    },
    "2024-11-05",
  );
}

async function webSocketLeg(url: URL, token: string, era: Era): Promise<Leg> {
  const address = new URL(url);
  address.protocol = "ws:";
  const socket = new WebSocket(address, "mcp", { headers: { authorization: `Bearer ${token}` } });
  await once(socket, "open");
  return messageLeg("websocket", era, {
    send: (message) => socket.send(JSON.stringify(message)),
    onMessage: (listener) =>
      void socket.on("message", (data: Buffer) => listener(JSON.parse(data.toString("utf8")) as JsonObject)),
    close: async () => {
      socket.close();
      await once(socket, "close");
    },
  });
}

/** A gateway as a local server: `command` with `--stdio`. */
export interface StdioCommand {
  readonly command: string;
  readonly args: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
}

export async function stdioLeg(program: StdioCommand, era: Era): Promise<Leg> {
  const child = spawn(program.command, [...program.args], {
    stdio: ["pipe", "pipe", "inherit"],
    env: { ...process.env, ...program.env },
  });
  const lines = createInterface({ input: child.stdout });
  return messageLeg("stdio", era, {
    send: (message) => void child.stdin.write(`${JSON.stringify(message)}\n`),
    onMessage: (listener) => void lines.on("line", (line) => listener(JSON.parse(line) as JsonObject)),
    close: async () => {
      child.stdin.end();
      if (child.exitCode === null) await once(child, "exit");
    },
  });
}

/** Opens a leg to an endpoint over the network. HTTP+SSE has a legacy era only. */
export function openLeg(
  transport: "http" | "sse" | "websocket",
  era: Era,
  url: URL,
  token: string,
): Promise<Leg> {
  if (transport === "sse") return sseLeg(url, token);
  if (transport === "websocket") return webSocketLeg(url, token, era);
  return era === "legacy" ? legacyHttp(url, token) : Promise.resolve(modernHttp(url, token));
}
