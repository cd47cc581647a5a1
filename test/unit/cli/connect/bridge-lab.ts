// A bridge between streams of this process and an HTTP server that a test plays.
import { once } from "node:events";
import { createServer } from "node:http";
import type { IncomingMessage, ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { PassThrough } from "node:stream";
import { runBridge } from "../../../../cli/connect/bridge.ts";
import { createRemoteEndpoint } from "../../../../cli/connect/remote-endpoint.ts";
import type { TokenSource } from "../../../../cli/connect/token-source.ts";

export interface Seen {
  readonly method: string;
  readonly headers: IncomingMessage["headers"];
  readonly body: string;
  readonly response: ServerResponse;
}

export interface BridgeLab {
  readonly url: URL;
  /** Requests that arrived, in order. */
  readonly seen: readonly Seen[];
  readonly notes: readonly string[];
  readonly write: (message: object | string) => void;
  /** The next line on standard output, parsed; `text` as it came. */
  readonly next: () => Promise<{ readonly text: string; readonly value: Record<string, unknown> }>;
  /** Lines that nobody has taken by `next`. */
  readonly left: () => readonly string[];
  /** Resolves when `count` requests have arrived. */
  readonly arrived: (count: number) => Promise<void>;
  /** Takes no more connections and breaks those that there are, as a gateway that dies. */
  readonly crash: () => void;
  /** Ends standard input; resolves when the bridge has ended. */
  readonly end: () => Promise<void>;
  readonly stop: () => Promise<void>;
}

const NO_LOGIN: TokenSource = {
  current: () => Promise.resolve("the-token"),
  renew: () => Promise.reject(new Error("no login in this test")),
};

export function json(response: ServerResponse, value: unknown, headers: Record<string, string> = {}): void {
  const text = typeof value === "string" ? value : JSON.stringify(value);
  response.writeHead(200, { "content-type": "application/json", ...headers }).end(text);
}

export async function bridgeLab(
  handle: (seen: Seen, message: Record<string, unknown>) => void,
  tokens: TokenSource = NO_LOGIN,
): Promise<BridgeLab> {
  const seen: Seen[] = [];
  const changed = new Set<() => void>();
  const tell = (): void => changed.forEach((look) => look());
  const server = createServer((request, response) => {
    const pieces: Buffer[] = [];
    request.on("data", (piece: Buffer) => void pieces.push(piece));
    request.on("end", () => {
      const body = Buffer.concat(pieces).toString("utf8");
      const one = { method: request.method ?? "", headers: request.headers, body, response };
      seen.push(one);
      handle(one, body === "" ? {} : (JSON.parse(body) as Record<string, unknown>));
      tell();
    });
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const url = new URL(`http://127.0.0.1:${String((server.address() as AddressInfo).port)}/mcp`);
  const input = new PassThrough();
  const output = new PassThrough();
  const lines: string[] = [];
  let rest = "";
  output.setEncoding("utf8").on("data", (chunk: string) => {
    const parts = (rest + chunk).split("\n");
    rest = parts.pop() ?? "";
    lines.push(...parts);
    tell();
  });
  const until = (check: () => boolean): Promise<void> =>
    new Promise((resolve) => {
      const look = (): void => {
        if (!check()) return;
        changed.delete(look);
        resolve();
      };
      changed.add(look);
      look();
    });
  const notes: string[] = [];
  const note = (text: string): void => void notes.push(text);
  const stopped = new AbortController();
  const remote = createRemoteEndpoint(url, tokens, note, [1, 1]);
  const running = runBridge({ remote, input, output, note, signal: stopped.signal, drainMs: 5_000 });
  return {
    url,
    seen,
    notes,
    write: (message) =>
      void input.write(`${typeof message === "string" ? message : JSON.stringify(message)}\n`),
    next: async () => {
      await until(() => lines.length > 0);
      const text = lines.shift() ?? "";
      return { text, value: JSON.parse(text) as Record<string, unknown> };
    },
    left: () => lines,
    arrived: (count) => until(() => seen.length >= count),
    crash: () => {
      server.close();
      server.closeAllConnections();
    },
    end: async () => {
      input.end();
      await running;
    },
    stop: async () => {
      stopped.abort();
      await running;
      await remote.close();
      server.closeAllConnections();
      server.close();
    },
  };
}
