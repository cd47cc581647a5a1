// The operator's port: liveness, readiness, status, metrics, reload. Loopback unless configured otherwise, never for
// browsers: a request with an Origin is refused whatever it says.
import { isAegisError, ERROR_CODES } from "#errors";
import { encodeErrorReply } from "#mcp";
import type { InboundHttp } from "./inbound.ts";
import { checkTransport } from "./check-transport.ts";
import { startHttpListener } from "./http-listener.ts";
import type { HttpListener } from "./http-listener.ts";

export interface AdminAnswer {
  readonly status: number;
  readonly body: string;
  /** Default `application/json`. */
  readonly contentType?: string;
}

export type AdminHandler = (signal: AbortSignal) => AdminAnswer | Promise<AdminAnswer>;

export interface AdminHandlers {
  readonly healthz: AdminHandler;
  readonly readyz: AdminHandler;
  readonly status: AdminHandler;
  readonly metrics: AdminHandler;
  /** Runs one update attempt and answers with its real outcome. */
  readonly reload: AdminHandler;
}

export interface AdminListenerOptions {
  /** Default `127.0.0.1`. */
  readonly host?: string;
  readonly port: number;
  /** Default: the loopback names with any port. */
  readonly allowedHosts?: readonly string[];
  readonly handlers: AdminHandlers;
  readonly onFault?: (error: unknown) => void;
}

export const LOOPBACK_HOSTS: readonly string[] = ["127.0.0.1:*", "localhost:*", "[::1]:*"];

/** Open connections of one address; scrapers and probes need a handful. */
const MAX_CONNECTIONS_PER_ADDRESS = 64;

interface AdminRoute {
  readonly method: "GET" | "POST";
  readonly run: AdminHandler;
}

/** Binds and listens; rejects where the address cannot be bound. */
export function startAdminListener(options: AdminListenerOptions): Promise<HttpListener> {
  const { handlers } = options;
  const routes: ReadonlyMap<string, AdminRoute> = new Map([
    ["/healthz", { method: "GET", run: handlers.healthz }],
    ["/readyz", { method: "GET", run: handlers.readyz }],
    ["/status", { method: "GET", run: handlers.status }],
    ["/metrics", { method: "GET", run: handlers.metrics }],
    ["/-/reload", { method: "POST", run: handlers.reload }],
  ]);
  const allowedHosts = options.allowedHosts ?? LOOPBACK_HOSTS;
  return startHttpListener({
    host: options.host ?? "127.0.0.1",
    port: options.port,
    limits: { maxConnectionsPerAddress: MAX_CONNECTIONS_PER_ADDRESS },
    handle: (inbound) => answer(inbound, routes, allowedHosts),
    ...(options.onFault === undefined ? {} : { onFault: options.onFault }),
  });
}

async function answer(
  inbound: InboundHttp,
  routes: ReadonlyMap<string, AdminRoute>,
  allowedHosts: readonly string[],
): Promise<void> {
  const { reply } = inbound;
  try {
    // Checked as a GET: no admin request has a body whose media type could matter.
    checkTransport(
      { method: "GET", rawTarget: inbound.rawTarget, headers: inbound.headers },
      { allowedHosts, allowedOrigins: [] },
    );
  } catch (error) {
    const code = isAegisError(error) ? error.code : "STAGE_FAULT";
    const status = isAegisError(error) ? ERROR_CODES[code].http : 500;
    reply.json(status, encodeErrorReply(code, undefined).body);
    return;
  }
  const route = routes.get(inbound.path);
  if (route === undefined) return reply.json(404, JSON.stringify({ error: "not found" }));
  if (route.method !== inbound.method)
    return reply.json(405, JSON.stringify({ error: "method not allowed" }), { allow: route.method });
  const { status, body, contentType } = await route.run(inbound.closed);
  reply.json(status, body, {
    "cache-control": "no-store",
    ...(contentType === undefined ? {} : { "content-type": contentType }),
  });
}
