// An HTTP server of a test on a free port of the loopback interface.
import { once } from "node:events";
import { createServer } from "node:http";
import type { IncomingMessage, Server, ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";

export interface Loopback {
  /** `http://127.0.0.1:<port>`, without a path. */
  readonly origin: string;
  readonly port: number;
  /** Cuts every connection; the server goes on. */
  readonly drop: () => void;
  /** Cuts every connection and ends the server. */
  readonly close: () => Promise<void>;
}

type Handle = (request: IncomingMessage, response: ServerResponse) => Promise<unknown>;

/** A request whose handling fails is cut. */
export function serveOnLoopback(handle: Handle): Promise<Loopback> {
  return listenOnLoopback(
    createServer((request, response) => {
      handle(request, response).catch(() => response.destroy());
    }),
  );
}

export async function listenOnLoopback(server: Server): Promise<Loopback> {
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  return {
    origin: `http://127.0.0.1:${String(port)}`,
    port,
    drop: () => server.closeAllConnections(),
    close: async () => {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}
