// A session of 2025-11-25, opened as a client does.
import { requestBytes } from "./case-file.ts";
import type { RequestSpec, Variables } from "./case-file.ts";
import { exchangeRaw } from "./raw-http.ts";
import type { RawResponse, RawTarget } from "./raw-http.ts";

export interface OpenedSession {
  /** The answer to `initialize`. */
  readonly answer: RawResponse;
  /** Absent where the server has no sessions, or refused. */
  readonly session?: string;
}

const HEADERS = [
  "Host: ${host}:${port}",
  "Authorization: Bearer ${token}",
  "Content-Type: application/json",
  "Accept: application/json, text/event-stream",
];
const INITIALIZE = {
  jsonrpc: "2.0",
  id: 0,
  method: "initialize",
  params: {
    protocolVersion: "2025-11-25",
    capabilities: {},
    clientInfo: { name: "attack", version: "1" },
  },
};

/** @throws {Error} where nothing listens or answers */
export async function openSession(target: RawTarget, variables: Variables): Promise<OpenedSession> {
  const send = (request: RequestSpec): ReturnType<typeof exchangeRaw> =>
    exchangeRaw(target, requestBytes({ presets: {} }, request, variables));
  const answer = await send({ headers: HEADERS, body: JSON.stringify(INITIALIZE) });
  const session = answer.headers.get("mcp-session-id");
  if (session === undefined || answer.status !== 200) return { answer };
  await send({
    headers: HEADERS,
    add: [`Mcp-Session-Id: ${session}`, "MCP-Protocol-Version: 2025-11-25"],
    body: '{"jsonrpc":"2.0","method":"notifications/initialized"}',
  });
  return { answer, session };
}
