// Owns the sockets of one HTTP port: size and time caps, connection caps, parser faults, drain. It knows no policy;
// every request goes to the injected handler, and a handler that fails ends in a response all the same.
import { ServerResponse, createServer } from "node:http";
import type { IncomingMessage, Server, ServerOptions } from "node:http";
import { createServer as createTlsServer } from "node:https";
import type { AddressInfo, Socket } from "node:net";
import type { Duplex } from "node:stream";
import type { WebSocket } from "ws";
import { encodeErrorReply } from "#mcp";
import type { ClientAddress } from "./client-address.ts";
import type { InboundHttp } from "./inbound.ts";
import { toInbound } from "./exchange-http.ts";
import { DEFAULT_LISTENER_LIMITS } from "./limits.ts";
import type { ListenerLimits } from "./limits.ts";
import { createUpgrader, isWebSocketUpgrade } from "./connection/websocket.ts";
import type { ClosingReason, PacedClosing } from "./paced-closing.ts";
import type { TlsMaterial } from "./tls-material.ts";
import { trackConnections } from "./tracked-connections.ts";
import { resetConnection } from "./unread.ts";

/**
 * Judges an upgrade to WebSocket and answers its refusal through `inbound.reply`; `accept` completes the handshake and
 * gives undefined where the client has gone meanwhile.
 */
export type UpgradeHandler = (
  inbound: InboundHttp,
  accept: () => Promise<WebSocket | undefined>,
) => Promise<void>;

export interface HttpListenerOptions {
  /** Address to bind, e.g. `127.0.0.1`. */
  readonly host: string;
  /** 0 lets the system choose. */
  readonly port: number;
  /** Answers through `inbound.reply`. A rejection, or a return without an answer, is answered with 500. */
  readonly handle: (inbound: InboundHttp) => Promise<void>;
  /** Without it an upgrade to WebSocket is answered like any other GET. */
  readonly upgrade?: { readonly handle: UpgradeHandler; readonly maxMessageBytes: number };
  /** Without it the port speaks plain HTTP. */
  readonly tls?: TlsMaterial;
  readonly limits?: Partial<ListenerLimits>;
  /** Whose address a request comes from; the peer of the connection where absent. */
  readonly clientAddress?: ClientAddress;
  /** Told of a handler that failed: a bug, never a fault of a peer. Must not throw. */
  readonly onFault?: (error: unknown) => void;
}

export interface HttpListener {
  readonly host: string;
  readonly port: number;
  readonly connectionCount: () => number;
  /**
   * Stops accepting, lets requests under way finish for at most `graceMs`, then cuts what is left. Streams are under
   * way until their owner ends them.
   */
  readonly close: (graceMs: number) => Promise<void>;
}

/** Binds and listens; rejects where the address cannot be bound. */
export async function startHttpListener(options: HttpListenerOptions): Promise<HttpListener> {
  const limits: ListenerLimits = { ...DEFAULT_LISTENER_LIMITS, ...options.limits };
  const server = makeServer(limits, options);
  // Node drops headers over its count without a word, and with them a duplicate; they are counted here instead.
  server.maxHeadersCount = 0;
  server.maxConnections = limits.maxConnections;
  const connections = trackConnections(server, {
    limits,
    refuse: (socket) => refuse(socket, 503, "Service Unavailable", "Retry-After: 1\r\n"),
    end: endLate,
  });
  let closing = false;
  const onResponseClose = (): void => {
    if (closing) setImmediate(() => server.closeIdleConnections());
  };

  server.on("request", (request: IncomingMessage, response: ServerResponse) => {
    if (!connections.use(request.socket)) return;
    if (closing) response.shouldKeepAlive = false;
    // A connection that was busy when the drain began is closed once it is idle.
    response.on("close", onResponseClose);
    response.on("error", ignoreError);
    void serve(request, response, limits, options);
  });
  const { upgrade } = options;
  if (upgrade !== undefined) {
    const complete = createUpgrader({ maxMessageBytes: upgrade.maxMessageBytes });
    server.on("upgrade", (request: IncomingMessage, socket: Socket, head: Buffer) => {
      if (!connections.use(socket)) return;
      connections.onUpgrade(socket);
      if (closing) return refuse(socket, 503, "Service Unavailable");
      if (!isWebSocketUpgrade(request)) return refuse(socket, 400, "Bad Request");
      void serveUpgrade(request, socket, limits, { ...options, upgrade }, () =>
        complete(request, socket, head),
      );
    });
  }
  server.on("clientError", (error: NodeJS.ErrnoException, socket) =>
    answerParserFault(error, socket, connections.endSoon),
  );
  server.on("connect", (_request: IncomingMessage, socket: Duplex) =>
    refuse(socket, 405, "Method Not Allowed"),
  );
  await listen(server, options.host, options.port);

  const address = server.address() as AddressInfo;
  return {
    host: address.address,
    port: address.port,
    connectionCount: connections.count,
    close: (graceMs) => {
      closing = true;
      const drained = drain(server, graceMs, connections.closeUpgraded);
      connections.closeUnused();
      return drained;
    },
  };
}

/**
 * How much longer Node gives headers than the first request of a connection has: it looks at later ones only, and reports all that
 * are late at once with an error for each, which costs more than ending them.
 */
const LATER_HEADERS = 1.5;

