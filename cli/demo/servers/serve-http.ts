// Serves a demo MCP server over Streamable HTTP in both eras, with a control endpoint outside MCP. The modern era is
// stateless; the legacy era has real sessions, with a GET stream and DELETE, as most deployed servers do.
import { randomUUID } from "node:crypto";
import { createServer } from "node:http";
import type { IncomingMessage, RequestListener, Server, ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import {
  NodeStreamableHTTPServerTransport,
  localhostHostValidation,
  toNodeHandler,
  toWebRequest,
} from "@modelcontextprotocol/node";
import type { NodeIncomingMessageLike } from "@modelcontextprotocol/node";
import { createMcpHandler, isInitializeRequest, isLegacyRequest } from "@modelcontextprotocol/server";
import type { McpServer } from "@modelcontextprotocol/server";
import type { CallCounter } from "./call-counter.ts";

export interface DemoHttpServer {
  readonly name: string;
  readonly port: number;
  readonly adminPort: number;
  readonly counter: CallCounter;
  /** A fresh server: one for each modern request and for each legacy session. */
  readonly createServer: () => McpServer;
  /** `stateless` serves the legacy era without sessions. */
  readonly legacy: "sessions" | "stateless";
  /** Handles a control request that is not one of the common ones; false = unknown. */
  readonly control?: (method: string, path: string, body: unknown) => boolean;
}

export interface RunningDemoServer {
  readonly url: string;
  readonly adminUrl: string;
  readonly close: () => Promise<void>;
}

const MAX_SESSIONS = 1_000;
const MAX_BODY_BYTES = 1024 * 1024;

function answer(response: ServerResponse, status: number, body: unknown): void {
  response.writeHead(status, { "content-type": "application/json" }).end(`${JSON.stringify(body)}\n`);
}

function rpcError(response: ServerResponse, status: number, code: number, message: string): void {
  answer(response, status, { jsonrpc: "2.0", id: null, error: { code, message } });
}

class LegacySessions {
  readonly #demo: DemoHttpServer;
  readonly #transports = new Map<string, NodeStreamableHTTPServerTransport>();

  constructor(demo: DemoHttpServer) {
    this.#demo = demo;
  }

  async handle(request: IncomingMessage, response: ServerResponse, body: unknown): Promise<void> {
    const id = request.headers["mcp-session-id"];
    const known = typeof id === "string" ? this.#transports.get(id) : undefined;
    if (known !== undefined) return known.handleRequest(request, response, body);
    if (id !== undefined) return rpcError(response, 404, -32001, "Session not found");
    if (!isInitializeRequest(body))
      return rpcError(response, 400, -32000, "Bad Request: Session ID required");
    if (this.#transports.size >= MAX_SESSIONS) return rpcError(response, 503, -32000, "Too many sessions");
    const transport = new NodeStreamableHTTPServerTransport({
      sessionIdGenerator: () => randomUUID(),
      onsessioninitialized: (session) => {
        this.#transports.set(session, transport);
      },
      onsessionclosed: (session) => {
        this.#transports.delete(session);
      },
    });
    await this.#demo.createServer().connect(transport);
    return transport.handleRequest(request, response, body);
  }

  async close(): Promise<void> {
    await Promise.all([...this.#transports.values()].map((transport) => transport.close()));
  }
}

async function readJson(request: IncomingMessage): Promise<unknown> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of request as AsyncIterable<Buffer>) {
    bytes += chunk.byteLength;
    if (bytes > MAX_BODY_BYTES) throw new Error("body too large");
    chunks.push(chunk);
  }
  return chunks.length === 0 ? undefined : (JSON.parse(Buffer.concat(chunks).toString("utf8")) as unknown);
}

function mcpListener(
  demo: DemoHttpServer,
  sessions: LegacySessions,
): { listener: RequestListener; close: () => Promise<void> } {
  const handler = createMcpHandler(demo.createServer, {
    legacy: demo.legacy === "stateless" ? "stateless" : "reject",
  });
  const modern = toNodeHandler(handler);
  const serve = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    if (new URL(request.url ?? "/", "http://127.0.0.1").pathname !== "/mcp")
      return answer(response, 404, { error: "not found" });
    // The adapter declares optional members without `undefined`, which node:http's own type has.
    const incoming = request as NodeIncomingMessageLike;
    if (demo.legacy === "stateless") return modern(incoming, response);
    // Reading the body once for both: the classification and the handler that it chooses.
    const probe = await toWebRequest(incoming);
    const legacy = await isLegacyRequest(probe);
    const text = request.method === "POST" ? await probe.text() : "";
    let body: unknown;
    try {
      body = text === "" ? undefined : JSON.parse(text);
    } catch {
      return rpcError(response, 400, -32700, "Parse error");
    }
    return legacy ? sessions.handle(request, response, body) : modern(incoming, response, body);
  };
  const allowed = localhostHostValidation();
  const listener: RequestListener = (request, response) => {
    if (!allowed(request, response)) return;
    serve(request, response).catch(() => {
      if (!response.headersSent) rpcError(response, 500, -32603, "Internal error");
    });
  };
  return { listener, close: () => handler.close() };
}

function controlListener(demo: DemoHttpServer): RequestListener {
  const allowed = localhostHostValidation();
  const serve = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    const path = new URL(request.url ?? "/", "http://127.0.0.1").pathname;
    if (request.method === "GET" && path === "/calls") return answer(response, 200, demo.counter.read());
    const body = await readJson(request);
    if (demo.control?.(request.method ?? "", path, body) === true) return answer(response, 200, { ok: true });
    return answer(response, 404, { error: "not found" });
  };
  return (request, response) => {
    if (!allowed(request, response)) return;
    serve(request, response).catch((error: unknown) => answer(response, 400, { error: String(error) }));
  };
}

async function listen(server: Server, port: number): Promise<string> {
  await new Promise<void>((resolve, reject) => {
    server.once("error", reject);
    server.listen(port, "127.0.0.1", resolve);
  });
  return `http://127.0.0.1:${String((server.address() as AddressInfo).port)}`;
}

function stop(server: Server): Promise<void> {
  return new Promise((resolve) => {
    server.close(() => resolve());
    server.closeAllConnections();
  });
}

/** Starts both listeners on 127.0.0.1. */
async function startDemoHttpServer(demo: DemoHttpServer): Promise<RunningDemoServer> {
  const sessions = new LegacySessions(demo);
  const { listener, close } = mcpListener(demo, sessions);
  const mcp = createServer(listener);
  const control = createServer(controlListener(demo));
  const url = `${await listen(mcp, demo.port)}/mcp`;
  const adminUrl = await listen(control, demo.adminPort);
  return {
    url,
    adminUrl,
    close: async () => {
      await Promise.all([close(), sessions.close()]);
      await Promise.all([stop(mcp), stop(control)]);
    },
  };
}

/** Runs a demo server as the process it is in: one JSON line on stdout when it is ready, an end on SIGTERM or SIGINT. */
export async function runDemoHttpServer(demo: DemoHttpServer, onStop?: () => Promise<void>): Promise<void> {
  const running = await startDemoHttpServer(demo);
  process.stdout.write(
    `${JSON.stringify({ ready: true, server: demo.name, url: running.url, admin: running.adminUrl, pid: process.pid })}\n`,
  );
  let stopping = false;
  const end = (): void => {
    if (stopping) return;
    stopping = true;
    running
      .close()
      .then(() => onStop?.())
      .then(
        () => process.exit(0),
        () => process.exit(1),
      );
  };
  process.once("SIGTERM", end);
  process.once("SIGINT", end);
}
