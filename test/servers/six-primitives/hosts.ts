// The server of six primitives over the network: Streamable HTTP and WebSocket in both eras, HTTP+SSE in the legacy one.
import { randomUUID } from "node:crypto";
import { once } from "node:events";
import { createServer } from "node:http";
import type { IncomingMessage, Server as HttpServer, ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { NodeStreamableHTTPServerTransport, toNodeHandler } from "@modelcontextprotocol/node";
import type { NodeIncomingMessageLike } from "@modelcontextprotocol/node";
import { SSEServerTransport } from "@modelcontextprotocol/sdk/server/sse.js";
import { createMcpHandler, deserializeMessage, serializeMessage } from "@modelcontextprotocol/server";
import type { JSONRPCMessage, Transport } from "@modelcontextprotocol/server";
import { serveStdio } from "@modelcontextprotocol/server/stdio";
import { WebSocketServer } from "ws";
import type { WebSocket } from "ws";
import { createSixServer } from "./six-server.ts";
import type { SixServerOptions } from "./six-server.ts";

export interface SixHost {
  readonly url: string;
  readonly close: () => Promise<void>;
}

async function listen(server: HttpServer): Promise<number> {
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  return (server.address() as AddressInfo).port;
}

function closing(server: HttpServer, before: () => Promise<void> | void = () => undefined) {
  return async (): Promise<void> => {
    await before();
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
  };
}

async function readJson(request: IncomingMessage): Promise<unknown> {
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(chunk as Buffer);
  return chunks.length === 0 ? undefined : (JSON.parse(Buffer.concat(chunks).toString("utf8")) as unknown);
}

/** Streamable HTTP: the modern era without sessions, the legacy one with. */
export async function startHttpSix(options: SixServerOptions): Promise<SixHost> {
  const modern = createMcpHandler(() => createSixServer(options), { legacy: "reject" });
  const serveModern = toNodeHandler(modern);
  const sessions = new Map<string, NodeStreamableHTTPServerTransport>();
  const handle = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    const body = request.method === "POST" ? await readJson(request) : undefined;
    if (request.headers["mcp-protocol-version"] === "2026-07-28")
      return serveModern(request as NodeIncomingMessageLike, response, body);
    const known = sessions.get(String(request.headers["mcp-session-id"]));
    if (known !== undefined) return known.handleRequest(request, response, body);
    if ((body as { method?: string } | undefined)?.method !== "initialize") {
      response.writeHead(400).end();
      return;
    }
    const transport = new NodeStreamableHTTPServerTransport({
      sessionIdGenerator: randomUUID,
      onsessioninitialized: (id) => void sessions.set(id, transport),
      onsessionclosed: (id) => void sessions.delete(id),
    });
    await createSixServer(options).connect(transport);
    await transport.handleRequest(request, response, body);
  };
  const server = createServer(
    (request, response) => void handle(request, response).catch(() => response.destroy()),
  );
  const port = await listen(server);
  return { url: `http://127.0.0.1:${String(port)}/mcp`, close: closing(server, () => modern.close()) };
}

/** HTTP+SSE of 2024-11-05: GET /sse, POST /messages. */
export async function startSseSix(options: SixServerOptions): Promise<SixHost> {
  const transports = new Map<string, SSEServerTransport>();
  const handle = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    const url = new URL(request.url ?? "/", "http://localhost");
    if (request.method === "GET" && url.pathname === "/sse") {
      const transport = new SSEServerTransport("/messages", response);
      transports.set(transport.sessionId, transport);
      serveStdio(() => createSixServer(options), { transport: transport as never });
      return;
    }
    const transport = transports.get(url.searchParams.get("sessionId") ?? "");
    if (transport === undefined) response.writeHead(404).end();
    else await transport.handlePostMessage(request, response);
  };
  const server = createServer(
    (request, response) => void handle(request, response).catch(() => response.destroy()),
  );
  const port = await listen(server);
  return { url: `http://127.0.0.1:${String(port)}/sse`, close: closing(server) };
}

class SocketTransport implements Transport {
  onclose?: () => void;
  onerror?: (error: Error) => void;
  onmessage?: (message: JSONRPCMessage) => void;
  readonly #socket: WebSocket;

  constructor(socket: WebSocket) {
    this.#socket = socket;
  }

  start(): Promise<void> {
    this.#socket.on("message", (data: Buffer) => this.onmessage?.(deserializeMessage(data.toString("utf8"))));
    this.#socket.on("close", () => this.onclose?.());
    return Promise.resolve();
  }

  send(message: JSONRPCMessage): Promise<void> {
    this.#socket.send(serializeMessage(message).trimEnd());
    return Promise.resolve();
  }

  close(): Promise<void> {
    this.#socket.close();
    return Promise.resolve();
  }
}

/** WebSocket, subprotocol `mcp`: the era is that of the opening message, as over standard input. */
export async function startWebSocketSix(options: SixServerOptions): Promise<SixHost> {
  const server = createServer();
  const sockets = new WebSocketServer({ server, handleProtocols: () => "mcp" });
  sockets.on("connection", (socket) => {
    serveStdio(() => createSixServer(options), { transport: new SocketTransport(socket) });
  });
  const port = await listen(server);
  const close = closing(server, () => {
    for (const socket of sockets.clients) socket.terminate();
  });
  return { url: `ws://127.0.0.1:${String(port)}/mcp`, close };
}
