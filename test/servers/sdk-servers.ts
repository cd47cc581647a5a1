// MCP servers made with the SDK 1.x, over the two transports that SDK 2 dropped: HTTP+SSE (2024-11-05) and WebSocket.
// They list what they are given and remember the headers they were reached with.
import { once } from "node:events";
import { createServer } from "node:http";
import type { IncomingHttpHeaders, IncomingMessage, ServerResponse } from "node:http";
import { Server } from "@modelcontextprotocol/sdk/server/index.js";
import { SSEServerTransport } from "@modelcontextprotocol/sdk/server/sse.js";
import {
  CallToolRequestSchema,
  GetPromptRequestSchema,
  ListPromptsRequestSchema,
  ListResourceTemplatesRequestSchema,
  ListResourcesRequestSchema,
  ListToolsRequestSchema,
} from "@modelcontextprotocol/sdk/types.js";
import type { Prompt, Resource, ResourceTemplate, Tool } from "@modelcontextprotocol/sdk/types.js";
import { WebSocketServer } from "ws";
import type { WebSocket } from "ws";
import { listenOnLoopback, serveOnLoopback } from "./loopback.ts";
import { SocketTransport } from "./socket-transport.ts";

export interface Definitions {
  readonly tools?: readonly Tool[];
  readonly prompts?: readonly Prompt[];
  readonly resources?: readonly Resource[];
  readonly resourceTemplates?: readonly ResourceTemplate[];
  readonly instructions?: string;
  /** Items of one page; absent = everything at once. */
  readonly pageSize?: number;
  /** Text that a tool answers; absent = the sum of its arguments. */
  readonly answer?: (name: string, args: Readonly<Record<string, unknown>>) => string;
}

/** A header that every request must carry; others are answered 401. Its name is in lower case. */
export interface RequiredHeader {
  readonly name: string;
  readonly value: string;
}

export interface SdkServer {
  readonly url: string;
  /** Of every HTTP request, upgrades included, in order. */
  readonly headers: () => readonly IncomingHttpHeaders[];
  /** Requests that were refused for want of the required header. */
  readonly refused: () => number;
  /** Ends every connection, as a restart would. */
  readonly drop: () => void;
  readonly close: () => Promise<void>;
}

export const SAMPLE: Definitions = {
  tools: [
    {
      name: "add",
      description: "Adds two numbers.",
      inputSchema: {
        type: "object",
        properties: { a: { type: "number" }, b: { type: "number" } },
        required: ["a", "b"],
      },
    },
    { name: "slow", description: "Answers after some time.", inputSchema: { type: "object" } },
  ],
  prompts: [{ name: "greet", description: "A greeting.", arguments: [{ name: "who", required: true }] }],
  resources: [{ uri: "memo://today", name: "today", mimeType: "text/plain" }],
  resourceTemplates: [{ uriTemplate: "memo://{day}", name: "memo", mimeType: "text/plain" }],
  instructions: "Use add for sums.",
};

function page<T>(items: readonly T[], cursor: string | undefined, size: number | undefined): [T[], string?] {
  const from = cursor === undefined ? 0 : Number(cursor);
  const to = from + (size ?? items.length);
  return to < items.length ? [items.slice(from, to), String(to)] : [items.slice(from)];
}

