// An MCP server of both eras over Streamable HTTP that does what it is told, however wrong: the text of the call names
// the misbehaviour. Used to see what of it reaches callers, upstreams and the process.
import { createServer } from "node:http";
import type { IncomingMessage, Server, ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";

export interface HostileServer {
  readonly url: string;
  /** Tool calls, prompts, reads and other forwarded requests that arrived, by method. */
  readonly arrived: () => readonly string[];
  /** Writes raw text on every open GET stream of a legacy session. */
  readonly push: (text: string) => void;
  readonly openStreams: () => number;
  readonly sessions: () => number;
  readonly close: () => Promise<void>;
}

export interface Call {
  readonly id: string | number;
  readonly method: string;
  readonly modern: boolean;
  readonly text: string;
  readonly progressToken: unknown;
}

/** Answers one call by hand. */
export type Misbehaviour = (call: Call, response: ServerResponse, server: Server) => void;

interface Message {
  readonly id?: string | number;
  readonly method?: string;
  readonly params?: {
    readonly arguments?: { readonly text?: string };
    readonly uri?: string;
    readonly protocolVersion?: string;
    readonly _meta?: Readonly<Record<string, unknown>>;
  };
}

const MODERN = "2026-07-28";
const INFO = { name: "hostile", version: "1.0.0" };
const CAPABILITIES = { tools: {}, resources: { subscribe: true }, logging: {}, prompts: {} };
const inputSchema = { type: "object", properties: { text: { type: "string" } } };
const LISTS: Readonly<Record<string, object>> = {
  "tools/list": {
    tools: [
      { name: "plain", description: "Says what it is told.", inputSchema },
      { name: "limited", description: "May be called twice an hour.", inputSchema },
      { name: "secret", description: "Knows an address.", inputSchema },
    ],
  },
  "resources/list": { resources: [{ name: "note", uri: "note://one" }] },
  "resources/templates/list": { resourceTemplates: [{ name: "notes", uriTemplate: "notes://{id}" }] },
  "prompts/list": { prompts: [{ name: "greet", description: "Greets." }] },
};

export function sse(...messages: readonly unknown[]): string {
  return messages.map((message) => `event: message\ndata: ${JSON.stringify(message)}\n\n`).join("");
}

export async function startHostileServer(
  misbehaviours: Readonly<Record<string, Misbehaviour>> = {},
): Promise<HostileServer> {
  const arrived: string[] = [];
  const streams = new Set<ServerResponse>();
  let sessions = 0;
  const json = (response: ServerResponse, body: unknown, headers: Record<string, string> = {}): void => {
    response.writeHead(200, { "content-type": "application/json", ...headers }).end(JSON.stringify(body));
  };
  const handle = (message: Message, modern: boolean, response: ServerResponse): void => {
    const { id, method = "", params } = message;
    if (id === undefined) return void response.writeHead(202).end();
    const cache = modern ? { resultType: "complete", ttlMs: 0, cacheScope: "private" } : {};
    if (method === "initialize") {
      sessions += 1;
      const result = { protocolVersion: "2025-11-25", capabilities: CAPABILITIES, serverInfo: INFO };
      return json(response, { jsonrpc: "2.0", id, result }, { "mcp-session-id": `s${String(sessions)}` });
    }
    if (method === "server/discover") {
      const result = { ...cache, supportedVersions: [MODERN], capabilities: CAPABILITIES };
      return json(response, { jsonrpc: "2.0", id, result });
    }
    const list = LISTS[method];
    if (list !== undefined) return json(response, { jsonrpc: "2.0", id, result: { ...cache, ...list } });
    arrived.push(method);
    const text = params?.arguments?.text ?? params?.uri ?? "";
    const wrong = misbehaviours[text];
    const call = { id, method, modern, text, progressToken: params?._meta?.["progressToken"] };
    if (wrong !== undefined) return wrong(call, response, server);
    const content = [{ type: "text", text }];
    json(response, { jsonrpc: "2.0", id, result: { ...cache, content, contents: [{ uri: text, text }] } });
  };
  const server = createServer((request: IncomingMessage, response: ServerResponse) => {
    response.on("error", () => undefined);
    if (request.method === "GET") {
      response.writeHead(200, { "content-type": "text/event-stream" });
      response.flushHeaders();
      streams.add(response);
      response.once("close", () => streams.delete(response));
      return;
    }
    if (request.method === "DELETE") return void response.writeHead(200).end();
    const chunks: Buffer[] = [];
    request.on("data", (chunk: Buffer) => chunks.push(chunk));
    request.on("end", () => {
      const modern = request.headers["mcp-protocol-version"] === MODERN;
      handle(JSON.parse(Buffer.concat(chunks).toString("utf8")) as Message, modern, response);
    });
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return {
    url: `http://127.0.0.1:${String((server.address() as AddressInfo).port)}/mcp`,
    arrived: () => arrived,
    push: (text) => {
      for (const stream of streams) stream.write(text);
    },
    openStreams: () => streams.size,
    sessions: () => sessions,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}