function makeServer(limits: ListenerLimits, { tls, upgrade }: HttpListenerOptions): Server {
  const http: ServerOptions = {
    maxHeaderSize: limits.maxHeaderBytes,
    headersTimeout: Math.min(limits.headersTimeoutMs * LATER_HEADERS, limits.requestTimeoutMs),
    requestTimeout: limits.requestTimeoutMs,
    connectionsCheckingInterval: limits.connectionsCheckMs,
    keepAliveTimeout: limits.keepAliveMs,
    insecureHTTPParser: false,
    requireHostHeader: true,
    noDelay: true,
    // Other upgrades are not asked about: such a request is served as if it had not offered one (RFC 9110, 7.8).
    shouldUpgradeCallback: (request) => upgrade !== undefined && isWebSocketUpgrade(request),
  };
  if (tls === undefined) return createServer(http);
  const server = createTlsServer({
    ...http,
    ...tls.context(),
    handshakeTimeout: limits.headersTimeoutMs * LATER_HEADERS,
    ALPNProtocols: ["http/1.1"],
    ...(tls.requiresClientCertificate ? { requestCert: true, rejectUnauthorized: true } : {}),
  });
  tls.onActivated((context) => server.setSecureContext(context));
  return server;
}

/** An upgrade is answered like any request until it is accepted; then its socket belongs to the WebSocket. */
async function serveUpgrade(
  request: IncomingMessage,
  socket: Socket,
  limits: ListenerLimits,
  options: HttpListenerOptions & { readonly upgrade: NonNullable<HttpListenerOptions["upgrade"]> },
  complete: () => Promise<WebSocket | undefined>,
): Promise<void> {
  const response = new ServerResponse(request);
  response.shouldKeepAlive = false;
  response.on("error", ignoreError);
  socket.on("error", ignoreError);
  try {
    response.assignSocket(socket);
  } catch {
    // An upgrade pipelined behind a request that is not answered yet: there is no connection left to upgrade in order.
    socket.destroy();
    return;
  }
  response.on("finish", () => socket.end(() => socket.destroy()));
  const inbound = toInbound(request, response, limits, options.clientAddress ?? ((peer) => peer));
  let isAccepted = false;
  const accept = (): Promise<WebSocket | undefined> => {
    isAccepted = true;
    response.detachSocket(socket);
    return complete();
  };
  if (request.rawHeaders.length / 2 > limits.maxHeaderCount) {
    inbound.reply.json(431, encodeErrorReply("HTTP_HEADER_INVALID", undefined).body);
    return;
  }
  try {
    await options.upgrade.handle(inbound, accept);
  } catch (error) {
    options.onFault?.(error);
    if (isAccepted) socket.destroy();
  }
  if (!isAccepted && !inbound.reply.committed)
    inbound.reply.json(500, encodeErrorReply("STAGE_FAULT", undefined).body);
}

async function serve(
  request: IncomingMessage,
  response: ServerResponse,
  limits: ListenerLimits,
  options: HttpListenerOptions,
): Promise<void> {
  const inbound = toInbound(request, response, limits, options.clientAddress ?? ((peer) => peer));
  if (request.rawHeaders.length / 2 > limits.maxHeaderCount) {
    inbound.reply.json(431, encodeErrorReply("HTTP_HEADER_INVALID", undefined).body, { connection: "close" });
    return;
  }
  try {
    await options.handle(inbound);
    if (!inbound.reply.committed) options.onFault?.(new Error("handler returned without an answer"));
  } catch (error) {
    options.onFault?.(error);
  }
  if (!inbound.reply.committed) inbound.reply.json(500, encodeErrorReply("STAGE_FAULT", undefined).body);
  else if (!response.headersSent) response.destroy();
}

/** A client that went away; its exchange learns of it by the close that follows. */
function ignoreError(): void {
  return undefined;
}

/** A response where there is no ServerResponse to write it with; the connection is closed after it. */
function refuse(socket: Duplex, status: number, reason: string, headers = ""): void {
  socket.on("error", () => undefined);
  if (socket.destroyed || !socket.writable) {
    socket.destroy();
    return;
  }
  socket.end(`HTTP/1.1 ${status} ${reason}\r\n${headers}Connection: close\r\nContent-Length: 0\r\n\r\n`, () =>
    socket.destroy(),
  );
}

function endLate(socket: Duplex, why: ClosingReason): void {
  // Who has sent nothing has asked for nothing: there is nothing to answer.
  const hasAsked = why !== "idle" && !("bytesRead" in socket && socket.bytesRead === 0);
  if (!hasAsked) socket.destroy();
  // While it sends, nothing tells that it does not read, and what would be said to it waits behind that.
  else if (why === "slow" && socket.writableLength > 0) resetConnection(socket);
  else if (why === "slow") refuse(socket, 408, "Request Timeout");
  else refuse(socket, 400, "Bad Request");
}

function answerParserFault(error: NodeJS.ErrnoException, socket: Duplex, endSoon: PacedClosing["add"]): void {
  switch (error.code) {
    case "ECONNRESET":
    case "EPIPE":
      socket.destroy();
      return;
    case "HPE_HEADER_OVERFLOW":
      refuse(socket, 431, "Request Header Fields Too Large");
      return;
    case "ERR_HTTP_REQUEST_TIMEOUT":
      endSoon(socket, "slow");
      return;
    case "HPE_INVALID_EOF_STATE":
      endSoon(socket, "left");
      return;
    default:
      refuse(socket, 400, "Bad Request");
  }
}

function listen(server: Server, host: string, port: number): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once("error", reject);
    server.listen({ host, port }, () => {
      server.off("error", reject);
      // A listening socket fails one connection at a time (EMFILE); that must not end the process.
      server.on("error", () => undefined);
      resolve();
    });
  });
}

function drain(server: Server, graceMs: number, closeUpgraded: () => void): Promise<void> {
  return new Promise((resolve) => {
    const cut = setTimeout(() => {
      server.closeAllConnections();
      closeUpgraded();
    }, graceMs);
    server.close(() => {
      clearTimeout(cut);
      resolve();
    });
    server.closeIdleConnections();
  });
}
