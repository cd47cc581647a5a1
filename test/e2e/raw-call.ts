// The bare protocol by fetch: one message and its answer, and the envelopes that clients of both eras send.
export interface RawAnswer {
  readonly status: number;
  readonly headers: Headers;
  readonly result: Readonly<Record<string, unknown>> | undefined;
  readonly error:
    | {
        readonly code: number;
        readonly message: string;
        readonly data?: { readonly code: string; readonly decisionId: string; readonly reason?: string };
      }
    | undefined;
}

export interface RawRequest {
  readonly method: string;
  readonly params?: Readonly<Record<string, unknown>>;
  /** Value of `Mcp-Name`. */
  readonly name?: string;
  readonly token?: string;
  readonly signal?: AbortSignal;
  /** What the client declares; nothing where absent. */
  readonly capabilities?: Readonly<Record<string, unknown>>;
}

/** `_meta` of a modern request whose client declares `capabilities`. */
export function modernMeta(
  capabilities: Readonly<Record<string, unknown>> = {},
): Readonly<Record<string, unknown>> {
  return {
    "io.modelcontextprotocol/protocolVersion": "2026-07-28",
    "io.modelcontextprotocol/clientCapabilities": capabilities,
  };
}

/** The opening of a legacy session. */
export function initializeRequest(protocolVersion = "2025-11-25"): object {
  const params = { protocolVersion, capabilities: {}, clientInfo: { name: "by-hand", version: "1" } };
  return { jsonrpc: "2.0", id: 0, method: "initialize", params };
}

/** The headers of a modern request, beside those of every message. */
export function modernHeaders(method: string, name?: unknown): Readonly<Record<string, string>> {
  return {
    "mcp-protocol-version": "2026-07-28",
    "mcp-method": method,
    ...(typeof name === "string" ? { "mcp-name": name } : {}),
  };
}

/** Sends one message, or what is none. Text goes as it is. */
export function postMessage(
  url: URL | string,
  message: unknown,
  headers: Readonly<Record<string, string>> = {},
  signal?: AbortSignal,
): Promise<Response> {
  return fetch(url, {
    method: "POST",
    headers: {
      "content-type": "application/json",
      accept: "application/json, text/event-stream",
      ...headers,
    },
    body: typeof message === "string" ? message : JSON.stringify(message),
    ...(signal === undefined ? {} : { signal }),
  });
}

export async function rawRequest(url: URL, request: RawRequest): Promise<RawAnswer> {
  const { method, params, name, token, signal, capabilities } = request;
  const response = await postMessage(
    url,
    { jsonrpc: "2.0", id: 1, method, params: { ...params, _meta: modernMeta(capabilities) } },
    {
      ...modernHeaders(method, name),
      ...(token === undefined ? {} : { authorization: `Bearer ${token}` }),
    },
    signal,
  );
  const text = await response.text();
  const body = (text === "" ? {} : JSON.parse(text)) as Pick<RawAnswer, "result" | "error">;
  return { status: response.status, headers: response.headers, result: body.result, error: body.error };
}

export function rawCall(
  url: URL,
  token: string,
  tool: string,
  args: Readonly<Record<string, unknown>>,
  signal?: AbortSignal,
): Promise<RawAnswer> {
  return rawRequest(url, {
    method: "tools/call",
    name: tool,
    token,
    params: { name: tool, arguments: args },
    ...(signal === undefined ? {} : { signal }),
  });
}
