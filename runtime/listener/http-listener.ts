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
import type { TlsMaterial } from "./tls-material.ts";

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
  const connections = trackConnections(server, limits.maxConnectionsPerAddress);
  let closing = false;
  const onResponseClose = (): void => {
    if (closing) setImmediate(() => server.closeIdleConnections());
  };

  server.on("request", (request: IncomingMessage, response: ServerResponse) => {
    if (connections.isTurnedAway(request.socket)) return;
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
      if (connections.isTurnedAway(socket)) return;
      connections.onUpgrade(socket);
      if (closing) return refuse(socket, 503, "Service Unavailable");
      if (!isWebSocketUpgrade(request)) return refuse(socket, 400, "Bad Request");
      void serveUpgrade(request, socket, limits, { ...options, upgrade }, () =>
        complete(request, socket, head),
      );
    });
  }
  server.on("clientError", answerParserFault);
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

function makeServer(limits: ListenerLimits, { tls, upgrade }: HttpListenerOptions): Server {
  const http: ServerOptions = {
    maxHeaderSize: limits.maxHeaderBytes,
    headersTimeout: limits.headersTimeoutMs,
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
    handshakeTimeout: limits.headersTimeoutMs,
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

interface Connections {
  readonly isTurnedAway: (socket: Socket) => boolean;
  readonly count: () => number;
  /** Ends connections on which no request has begun. Node counts them as active, so that it would wait for them. */
  readonly closeUnused: () => void;
  readonly onUpgrade: (socket: Socket) => void;
  /** Cuts the connections that are no longer HTTP. Node does not know them any more. */
  readonly closeUpgraded: () => void;
}

/** Counts sockets by peer address and turns away those over the cap. Everything is bounded by `maxConnections`. */
function trackConnections(server: Server, maxPerAddress: number): Connections {
  const perAddress = new Map<string, number>();
  const turnedAway = new WeakSet<Socket>();
  // By peer, because the socket of a request over TLS is another than the one that was accepted.
  const unused = new Map<string, Socket>();
  const upgraded = new Set<Socket>();
  let count = 0;
  const isTls = "setSecureContext" in server;
  server.on("connection", (socket: Socket) => {
    const address = socket.remoteAddress ?? "";
    const ofAddress = (perAddress.get(address) ?? 0) + 1;
    perAddress.set(address, ofAddress);
    const peer = peerOf(socket);
    unused.set(peer, socket);
    count++;
    socket.once("close", () => {
      count--;
      if (unused.get(peer) === socket) unused.delete(peer);
      const left = (perAddress.get(address) ?? 1) - 1;
      if (left > 0) perAddress.set(address, left);
      else perAddress.delete(address);
    });
    if (ofAddress > maxPerAddress) {
      turnedAway.add(socket);
      if (isTls) socket.destroy();
      else refuse(socket, 503, "Service Unavailable", "Retry-After: 1\r\n");
    }
  });
  server.on("request", (request: IncomingMessage) => {
    if (unused.size > 0) unused.delete(peerOf(request.socket));
  });
  return {
    isTurnedAway: (socket) => turnedAway.has(socket),
    count: () => count,
    closeUnused: () => {
      for (const socket of unused.values()) socket.destroy();
    },
    onUpgrade: (socket) => {
      unused.delete(peerOf(socket));
      upgraded.add(socket);
      socket.once("close", () => upgraded.delete(socket));
    },
    closeUpgraded: () => {
      for (const socket of upgraded) socket.destroy();
    },
  };
}

function peerOf({ remoteAddress = "", remotePort = 0 }: Socket): string {
  return `${remoteAddress} ${remotePort}`;
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

const late: Duplex[] = [];
/** Late connections that are answered in one turn of the event loop. */
const LATE_PER_TURN = 20;

/** Node finds all that are late at once: thousands answered in one turn would hold up every other caller. */
function refuseLate(socket: Duplex): void {
  socket.on("error", () => undefined);
  if (late.push(socket) === 1) setImmediate(refuseSome);
}

function refuseSome(): void {
  for (const socket of late.splice(0, LATE_PER_TURN)) refuse(socket, 408, "Request Timeout");
  if (late.length > 0) setImmediate(refuseSome);
}

function answerParserFault(error: NodeJS.ErrnoException & { code?: string }, socket: Duplex): void {
  switch (error.code) {
    case "ECONNRESET":
    case "EPIPE":
      socket.destroy();
      return;
    case "HPE_HEADER_OVERFLOW":
      refuse(socket, 431, "Request Header Fields Too Large");
      return;
    case "ERR_HTTP_REQUEST_TIMEOUT":
      refuseLate(socket);
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
