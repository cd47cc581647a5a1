// A minimal MCP server of both eras on node:http, without an SDK: cheap enough to stand behind a load test, and it
// remembers what reached it. Tools: `echo {text}`, `wait {ms}`, `regional {region}` (region mirrored in a header).
// Usage: node echo.ts [--port 0]   one JSON line on stdout when it is ready; GET /calls answers with the counters
import { createServer } from "node:http";
import type { IncomingHttpHeaders, IncomingMessage, ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { pathToFileURL } from "node:url";
import { parseArgs } from "node:util";

export interface CapturedRequest {
  readonly headers: IncomingHttpHeaders;
  readonly body: string;
}

export interface EchoCounters {
  /** Tool calls that arrived. */
  readonly total: number;
  /** `wait` calls under way. */
  readonly waiting: number;
  /** `wait` calls whose caller gave up: the connection closed or `notifications/cancelled` came. */
  readonly cancelled: number;
}

export interface EchoServer {
  /** Of the MCP endpoint. */
  readonly url: string;
  readonly counters: () => EchoCounters;
  /** The texts that `echo` was called with, in order; empty unless `capture`. */
  readonly texts: () => readonly string[];
  /** Every request that arrived; empty unless `capture`. */
  readonly requests: () => readonly CapturedRequest[];
  readonly close: () => Promise<void>;
}

export interface EchoOptions {
  /** 0 = any free port. */
  readonly port?: number;
  /** Keeps requests for inspection; off, memory stays flat under load. */
  readonly capture?: boolean;
}

interface Message {
  readonly id?: string | number;
  readonly method?: string;
  readonly params?: {
    readonly name?: string;
    readonly arguments?: { readonly text?: string; readonly ms?: number; readonly region?: string };
    readonly requestId?: string | number;
  };
}

const INFO = { name: "echo", version: "1.0.0" };
const CAPABILITIES = { tools: {} };
const MODERN = "2026-07-28";
const MAX_WAIT_MS = 60_000;
const TOOLS = [
  {
    name: "echo",
    description: "Answers with the text it was given.",
    inputSchema: { type: "object", properties: { text: { type: "string" } }, required: ["text"] },
  },
  {
    name: "wait",
    description: "Answers after some milliseconds.",
    inputSchema: { type: "object", properties: { ms: { type: "integer" } }, required: ["ms"] },
  },
  {
    name: "regional",
    description: "Names the region it ran in.",
    inputSchema: {
      type: "object",
      properties: { region: { type: "string", "x-mcp-header": "Region" } },
    },
  },
];

interface Waiting {
  readonly id: string | number | undefined;
  readonly cancel: () => void;
}

class EchoState {
  readonly texts: string[] = [];
  readonly requests: CapturedRequest[] = [];
  readonly waiting = new Set<Waiting>();
  readonly capture: boolean;
  total = 0;
  cancelled = 0;

  constructor(capture: boolean) {
    this.capture = capture;
  }

  counters(): EchoCounters {
    return { total: this.total, waiting: this.waiting.size, cancelled: this.cancelled };
  }
}

function answer(response: ServerResponse, status: number, body: unknown): void {
  const text = JSON.stringify(body);
  response
    .writeHead(status, { "content-type": "application/json", "content-length": Buffer.byteLength(text) })
    .end(text);
}

function handshake(message: Message, modern: boolean): object | undefined {
  const cache = modern ? { resultType: "complete", ttlMs: 0, cacheScope: "private" } : {};
  switch (message.method) {
    case "initialize":
      return { protocolVersion: "2025-11-25", capabilities: CAPABILITIES, serverInfo: INFO };
    case "server/discover":
      return {
        ...cache,
        supportedVersions: [MODERN],
        capabilities: CAPABILITIES,
        _meta: { "io.modelcontextprotocol/serverInfo": INFO },
      };
    case "ping":
      return {};
    case "tools/list":
      return { ...cache, tools: TOOLS };
    default:
      return undefined;
  }
}

function textResult(text: string, modern: boolean): object {
  const content = [{ type: "text", text }];
  return modern ? { resultType: "complete", content } : { content };
}

function wait(state: EchoState, message: Message, response: ServerResponse, modern: boolean): void {
  const ms = Math.min(message.params?.arguments?.ms ?? 0, MAX_WAIT_MS);
  const end = (): void => {
    clearTimeout(timer);
    state.waiting.delete(entry);
  };
  const entry: Waiting = {
    id: message.id,
    cancel: () => {
      if (!state.waiting.has(entry)) return;
      state.cancelled += 1;
      end();
      response.destroy();
    },
  };
  const timer = setTimeout(() => {
    end();
    answer(response, 200, {
      jsonrpc: "2.0",
      id: message.id,
      result: textResult(`waited ${String(ms)} ms`, modern),
    });
  }, ms);
  state.waiting.add(entry);
  response.once("close", entry.cancel);
}

function handleMessage(state: EchoState, message: Message, response: ServerResponse, modern: boolean): void {
  const { id, method, params } = message;
  if (method === "notifications/cancelled") {
    for (const entry of state.waiting) if (entry.id === params?.requestId) entry.cancel();
  }
  if (id === undefined) {
    response.writeHead(202).end();
    return;
  }
  if (method !== "tools/call") {
    const result = handshake(message, modern);
    const reply =
      result === undefined ? { error: { code: -32601, message: `no method ${String(method)}` } } : { result };
    answer(response, 200, { jsonrpc: "2.0", id, ...reply });
    return;
  }
  state.total += 1;
  if (params?.name === "wait") {
    wait(state, message, response, modern);
    return;
  }
  const text = params?.arguments?.text ?? params?.arguments?.region ?? "";
  if (state.capture) state.texts.push(text);
  answer(response, 200, { jsonrpc: "2.0", id, result: textResult(text, modern) });
}

function handle(state: EchoState, request: IncomingMessage, response: ServerResponse): void {
  if (request.method === "GET" && request.url === "/calls") {
    answer(response, 200, state.counters());
    return;
  }
  if (request.method !== "POST") {
    response.writeHead(405).end();
    return;
  }
  const chunks: Buffer[] = [];
  request.on("data", (chunk: Buffer) => chunks.push(chunk));
  request.on("end", () => {
    const body = Buffer.concat(chunks).toString("utf8");
    if (state.capture) state.requests.push({ headers: request.headers, body });
    const modern = request.headers["mcp-protocol-version"] === MODERN;
    handleMessage(state, JSON.parse(body) as Message, response, modern);
  });
}

/** Starts the server on 127.0.0.1. */
export async function startEchoServer(options: EchoOptions = {}): Promise<EchoServer> {
  const state = new EchoState(options.capture === true);
  const server = createServer((request, response) => handle(state, request, response));
  server.keepAliveTimeout = 60_000;
  await new Promise<void>((resolve, reject) => {
    server.once("error", reject);
    server.listen(options.port ?? 0, "127.0.0.1", resolve);
  });
  const { port } = server.address() as AddressInfo;
  return {
    url: `http://127.0.0.1:${String(port)}/mcp`,
    counters: () => state.counters(),
    texts: () => state.texts,
    requests: () => state.requests,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? "").href) {
  const { values } = parseArgs({ options: { port: { type: "string", default: "0" } } });
  const server = await startEchoServer({ port: Number(values.port) });
  process.stdout.write(`${JSON.stringify({ ready: true, url: server.url, pid: process.pid })}\n`);
  process.once("SIGTERM", () => process.exit(0));
}
