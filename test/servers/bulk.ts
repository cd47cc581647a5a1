// An MCP server of the modern era whose tools answer with as much as they are asked for, as JSON or as an event stream.
// Tools: `bulk {records, how}` lists people, `hostile {records, how}` makes a search as long as it can.
import { serveOnLoopback } from "./loopback.ts";

export interface BulkServer {
  readonly url: string;
  /** Tool calls that arrived. */
  readonly calls: () => number;
  readonly close: () => Promise<void>;
}

interface Message {
  readonly id: number;
  readonly method: string;
  readonly params?: {
    readonly name?: string;
    readonly arguments?: { readonly records?: number; readonly how?: string };
  };
}

const SCHEMA = {
  type: "object",
  properties: { records: { type: "integer" }, how: { type: "string" } },
  required: ["records"],
};
const TOOLS = [
  { name: "bulk", description: "Lists people.", inputSchema: SCHEMA },
  { name: "hostile", description: "Lists text that is slow to search.", inputSchema: SCHEMA },
];
const CACHE = { resultType: "complete", ttlMs: 0, cacheScope: "private" };

/** One person of the list; about 180 bytes as JSON. */
export function person(index: number): Readonly<Record<string, unknown>> {
  return {
    id: index,
    name: `Person ${String(index % 100)}`,
    email: `person.${String(index)}@example.com`,
    note: "likes long walks and short answers, and has nothing else to say about it",
    iban: `DE${String(index).padStart(20, "7")}`,
  };
}

function resultOf({ method, params }: Message): object | undefined {
  if (method === "server/discover")
    return { ...CACHE, supportedVersions: ["2026-07-28"], capabilities: { tools: {} } };
  if (method === "tools/list") return { ...CACHE, tools: TOOLS };
  if (method !== "tools/call") return undefined;
  const records = params?.arguments?.records ?? 0;
  const list = Array.from({ length: records }, (_, index) =>
    params?.name === "hostile" ? "a@b 4111-1111 sk_ ".repeat(20) : person(index),
  );
  return {
    resultType: "complete",
    content: [{ type: "text", text: JSON.stringify({ list }) }],
    structuredContent: { list },
  };
}

export async function startBulkServer(): Promise<BulkServer> {
  let calls = 0;
  const { origin, close } = await serveOnLoopback(async (request, response) => {
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk as Buffer);
    const message = JSON.parse(Buffer.concat(chunks).toString("utf8") || "{}") as Message;
    if (message.method === "tools/call") calls += 1;
    const result = resultOf(message);
    const outcome =
      result === undefined ? { error: { code: -32601, message: "no such method" } } : { result };
    const json = JSON.stringify({ jsonrpc: "2.0", id: message.id, ...outcome });
    const isStream = message.params?.arguments?.how === "sse";
    response.writeHead(200, { "content-type": isStream ? "text/event-stream" : "application/json" });
    response.end(isStream ? `event: message\ndata: ${json}\n\n` : json);
  });
  return {
    url: `${origin}/mcp`,
    calls: () => calls,
    close,
  };
}
