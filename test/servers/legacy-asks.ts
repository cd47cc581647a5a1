// An MCP server of revision 2025-11-25 made with the SDK 1.x, which knows no other era. Its tools ask the client.
// Usage as a program, on stdio: node legacy-asks.ts
import { once } from "node:events";
import type { IncomingMessage, ServerResponse } from "node:http";
import { randomUUID } from "node:crypto";
import { McpServer } from "@modelcontextprotocol/sdk/server/mcp.js";
import { StdioServerTransport } from "@modelcontextprotocol/sdk/server/stdio.js";
import { StreamableHTTPServerTransport } from "@modelcontextprotocol/sdk/server/streamableHttp.js";
import type { Transport } from "@modelcontextprotocol/sdk/shared/transport.js";
import {
  CreateMessageResultSchema,
  ElicitResultSchema,
  ListRootsResultSchema,
  UrlElicitationRequiredError,
} from "@modelcontextprotocol/sdk/types.js";
import type { ServerRequest } from "@modelcontextprotocol/sdk/types.js";
import { z } from "zod";
import { serveOnLoopback } from "./loopback.ts";

/** What happened in the server, for tests to look at. */
export interface LegacyAsksLog {
  calls: number;
  cancelled: number;
}

const text = (value: unknown): { content: { type: "text"; text: string }[] } => ({
  content: [{ type: "text", text: typeof value === "string" ? value : JSON.stringify(value) }],
});

const ASK_NAME: ServerRequest = {
  method: "elicitation/create",
  params: {
    mode: "form",
    message: "What is your name?",
    requestedSchema: { type: "object", properties: { name: { type: "string" } }, required: ["name"] },
  },
};
const ASK_MODEL: ServerRequest = {
  method: "sampling/createMessage",
  params: {
    messages: [{ role: "user", content: { type: "text", text: "Capital of France?" } }],
    maxTokens: 10,
  },
};
const ASK_ROOTS: ServerRequest = { method: "roots/list" };

export function createLegacyAsks(log: LegacyAsksLog): McpServer {
  const server = new McpServer(
    { name: "legacy-asks", version: "1.0.0" },
    { capabilities: { tools: {}, logging: {} } },
  );
  server.registerTool("elicit", { description: "Asks for a name." }, async ({ sendRequest, signal }) => {
    log.calls += 1;
    signal.addEventListener("abort", () => (log.cancelled += 1));
    return text(await sendRequest(ASK_NAME, ElicitResultSchema));
  });
  server.registerTool(
    "greet",
    { description: "Asks for a name and greets.", inputSchema: { greeting: z.string() } },
    async ({ greeting }, { sendRequest }) => {
      const { content } = await sendRequest(ASK_NAME, ElicitResultSchema);
      return text(`${greeting} ${String(content?.["name"])}`);
    },
  );
  server.registerTool("sample", { description: "Asks the model." }, async ({ sendRequest }) =>
    text(await sendRequest(ASK_MODEL, CreateMessageResultSchema)),
  );
  server.registerTool(
    "guess",
    { description: "Asks the model, or does without." },
    async ({ sendRequest }) => {
      const asked = await sendRequest(ASK_MODEL, CreateMessageResultSchema).catch(() => "without a model");
      return text(asked);
    },
  );
  server.registerTool("roots", { description: "Asks for roots." }, async ({ sendRequest }) =>
    text(await sendRequest(ASK_ROOTS, ListRootsResultSchema)),
  );
  let known: Promise<unknown> | undefined;
  server.registerTool(
    "project",
    { description: "Asks for roots once in a session." },
    async ({ sendRequest }) => text(await (known ??= sendRequest(ASK_ROOTS, ListRootsResultSchema))),
  );
  server.registerTool("work", { description: "Asks for roots and works without end." }, async (extra) => {
    await extra.sendRequest(ASK_ROOTS, ListRootsResultSchema);
    log.calls += 1;
    if (!extra.signal.aborted) await once(extra.signal, "abort");
    log.cancelled += 1;
    return text("cancelled");
  });
  server.registerTool("both", { description: "Asks twice at once." }, async ({ sendRequest }) =>
    text(
      await Promise.all([
        sendRequest(ASK_NAME, ElicitResultSchema),
        sendRequest(ASK_MODEL, CreateMessageResultSchema),
      ]),
    ),
  );
  server.registerTool("connect", { description: "Wants the user to open a page." }, () => {
    throw new UrlElicitationRequiredError([
      { mode: "url", elicitationId: "e-1", url: "https://login.example/start", message: "Please log in" },
    ]);
  });
  server.registerTool("wait", { description: "Ends when it is cancelled." }, async ({ signal }) => {
    log.calls += 1;
    if (!signal.aborted) await once(signal, "abort");
    log.cancelled += 1;
    return text("cancelled");
  });
  return server;
}

export interface LegacyAsksServer {
  readonly url: string;
  readonly log: LegacyAsksLog;
  /** Sessions that are open. */
  readonly sessions: () => number;
  /** Loses every session, as a restart would. */
  readonly forget: () => void;
  readonly close: () => Promise<void>;
}

/** Over Streamable HTTP with sessions. */
export async function startLegacyAsks(): Promise<LegacyAsksServer> {
  const log: LegacyAsksLog = { calls: 0, cancelled: 0 };
  const transports = new Map<string, StreamableHTTPServerTransport>();
  const handle = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    const id = request.headers["mcp-session-id"];
    const known = typeof id === "string" ? transports.get(id) : undefined;
    if (known !== undefined) return known.handleRequest(request, response);
    if (id !== undefined) return void response.writeHead(404).end();
    const transport = new StreamableHTTPServerTransport({
      sessionIdGenerator: randomUUID,
      onsessioninitialized: (session) => void transports.set(session, transport),
      onsessionclosed: (session) => void transports.delete(session),
    });
    // The SDK's declarations are not written for exactOptionalPropertyTypes.
    await createLegacyAsks(log).connect(transport as Transport);
    await transport.handleRequest(request, response);
  };
  const { origin, close } = await serveOnLoopback(handle);
  return {
    url: `${origin}/mcp`,
    log,
    sessions: () => transports.size,
    forget: () => transports.clear(),
    close,
  };
}

if (import.meta.main) await createLegacyAsks({ calls: 0, cancelled: 0 }).connect(new StdioServerTransport());
