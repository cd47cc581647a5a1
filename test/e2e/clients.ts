// Real MCP clients of both SDK generations, and the bare protocol by fetch.
import {
  Client as ModernClient,
  StreamableHTTPClientTransport as ModernTransport,
} from "@modelcontextprotocol/client";
import { Client as LegacyClient } from "@modelcontextprotocol/sdk/client/index.js";
import { StreamableHTTPClientTransport as LegacyTransport } from "@modelcontextprotocol/sdk/client/streamableHttp.js";

export interface CallOutcome {
  readonly kind: "result" | "error";
  readonly text: string;
  readonly code?: number;
  readonly data?: Readonly<Record<string, unknown>>;
  readonly structured?: unknown;
}

export interface McpClient {
  readonly era: string;
  readonly listTools: () => Promise<
    readonly { readonly name: string; readonly description?: string | undefined }[]
  >;
  readonly callTool: (name: string, args: Readonly<Record<string, unknown>>) => Promise<CallOutcome>;
  readonly close: () => Promise<void>;
}

interface AnyClient {
  listTools(): Promise<{ tools: { name: string; description?: string | undefined }[] }>;
  callTool(params: { name: string; arguments: Record<string, unknown> }): Promise<unknown>;
  close(): Promise<void>;
}

function wrap(era: string, client: AnyClient): McpClient {
  return {
    era,
    listTools: async () => (await client.listTools()).tools,
    callTool: async (name, args) => {
      try {
        const result = (await client.callTool({ name, arguments: { ...args } })) as {
          content?: { type: string; text?: string }[];
          structuredContent?: unknown;
        };
        const text = (result.content ?? []).map((item) => item.text ?? "").join("\n");
        return { kind: "result", text, structured: result.structuredContent };
      } catch (fault) {
        const { code, message, data } = fault as {
          code?: number;
          message: string;
          data?: Record<string, unknown>;
        };
        return {
          kind: "error",
          text: message,
          ...(code === undefined ? {} : { code }),
          ...(data === undefined ? {} : { data }),
        };
      }
    },
    close: () => client.close(),
  };
}

const identity = { name: "aegis-test", version: "1.0.0" };

function bearer(token: string): { requestInit: { headers: { authorization: string } } } {
  return { requestInit: { headers: { authorization: `Bearer ${token}` } } };
}

/** The 2.x SDK's own client; `auto` asks `server/discover` first and falls back to `initialize`. */
export async function openModern(url: URL, token: string): Promise<ModernClient> {
  const client = new ModernClient(identity, { versionNegotiation: { mode: "auto" } });
  await client.connect(new ModernTransport(url, bearer(token)));
  return client;
}

/** The 1.x SDK's own client: legacy only. */
export async function openLegacy(url: URL, token: string): Promise<LegacyClient> {
  const client = new LegacyClient(identity);
  // The 1.x declarations are not written for exactOptionalPropertyTypes.
  await client.connect(new LegacyTransport(url, bearer(token)) as never);
  return client;
}

export async function connectModern(url: URL, token: string): Promise<McpClient> {
  return wrap("2.x", (await openModern(url, token)) as unknown as AnyClient);
}

export async function connectLegacy(url: URL, token: string): Promise<McpClient> {
  return wrap("1.x", (await openLegacy(url, token)) as unknown as AnyClient);
}
