// A node:http server whose answers a test writes byte by byte, to misbehave in ways no SDK would.
import { createServer } from "node:http";
import type { IncomingMessage, ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";

export interface Received {
  readonly method: string;
  readonly headers: IncomingMessage["headers"];
  readonly rawHeaders: readonly string[];
  readonly text: string;
  /** Parsed body; `{}` where there is none. */
  readonly body: {
    readonly id?: number;
    readonly method?: string;
    readonly params?: Record<string, unknown>;
  };
}

export interface RawHttpServer {
  readonly url: string;
  readonly received: Received[];
  /** Requests whose connection the client closed before the answer was complete. */
  readonly aborted: () => Promise<Received>;
  readonly close: () => Promise<void>;
}

export type Script = (request: Received, response: ServerResponse) => void | Promise<void>;

export async function startRawHttpServer(script: Script): Promise<RawHttpServer> {
  const received: Received[] = [];
  const abortedRequests: Received[] = [];
  let wake: (() => void) | undefined;
  const server = createServer((request, response) => {
    const chunks: Buffer[] = [];
    request.on("data", (chunk: Buffer) => chunks.push(chunk));
    request.on("end", () => {
      const text = Buffer.concat(chunks).toString("utf8");
      const body = (text === "" ? {} : JSON.parse(text)) as Received["body"];
      const { method = "", headers, rawHeaders } = request;
      const seen = { method, headers, rawHeaders, text, body };
      received.push(seen);
      response.on("close", () => {
        if (response.writableFinished) return;
        abortedRequests.push(seen);
        wake?.();
      });
      void script(seen, response);
    });
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/mcp`,
    received,
    aborted: async () => {
      for (;;) {
        const first = abortedRequests.shift();
        if (first !== undefined) return first;
        await new Promise<void>((resolve) => (wake = resolve));
      }
    },
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

export function json(
  response: ServerResponse,
  body: unknown,
  status = 200,
  headers: Record<string, string> = {},
): void {
  response.writeHead(status, { "content-type": "application/json", ...headers }).end(JSON.stringify(body));
}

/** Opens an event stream; each event is written as it stands. */
export function eventStream(
  response: ServerResponse,
  headers: Record<string, string> = {},
): (raw: string) => void {
  response.writeHead(200, { "content-type": "text/event-stream", ...headers });
  response.flushHeaders();
  return (raw) => response.write(raw);
}

export function event(message: unknown): string {
  return `event: message\ndata: ${JSON.stringify(message)}\n\n`;
}

export function resultFor(
  request: Received,
  result: Record<string, unknown> = { ok: true },
): Record<string, unknown> {
  return { jsonrpc: "2.0", id: request.body.id, result };
}
