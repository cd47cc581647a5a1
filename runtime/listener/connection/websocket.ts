// WebSocket connections (RFC 6455): one JSON-RPC message in one text frame, subprotocol `mcp`, era semantics as on stdio.
// The upgrade has passed the listener's checks and authentication before anything here runs.
import type { IncomingMessage } from "node:http";
import type { Duplex } from "node:stream";
import { WebSocket, WebSocketServer } from "ws";
import type { RawData } from "ws";
import type { HeaderView } from "#mcp";
import { AegisError } from "#errors";
import type { EndReason } from "./connection-table.ts";
import type { ConnectionLimits } from "./limits.ts";
import { createMessageStream } from "./message-stream.ts";
import { resetConnection } from "../unread.ts";
import { MessageConnection } from "./message-connection.ts";
import type { ConnectionOptions } from "./message-connection.ts";

const WEBSOCKET_SUBPROTOCOL = "mcp";

/** RFC 6455 section 7.4.1. */
const CLOSE = { stopping: 1001, binary: 1003, policy: 1008 } as const;
/** Longest a client may take to answer the closing of a connection. */
const CLOSE_TIMEOUT_MS = 2_000;

/** True for a request that asks to become a WebSocket. */
export function isWebSocketUpgrade(request: IncomingMessage): boolean {
  return request.headers.upgrade?.toLowerCase() === "websocket";
}

/**
 * What a WebSocket handshake must be, beside what every request must be (RFC 6455 section 4.2.1).
 * @throws {AegisError} HTTP_METHOD, UPGRADE_INVALID
 */
export function checkUpgrade(method: string, headers: HeaderView): void {
  if (method !== "GET") throw new AegisError("HTTP_METHOD", "an upgrade is a GET");
  const key = headers.get("sec-websocket-key");
  if (key === undefined || !/^[A-Za-z0-9+/]{22}==$/.test(key))
    throw new AegisError("UPGRADE_INVALID", "Sec-WebSocket-Key is missing or malformed");
  if (headers.get("sec-websocket-version") !== "13")
    throw new AegisError("UPGRADE_INVALID", "Sec-WebSocket-Version is not 13");
  const offered = headers.all("sec-websocket-protocol").flatMap((value) => value.split(","));
  if (!offered.some((name) => name.trim() === WEBSOCKET_SUBPROTOCOL))
    throw new AegisError("UPGRADE_INVALID", `subprotocol ${WEBSOCKET_SUBPROTOCOL} is not offered`);
}

/** What a WebSocket runs on: the library ends it in an orderly way only. */
const sockets = new WeakMap<WebSocket, Duplex>();

export type UpgradeSocket = (
  request: IncomingMessage,
  socket: Duplex,
  head: Buffer,
) => Promise<WebSocket | undefined>;

/** Completes handshakes that were checked; undefined where the client has gone meanwhile. */
export function createUpgrader(limits: Pick<ConnectionLimits, "maxMessageBytes">): UpgradeSocket {
  const server = new WebSocketServer({
    noServer: true,
    clientTracking: false,
    perMessageDeflate: false,
    maxPayload: limits.maxMessageBytes,
    handleProtocols: () => WEBSOCKET_SUBPROTOCOL,
  });
  return (request, socket, head) =>
    new Promise((resolve) => {
      if (socket.destroyed) return resolve(undefined);
      socket.once("close", () => resolve(undefined));
      server.handleUpgrade(request, socket, head, (webSocket) => {
        // Frames that came with the handshake wait for `openWebSocket`: nobody listens yet, to errors neither.
        webSocket.on("error", () => undefined);
        webSocket.pause();
        sockets.set(webSocket, socket);
        resolve(webSocket);
      });
    });
}

/**
 * At once, for a client that does not react. What it has left unread may be in the kernel alone, where nothing tells of it, so
 * that this is always a reset.
 */
