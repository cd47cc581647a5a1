// HTTP+SSE (MCP 2024-11-05): a GET opens the event stream, whose first event says where messages are posted.
import type { HeaderView } from "#mcp";
import type { InboundHttp, SseStream } from "../inbound.ts";
import type { EndReason } from "./connection-table.ts";
import { MessageConnection } from "./message-connection.ts";
import type { ConnectionOptions } from "./message-connection.ts";

/** What follows the path of a route at its HTTP+SSE endpoint. */
export const SSE_SUFFIX = "/sse";
const SESSION_PARAMETER = "sessionId";

/** The first event of a stream: a URI relative to the endpoint. The id in it is as good as a password. */
export function endpointEvent(connectionId: string): string {
  return `event: endpoint\ndata: ${SSE_SUFFIX.slice(1)}?${SESSION_PARAMETER}=${connectionId}\n\n`;
}

/** A target whose query is exactly one connection id, without it: the id must stand in no log and no record. */
export function readConnectionId(rawTarget: string): { readonly rawTarget: string; readonly id: string } {
  const match = /^([^?]*)\?sessionId=([0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})$/u.exec(rawTarget);
  return match === null ? { rawTarget, id: "" } : { rawTarget: match[1] ?? "", id: match[2] ?? "" };
}

/** What a message inherits from the request or the upgrade that brought it: name, value, name, value. */
export function carriedHeaders(headers: HeaderView): readonly string[] {
  const carried = ["content-type", "application/json"];
  for (const name of ["host", "origin", "authorization"]) {
    const value = headers.get(name);
    if (value !== undefined) carried.push(name, value);
  }
  return carried;
}

export interface SseConnection {
  readonly connection: MessageConnection;
  readonly end: (reason: EndReason) => void;
}

export function openSse(
  stream: SseStream,
  options: Omit<ConnectionOptions, "transport" | "out" | "flow" | "onSessionEnd" | "headers">,
): SseConnection {
  const end = (): void => connection.close();
  const connection = new MessageConnection({
    ...options,
    transport: "sse",
    out: stream,
    headers: () => [],
    onSessionEnd: end,
  });
  return { connection, end };
}

/** Hands a POST to its connection: 202 once its message was read, its answer on the stream. */
export function postToSse(connection: MessageConnection, inbound: InboundHttp): Promise<void> {
  const { reply } = inbound;
  return connection.post(
    { readBody: (maxBytes, signal) => inbound.readBody(maxBytes, signal) },
    {
      accepted: () => reply.empty(202),
      refused: (status, body, headers) => {
        if (body === undefined) reply.empty(status, headers);
        else reply.json(status, body, headers);
      },
    },
    carriedHeaders(inbound.headers),
  );
}
