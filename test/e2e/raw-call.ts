// The bare protocol by fetch: one JSON-RPC request and its answer, in the modern era.
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

function envelopeOf({ capabilities = {} }: RawRequest): Readonly<Record<string, unknown>> {
  return {
    "io.modelcontextprotocol/protocolVersion": "2026-07-28",
    "io.modelcontextprotocol/clientCapabilities": capabilities,
  };
}

export async function rawRequest(url: URL, request: RawRequest): Promise<RawAnswer> {
  const response = await fetch(url, {
    method: "POST",
    headers: {
      "content-type": "application/json",
      accept: "application/json, text/event-stream",
      "mcp-protocol-version": "2026-07-28",
      "mcp-method": request.method,
      ...(request.name === undefined ? {} : { "mcp-name": request.name }),
      ...(request.token === undefined ? {} : { authorization: `Bearer ${request.token}` }),
    },
    body: JSON.stringify({
      jsonrpc: "2.0",
      id: 1,
      method: request.method,
      params: { ...request.params, _meta: envelopeOf(request) },
    }),
    ...(request.signal === undefined ? {} : { signal: request.signal }),
  });
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
