// Receives the answer of a login in the browser: one path on 127.0.0.1, one state, one answer (RFC 8252 §7.3).
import { createHash, randomBytes, timingSafeEqual } from "node:crypto";
import { once } from "node:events";
import { createServer } from "node:http";
import type { IncomingMessage, ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { failed } from "./authorization-server.ts";

export interface LoopbackReceiver {
  readonly redirectUrl: URL;
  /** 256 random bits that the answer must carry. */
  readonly state: string;
  /** Parameters of the answer with the right state. Rejects when the signal aborts. */
  readonly answer: (signal: AbortSignal) => Promise<URLSearchParams>;
  readonly close: () => void;
}

const HOST = "127.0.0.1";

function isSame(given: string, wanted: string): boolean {
  const digest = (text: string): Buffer => createHash("sha256").update(text).digest();
  return timingSafeEqual(digest(given), digest(wanted));
}

function page(response: ServerResponse, status: number, text: string): void {
  response.writeHead(status, {
    "content-type": "text/html; charset=utf-8",
    "content-security-policy": "default-src 'none'; frame-ancestors 'none'",
    "referrer-policy": "no-referrer",
    "cache-control": "no-store",
    connection: "close",
  });
  response.end(`<!doctype html><title>aegis connect</title><p>${text}</p>\n`);
}

/** Listens on a port of its own (0) or a given one. `secretPath` makes the path unguessable as well. */
export async function openLoopbackReceiver(port: number, secretPath: boolean): Promise<LoopbackReceiver> {
  const state = randomBytes(32).toString("base64url");
  const path = secretPath ? `/${randomBytes(16).toString("base64url")}/callback` : "/callback";
  const settled = Promise.withResolvers<URLSearchParams>();
  const take = (request: IncomingMessage, response: ServerResponse): void => {
    const { method, url = "/", headers } = request;
    if (headers.host !== `${HOST}:${String(bound)}`) return page(response, 403, "Not for this host.");
    const target = new URL(`http://${HOST}${url.startsWith("/") ? url : "/"}`);
    if (method !== "GET" || target.pathname !== path) return page(response, 404, "Nothing is here.");
    const states = target.searchParams.getAll("state");
    if (states.length !== 1 || !isSame(states[0] ?? "", state))
      return page(response, 400, "This answer does not belong to the login that is under way.");
    page(response, 200, "The login has been passed on to aegis connect. You can close this window.");
    settled.resolve(target.searchParams);
  };
  const server = createServer({ requestTimeout: 10_000, maxHeaderSize: 32_768 }, take);
  server.listen(port, HOST);
  try {
    await once(server, "listening");
  } catch (cause) {
    throw failed(`port ${String(port)} cannot be listened on`, "choose another --redirect-port", { cause });
  }
  const bound = (server.address() as AddressInfo).port;
  return {
    redirectUrl: new URL(`http://${HOST}:${String(bound)}${path}`),
    state,
    answer: (signal) =>
      new Promise((resolve, reject) => {
        const stop = (): void => reject(failed("nobody logged in in time", "start the login again"));
        if (signal.aborted) return stop();
        signal.addEventListener("abort", stop, { once: true });
        void settled.promise.then((params) => {
          signal.removeEventListener("abort", stop);
          resolve(params);
        });
      }),
    close: () => {
      server.close();
      // The page of the last answer is small and sent; what is idle must not keep the process.
      server.closeIdleConnections();
      setTimeout(() => server.closeAllConnections(), 1_000).unref();
    },
  };
}
