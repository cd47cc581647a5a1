// A hop that adds what the conformance suite cannot send, a bearer token, and changes nothing else: Host, Origin and
// every other header pass as they came, bodies and streams as they flow.
import { createServer, request as sendRequest } from "node:http";
import type { IncomingMessage, ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";

export interface TokenProxy {
  readonly port: number;
  /** Where requests go from now on. */
  readonly forwardTo: (target: ProxyTarget) => void;
  readonly close: () => Promise<void>;
}

export interface ProxyTarget {
  readonly port: number;
  /** The token of a request, by its path. */
  readonly token: (path: string) => string | undefined;
}

export async function startTokenProxy(): Promise<TokenProxy> {
  let target: ProxyTarget | undefined;
  const server = createServer((request, response) => {
    if (target === undefined) response.writeHead(503).end();
    else forward(request, response, target);
  });
  server.listen(0, "127.0.0.1");
  await new Promise((resolve) => server.once("listening", resolve));
  return {
    port: (server.address() as AddressInfo).port,
    forwardTo: (next) => {
      target = next;
    },
    close: async () => {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

function forward(request: IncomingMessage, response: ServerResponse, target: ProxyTarget): void {
  const path = request.url ?? "/";
  const token = target.token(path.split("?")[0] ?? path);
  const headers = [
    ...request.rawHeaders,
    ...(token === undefined ? [] : ["Authorization", `Bearer ${token}`]),
  ];
  const onward = sendRequest({
    host: "127.0.0.1",
    port: target.port,
    path,
    method: request.method,
    headers,
    setHost: false,
  });
  onward.on("response", (answer) => {
    response.writeHead(answer.statusCode ?? 502, answer.rawHeaders);
    // A stream that says nothing yet is open all the same.
    response.flushHeaders();
    answer.pipe(response);
    answer.on("error", () => response.destroy());
  });
  onward.on("error", () => response.destroy());
  response.on("close", () => onward.destroy());
  request.pipe(onward);
}
