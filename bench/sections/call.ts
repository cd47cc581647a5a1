// The one request that every arm is asked: a modern `tools/call` of the echo tool.
import type { ThrowawayIssuer } from "../../cli/dev/throwaway-issuer.ts";
import { ECHO_TOOL } from "../repo/bench-repo.ts";

export interface BenchCall {
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
}

const VERSION = "2026-07-28";
/** JSON in text, as most servers answer: a redaction looks for its path in it, and would remove text that is not JSON. */
const TEXT = JSON.stringify({
  key: "OPS-18",
  summary: "Rotate the signing keys of the build farm",
  status: "Open",
  assignee: { name: "Ada Lovelace", team: "platform" },
  watchers: ["dana", "erin"],
  total: 1,
});

/** `url` is the endpoint the token is for. */
export async function benchCall(issuer: ThrowawayIssuer, url: string): Promise<BenchCall> {
  const token = await issuer.mint({
    subject: "dana",
    audience: url,
    claims: { roles: ["Developer", "Employee"], is_external: false },
  });
  return {
    headers: {
      "content-type": "application/json",
      accept: "application/json, text/event-stream",
      authorization: `Bearer ${token}`,
      "mcp-protocol-version": VERSION,
      "mcp-method": "tools/call",
      "mcp-name": ECHO_TOOL,
    },
    body: JSON.stringify({
      jsonrpc: "2.0",
      id: 1,
      method: "tools/call",
      params: {
        name: ECHO_TOOL,
        arguments: { text: TEXT },
        _meta: {
          "io.modelcontextprotocol/protocolVersion": VERSION,
          "io.modelcontextprotocol/clientInfo": { name: "bench", version: "1.0.0" },
          "io.modelcontextprotocol/clientCapabilities": {},
        },
      },
    }),
  };
}

/** Sends the call once. Rejects unless the answer is a result with the text that was sent. */
export async function requireAnswer(url: string, call: BenchCall): Promise<void> {
  const response = await fetch(url, { method: "POST", headers: call.headers, body: call.body });
  const text = await response.text();
  if (response.status !== 200 || !text.includes(JSON.stringify(TEXT)) || !text.includes('"result"'))
    throw new Error(`${url} answered ${String(response.status)}: ${text.slice(0, 300)}`);
}

/** A modern request and its result. Throws where there is none. */
export async function modernRequest(
  url: string,
  token: string,
  method: string,
  params: Readonly<Record<string, unknown>>,
): Promise<Readonly<Record<string, unknown>>> {
  const { name } = params;
  const response = await fetch(url, {
    method: "POST",
    headers: {
      "content-type": "application/json",
      accept: "application/json, text/event-stream",
      authorization: `Bearer ${token}`,
      "mcp-protocol-version": VERSION,
      "mcp-method": method,
      ...(typeof name === "string" ? { "mcp-name": name } : {}),
    },
    body: JSON.stringify({
      jsonrpc: "2.0",
      id: 1,
      method,
      params: {
        ...params,
        _meta: {
          "io.modelcontextprotocol/protocolVersion": VERSION,
          "io.modelcontextprotocol/clientCapabilities": {},
        },
      },
    }),
  });
  const text = await response.text();
  const { result } = JSON.parse(text) as { readonly result?: Readonly<Record<string, unknown>> };
  if (result === undefined) throw new Error(`${method} was answered with ${text.slice(0, 500)}`);
  return result;
}
