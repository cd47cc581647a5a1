// Any number of small MCP servers (2026-07-28) in one process, one path each. It counts the sockets that are open to it.
import { once } from "node:events";
import { createServer } from "node:http";
import type { IncomingMessage } from "node:http";
import type { AddressInfo } from "node:net";
import type { JsonObject, JsonValue } from "#std";

export interface ManyUpstreams {
  /** Of server `index`. */
  readonly urlOf: (index: number) => string;
  /** What server `index` lists from now on. */
  readonly serve: (index: number, tools: readonly JsonObject[]) => void;
  readonly openSockets: () => number;
  /** Most requests under way at one time since the last call. */
  readonly takePeak: () => number;
  readonly close: () => Promise<void>;
}

/** What an answer takes, so that requests overlap as they would with servers elsewhere. */
const ANSWER_AFTER_MS = 5;

export async function startManyUpstreams(): Promise<ManyUpstreams> {
  const served = new Map<string, readonly JsonObject[]>();
  let sockets = 0;
  let underWay = 0;
  let peak = 0;
  const server = createServer((request, response) => {
    underWay += 1;
    peak = Math.max(peak, underWay);
    response.once("close", () => (underWay -= 1));
    void readMessage(request).then(({ id, method }) => {
      const result = answerOf(String(method), served.get(request.url ?? "") ?? []);
      const body = JSON.stringify({ jsonrpc: "2.0", id, result });
      setTimeout(() => {
        response.writeHead(200, { "content-type": "application/json" }).end(body);
      }, ANSWER_AFTER_MS);
    });
  });
  server.on("connection", (socket) => {
    sockets += 1;
    socket.once("close", () => (sockets -= 1));
  });
  server.keepAliveTimeout = 60_000;
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  return {
    urlOf: (index) => `http://127.0.0.1:${String(port)}${pathOf(index)}`,
    serve: (index, tools) => void served.set(pathOf(index), tools),
    openSockets: () => sockets,
    takePeak: () => {
      const seen = peak;
      peak = underWay;
      return seen;
    },
    close: async () => {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

function pathOf(index: number): string {
  return `/${String(index)}/mcp`;
}

async function readMessage(
  request: IncomingMessage,
): Promise<{ readonly id: JsonValue; readonly method: JsonValue }> {
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(chunk as Buffer);
  const message = JSON.parse(Buffer.concat(chunks).toString("utf8")) as JsonObject;
  return { id: message["id"] ?? null, method: message["method"] ?? null };
}

function answerOf(method: string, tools: readonly JsonObject[]): JsonObject {
  const complete = { resultType: "complete", ttlMs: 0, cacheScope: "private" };
  switch (method) {
    case "server/discover":
      return { ...complete, supportedVersions: ["2026-07-28"], capabilities: { tools: {} } };
    case "tools/list":
      return { ...complete, tools };
    default:
      return { resultType: "complete", content: [{ type: "text", text: "done" }] };
  }
}