function cut(socket: WebSocket): void {
  const connection = sockets.get(socket);
  if (connection !== undefined) resetConnection(connection);
  socket.terminate();
}

export interface WebSocketConnection {
  readonly connection: MessageConnection;
  readonly end: (reason: EndReason) => void;
}

type WebSocketOptions = Omit<
  ConnectionOptions,
  "transport" | "out" | "flow" | "onSessionEnd" | "onUnauthenticated"
>;

export function openWebSocket(socket: WebSocket, options: WebSocketOptions): WebSocketConnection {
  const { limits } = options;
  const close = (code: number, reason: string): void => {
    if (socket.readyState !== WebSocket.OPEN) return;
    socket.close(code, reason);
    setTimeout(cut, CLOSE_TIMEOUT_MS, socket).unref();
  };
  const alive = keepAlive(socket, limits);
  const { stream, onDrain, onClose } = createMessageStream(
    {
      write: (message) =>
        socket.send(message, () => {
          alive.onTaken();
          onDrain();
        }),
      bufferedBytes: () => socket.bufferedAmount,
      end: () => close(1000, ""),
      cut: () => cut(socket),
    },
    limits,
  );
  const end = (reason: EndReason): void => {
    if (reason === "stopping") close(CLOSE.stopping, "the gateway is stopping");
    else close(CLOSE.policy, REASONS[reason]);
    connection.close();
  };
  const connection = new MessageConnection({
    ...options,
    transport: "websocket",
    out: stream,
    flow: { pause: () => socket.pause(), resume: () => socket.resume() },
    onSessionEnd: () => end("session"),
    onUnauthenticated: () => end("unauthorised"),
  });
  socket.on("message", (data: RawData, isBinary: boolean) => {
    if (isBinary) {
      close(CLOSE.binary, "text frames only");
      connection.close();
    } else connection.receive(bytesOf(data));
  });
  // A broken frame or an oversize message: the library closes with the code that says so.
  socket.on("error", () => undefined);
  socket.on("close", () => {
    alive.stop();
    onClose();
    connection.close();
  });
  socket.resume();
  return { connection, end };
}

const REASONS: Readonly<Record<Exclude<EndReason, "stopping">, string>> = {
  expired: "the token has expired",
  unauthorised: "not authorised",
  session: "the session has ended",
};

function bytesOf(data: RawData): Uint8Array {
  if (Array.isArray(data)) return Buffer.concat(data);
  return data instanceof ArrayBuffer ? new Uint8Array(data) : data;
}

interface KeepAlive {
  /** To be called when the client's connection has taken something. */
  readonly onTaken: () => void;
  readonly stop: () => void;
}

/**
 * A client that has not answered the last ping when the next one is due is gone, and so is one that takes nothing of what
 * waits for it: a ping would wait behind that.
 */
function keepAlive(
  socket: WebSocket,
  { keepAliveMs, stallMs }: Pick<ConnectionLimits, "keepAliveMs" | "stallMs">,
): KeepAlive {
  let isAlive = true;
  /** Undefined while nothing waits, and after something was taken. */
  let unreadMs: number | undefined;
  const onSign = (): void => {
    isAlive = true;
  };
  socket.on("pong", onSign).on("message", onSign);
  const timer = setInterval(() => {
    const isUnread = socket.bufferedAmount > 0;
    if (isUnread) unreadMs = unreadMs === undefined ? 0 : unreadMs + keepAliveMs;
    else unreadMs = undefined;
    if (unreadMs !== undefined && unreadMs >= stallMs) return cut(socket);
    // Nor is a pong read while the client's messages are not.
    if (socket.isPaused || isUnread) return;
    if (!isAlive) return cut(socket);
    isAlive = false;
    socket.ping();
  }, keepAliveMs);
  timer.unref();
  return {
    onTaken: () => {
      unreadMs = undefined;
    },
    stop: () => clearInterval(timer),
  };
}