function sdkServer(definitions: Definitions): Server {
  const { prompts = [], resources = [], resourceTemplates = [], pageSize, instructions } = definitions;
  const server = new Server(
    { name: "sdk-one", version: "1.0.0" },
    {
      capabilities: { tools: {}, prompts: {}, resources: {} },
      ...(instructions === undefined ? {} : { instructions }),
    },
  );
  server.setRequestHandler(ListToolsRequestSchema, ({ params }) => {
    const [items, nextCursor] = page(definitions.tools ?? [], params?.cursor, pageSize);
    return { tools: items, nextCursor };
  });
  server.setRequestHandler(ListPromptsRequestSchema, ({ params }) => {
    const [items, nextCursor] = page(prompts, params?.cursor, pageSize);
    return { prompts: items, nextCursor };
  });
  server.setRequestHandler(ListResourcesRequestSchema, () => ({ resources: [...resources] }));
  server.setRequestHandler(ListResourceTemplatesRequestSchema, () => ({
    resourceTemplates: [...resourceTemplates],
  }));
  server.setRequestHandler(GetPromptRequestSchema, () => ({
    messages: [{ role: "user", content: { type: "text", text: "hello" } }],
  }));
  server.setRequestHandler(CallToolRequestSchema, async ({ params }, extra) => {
    if (params.name === "slow") await once(extra.signal, "abort");
    const args = params.arguments ?? {};
    const sum = (): string => String(Number(args["a"]) + Number(args["b"]));
    const text = definitions.answer === undefined ? sum() : definitions.answer(params.name, args);
    return { content: [{ type: "text", text }] };
  });
  return server;
}

/** HTTP+SSE: GET /sse, POST /messages?sessionId=…. */
export async function startSseServer(
  definitions: Definitions = SAMPLE,
  required?: RequiredHeader,
): Promise<SdkServer> {
  const headers: IncomingHttpHeaders[] = [];
  let refused = 0;
  const transports = new Map<string, SSEServerTransport>();
  const handle = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    headers.push(request.headers);
    if (required !== undefined && request.headers[required.name] !== required.value) {
      refused += 1;
      response.writeHead(401).end();
      return;
    }
    const url = new URL(request.url ?? "/", "http://localhost");
    if (request.method === "GET" && url.pathname === "/sse") {
      const transport = new SSEServerTransport("/messages", response);
      transports.set(transport.sessionId, transport);
      response.once("close", () => transports.delete(transport.sessionId));
      await sdkServer(definitions).connect(transport);
      return;
    }
    const transport = transports.get(url.searchParams.get("sessionId") ?? "");
    if (request.method !== "POST" || transport === undefined) response.writeHead(404).end();
    else await transport.handlePostMessage(request, response);
  };
  const { origin, drop, close } = await serveOnLoopback(handle);
  return {
    url: `${origin}/sse`,
    headers: () => headers,
    refused: () => refused,
    drop,
    close,
  };
}

export interface SocketServerOptions {
  /** What to do with each connection. */
  readonly onConnection: (socket: WebSocket) => void;
  /** HTTP status with which upgrades are refused. */
  readonly refuseWith?: number;
  /** Upgrades without it are refused with 401. */
  readonly required?: RequiredHeader | undefined;
  readonly subprotocol?: string | false;
}

/** A bare WebSocket server on a free port. */
export async function startSocketServer(options: SocketServerOptions): Promise<SdkServer> {
  const headers: IncomingHttpHeaders[] = [];
  let refused = 0;
  const http = createServer();
  const sockets = new WebSocketServer({
    noServer: true,
    handleProtocols: () => options.subprotocol ?? "mcp",
  });
  http.on("upgrade", (request, socket, head) => {
    headers.push(request.headers);
    const { required } = options;
    const lacks = required !== undefined && request.headers[required.name] !== required.value;
    if (lacks) refused += 1;
    const status = options.refuseWith ?? (lacks ? 401 : undefined);
    if (status !== undefined) {
      socket.end(`HTTP/1.1 ${String(status)} Refused\r\ncontent-length: 0\r\n\r\n`);
      return;
    }
    sockets.handleUpgrade(request, socket, head, options.onConnection);
  });
  const { port, close } = await listenOnLoopback(http);
  const drop = (): void => {
    for (const client of sockets.clients) client.terminate();
  };
  return {
    url: `ws://127.0.0.1:${String(port)}/mcp`,
    headers: () => headers,
    refused: () => refused,
    drop,
    close: () => {
      drop();
      return close();
    },
  };
}

export function startWebSocketServer(
  definitions: Definitions = SAMPLE,
  required?: RequiredHeader,
): Promise<SdkServer> {
  return startSocketServer({
    required,
    onConnection: (socket) => {
      sdkServer(definitions)
        .connect(new SocketTransport(socket))
        .catch(() => socket.terminate());
    },
  });
}
