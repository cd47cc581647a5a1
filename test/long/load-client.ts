// One caller of the `echo` tool on one keep-alive connection, in either era, speaking the bare protocol: cheap, and
// every outcome is told apart.
import { Client } from "undici";

export type EchoOutcome =
  | { readonly kind: "allowed" }
  | { readonly kind: "refused"; readonly code: string; readonly decisionId: string }
  /** No answer: the connection broke, or what came is not an answer of the protocol. */
  | { readonly kind: "broken"; readonly why: string };

export interface LoadClient {
  readonly call: (text: string) => Promise<EchoOutcome>;
  readonly close: () => Promise<void>;
}

export interface LoadClientOptions {
  readonly endpoint: URL;
  readonly token: string;
  readonly era: "modern" | "legacy";
}

const CALL_TIMEOUT_MS = 30_000;
const ENVELOPE = {
  "io.modelcontextprotocol/protocolVersion": "2026-07-28",
  "io.modelcontextprotocol/clientCapabilities": {},
};

interface Answer {
  readonly status: number;
  readonly sessionId: string | undefined;
  readonly body: {
    readonly result?: { readonly content?: readonly { readonly text?: string }[] };
    readonly error?: {
      readonly message: string;
      readonly data?: { readonly code?: string; readonly decisionId?: string };
    };
  };
}

class Connection {
  readonly #client: Client;
  readonly #options: LoadClientOptions;
  #headers: Record<string, string>;
  #lastId = 0;

  constructor(options: LoadClientOptions) {
    this.#options = options;
    this.#client = new Client(options.endpoint.origin, { headersTimeout: CALL_TIMEOUT_MS });
    this.#headers = {
      "content-type": "application/json",
      accept: "application/json, text/event-stream",
      authorization: `Bearer ${options.token}`,
      ...(options.era === "modern"
        ? { "mcp-protocol-version": "2026-07-28", "mcp-method": "tools/call", "mcp-name": "echo" }
        : {}),
    };
  }

  async post(message: object): Promise<Answer> {
    const response = await this.#client.request({
      method: "POST",
      path: this.#options.endpoint.pathname,
      headers: this.#headers,
      body: JSON.stringify({ jsonrpc: "2.0", ...message }),
      signal: AbortSignal.timeout(CALL_TIMEOUT_MS),
    });
    const text = await response.body.text();
    const session = response.headers["mcp-session-id"];
    return {
      status: response.statusCode,
      sessionId: typeof session === "string" ? session : undefined,
      body: (text === "" ? {} : JSON.parse(text)) as Answer["body"],
    };
  }

  async initialize(): Promise<void> {
    const params = {
      protocolVersion: "2025-11-25",
      capabilities: {},
      clientInfo: { name: "load", version: "1" },
    };
    const { status, sessionId } = await this.post({ id: 0, method: "initialize", params });
    if (sessionId === undefined) throw new Error(`initialize was answered with ${String(status)}`);
    this.#headers = {
      ...this.#headers,
      "mcp-session-id": sessionId,
      "mcp-protocol-version": "2025-11-25",
    };
    await this.post({ method: "notifications/initialized" });
  }

  async call(text: string): Promise<EchoOutcome> {
    const params = {
      name: "echo",
      arguments: { text },
      ...(this.#options.era === "modern" ? { _meta: ENVELOPE } : {}),
    };
    try {
      const { status, body } = await this.post({ id: ++this.#lastId, method: "tools/call", params });
      if (body.result?.content?.[0]?.text === text) return { kind: "allowed" };
      const { code, decisionId } = body.error?.data ?? {};
      if (code !== undefined && decisionId !== undefined) return { kind: "refused", code, decisionId };
      return { kind: "broken", why: `HTTP ${String(status)} ${JSON.stringify(body).slice(0, 200)}` };
    } catch (fault) {
      return { kind: "broken", why: String(fault) };
    }
  }

  close(): Promise<void> {
    return this.#client.destroy();
  }
}

/** Connects; in the legacy era this opens a session. */
export async function openLoadClient(options: LoadClientOptions): Promise<LoadClient> {
  const connection = new Connection(options);
  if (options.era === "legacy") await connection.initialize();
  return { call: (text) => connection.call(text), close: () => connection.close() };
}
