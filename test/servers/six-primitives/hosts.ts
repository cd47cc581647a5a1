// The server of six primitives over the network: Streamable HTTP and WebSocket in both eras, HTTP+SSE in the legacy one.
import { randomUUID } from "node:crypto";
import { createServer } from "node:http";
import type { IncomingMessage, ServerResponse } from "node:http";
import { NodeStreamableHTTPServerTransport, toNodeHandler } from "@modelcontextprotocol/node";
import type { NodeIncomingMessageLike } from "@modelcontextprotocol/node";
import { SSEServerTransport } from "@modelcontextprotocol/sdk/server/sse.js";
import { createMcpHandler } from "@modelcontextprotocol/server";
import { serveStdio } from "@modelcontextprotocol/server/stdio";
import { WebSocketServer } from "ws";
import { listenOnLoopback, serveOnLoopback } from "../loopback.ts";
import { SocketTransport } from "../socket-transport.ts";
import { createSixServer } from "./six-server.ts";
import type { SixServerOptions } from "./six-server.ts";

export interface SixHost {
  readonly url: string;
  readonly close: () => Promise<void>;
}

async function readJson(request: IncomingMessage): Promise<unknown> {
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(chunk as Buffer);
  return chunks.length === 0 ? undefined : (JSON.parse(Buffer.concat(chunks).toString("utf8")) as unknown);
}

/** Streamable HTTP: the modern era without sessions, the legacy one with. */
export async function startHttpSix(
  options: SixServerOptions,
): Promise<SixHost & { readonly forgetSessions: () => void }> {
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
  const { origin, close } = await serveOnLoopback(handle);
  return {
    url: `${origin}/mcp`,
    // As one that was started again: what it is sent of them is answered with a bare 400.
    forgetSessions: () => sessions.clear(),
    close: async () => {
      await modern.close();
      await close();
    },
  };
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
  const { origin, close } = await serveOnLoopback(handle);
  return { url: `${origin}/sse`, close };
}

/** WebSocket, subprotocol `mcp`: the era is that of the opening message, as over standard input. */
export async function startWebSocketSix(options: SixServerOptions): Promise<SixHost> {
  const server = createServer();
  const sockets = new WebSocketServer({ server, handleProtocols: () => "mcp" });
  sockets.on("connection", (socket) => {
    serveStdio(() => createSixServer(options), { transport: new SocketTransport(socket) });
  });
  const { port, close } = await listenOnLoopback(server);
  return {
    url: `ws://127.0.0.1:${String(port)}/mcp`,
    close: () => {
      for (const socket of sockets.clients) socket.terminate();
      return close();
    },
  };
}
