// The fixture over Streamable HTTP: stateless for the modern era, sessions with resumable streams for the legacy one.
import { randomUUID } from "node:crypto";
import { createServer } from "node:http";
import type { IncomingMessage, ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import {
  NodeStreamableHTTPServerTransport,
  localhostHostValidation,
  localhostOriginValidation,
  toNodeHandler,
  toWebRequest,
} from "@modelcontextprotocol/node";
import type { NodeIncomingMessageLike } from "@modelcontextprotocol/node";
import { createMcpHandler, isInitializeRequest, isLegacyRequest } from "@modelcontextprotocol/server";
import type { EventStore, JSONRPCMessage } from "@modelcontextprotocol/server";
import { createFixtureServer } from "./fixture-server.ts";

export type Eras = "dual" | "legacy" | "modern";

export interface FixtureHost {
  readonly url: string;
  readonly close: () => Promise<void>;
}

const PATH = "/mcp";
const RETRY_MS = 50;

/** Events of every stream of one session. */
function memoryEvents(): EventStore {
  const events: { readonly id: string; readonly streamId: string; readonly message: JSONRPCMessage }[] = [];
  return {
    storeEvent: (streamId, message) => {
      const id = `${streamId}_${String(events.length)}`;
      events.push({ id, streamId, message });
      return Promise.resolve(id);
    },
    getStreamIdForEventId: (id) => Promise.resolve(events.find((event) => event.id === id)?.streamId),
    replayEventsAfter: async (lastId, { send }) => {
      const from = events.findIndex((event) => event.id === lastId);
      const streamId = events[from]?.streamId ?? "";
      // An event without a method, a result or an error only opened its stream.
      for (const event of events.slice(from + 1))
        if (event.streamId === streamId && Object.keys(event.message).length > 0)
          await send(event.id, event.message);
      return streamId;
    },
  };
}

type Handler = (request: IncomingMessage, response: ServerResponse, body: unknown) => Promise<void>;

function refuse(response: ServerResponse, status: number, code: number, message: string): void {
  response
    .writeHead(status, { "content-type": "application/json" })
    .end(JSON.stringify({ jsonrpc: "2.0", id: null, error: { code, message } }));
}

function legacyHandler(): Handler {
  const sessions = new Map<string, NodeStreamableHTTPServerTransport>();
  return async (request, response, body) => {
    const header = request.headers["mcp-session-id"];
    const known = typeof header === "string" ? sessions.get(header) : undefined;
    if (known !== undefined) {
      await known.handleRequest(request, response, body);
      return;
    }
    if (header !== undefined) {
      refuse(response, 404, -32001, "Session not found");
      return;
    }
    if (!isInitializeRequest(body)) {
      refuse(response, 400, -32000, "Bad Request: Server not initialized");
      return;
    }
    const transport = new NodeStreamableHTTPServerTransport({
      sessionIdGenerator: randomUUID,
      eventStore: memoryEvents(),
      retryInterval: RETRY_MS,
      onsessioninitialized: (id) => void sessions.set(id, transport),
      onsessionclosed: (id) => void sessions.delete(id),
    });
    await createFixtureServer().connect(transport);
    await transport.handleRequest(request, response, body);
  };
}

async function readBody(request: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks).toString("utf8");
}

function parseBody(body: string): unknown {
  try {
    return JSON.parse(body);
  } catch {
    return undefined;
  }
}

/** Starts the fixture on 127.0.0.1. `port` 0 = any. */
export async function startFixtureHost(eras: Eras, port = 0): Promise<FixtureHost> {
  const modern = createMcpHandler(() => createFixtureServer(modern.notify), { legacy: "reject" });
  const serveModern = toNodeHandler(modern);
  const serveLegacy = legacyHandler();
  const isHostAllowed = localhostHostValidation();
  const isOriginAllowed = localhostOriginValidation();
  const handle = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    if (!isHostAllowed(request, response) || !isOriginAllowed(request, response)) return;
    if (new URL(request.url ?? "/", "http://localhost").pathname !== PATH) {
      response.writeHead(404).end();
      return;
    }
    const body = request.method === "POST" ? parseBody(await readBody(request)) : undefined;
    // The adapter's declarations are not written for exactOptionalPropertyTypes.
    const incoming = request as NodeIncomingMessageLike;
    const isLegacy =
      eras === "legacy" ||
      (eras === "dual" && (await isLegacyRequest(await toWebRequest(incoming, body ?? null), body)));
    await (isLegacy ? serveLegacy(request, response, body) : serveModern(incoming, response, body));
  };
  const server = createServer((request, response) => {
    handle(request, response).catch((fault: unknown) => {
      process.stderr.write(`${String(fault)}\n`);
      response.destroy();
    });
  });
  await new Promise<void>((resolve, reject) => {
    server.once("error", reject);
    server.listen(port, "127.0.0.1", resolve);
  });
  return {
    url: `http://127.0.0.1:${String((server.address() as AddressInfo).port)}${PATH}`,
    close: async () => {
      await modern.close();
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}
