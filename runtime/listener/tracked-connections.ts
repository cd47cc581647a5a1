// The sockets of one port: how many of each address, which of them have not asked for anything yet, and since when. Those
// that have run out of time are ended a few at a time.
import type { IncomingMessage, Server } from "node:http";
import type { Socket } from "node:net";
import type { Duplex } from "node:stream";
import type { TLSSocket } from "node:tls";
import type { ListenerLimits } from "./limits.ts";
import { createPacedClosing } from "./paced-closing.ts";
import type { ClosingReason, PacedClosing } from "./paced-closing.ts";
import { carries } from "./unread.ts";

export interface Connections {
  /** A request or an upgrade has come. False where it is not to be served: its connection is being ended. */
  readonly use: (socket: Socket) => boolean;
  readonly count: () => number;
  /** Told of a connection that is to be ended, when its turn comes. */
  readonly endSoon: PacedClosing["add"];
  /** Ends connections on which no request has begun. Node counts them as active, so that it would wait for them. */
  readonly closeUnused: () => void;
  readonly onUpgrade: (socket: Socket) => void;
  /** Cuts the connections that are no longer HTTP. Node does not know them any more. */
  readonly closeUpgraded: () => void;
}

export interface TrackingOptions {
  readonly limits: Pick<
    ListenerLimits,
    "maxConnectionsPerAddress" | "headersTimeoutMs" | "firstRequestCheckMs"
  >;
  /** Answers a connection over the cap of its address, and ends it. Not asked over TLS, where nothing can be answered yet. */
  readonly refuse: (socket: Socket) => void;
  /** Ends a connection whose turn has come. */
  readonly end: (socket: Duplex, why: ClosingReason) => void;
}

interface Unused {
  socket: Socket;
  readonly sinceMs: number;
}

/** Everything is bounded by `maxConnections` of the server. */
export function trackConnections(server: Server, options: TrackingOptions): Connections {
  const { limits } = options;
  const perAddress = new Map<string, number>();
  const turnedAway = new WeakSet<Socket>();
  // By peer, because the socket of a request over TLS is another than the one that was accepted. Oldest first.
  const unused = new Map<string, Unused>();
  const upgraded = new Set<Socket>();
  const late = createPacedClosing(options.end);
  let count = 0;
  const isTls = "setSecureContext" in server;
  server.on("connection", (socket: Socket) => {
    const address = socket.remoteAddress ?? "";
    const ofAddress = (perAddress.get(address) ?? 0) + 1;
    perAddress.set(address, ofAddress);
    const peer = peerOf(socket);
    const entry: Unused = { socket, sinceMs: performance.now() };
    unused.delete(peer);
    unused.set(peer, entry);
    count++;
    socket.once("close", () => {
      count--;
      if (unused.get(peer) === entry) unused.delete(peer);
      const left = (perAddress.get(address) ?? 1) - 1;
      if (left > 0) perAddress.set(address, left);
      else perAddress.delete(address);
    });
    if (ofAddress > limits.maxConnectionsPerAddress) {
      turnedAway.add(socket);
      if (isTls) socket.destroy();
      else options.refuse(socket);
    }
  });
  server.on("secureConnection", (socket: TLSSocket) => {
    const entry = unused.get(peerOf(socket));
    if (entry === undefined) return;
    carries(entry.socket, socket);
    entry.socket = socket;
  });
  server.on("request", (request: IncomingMessage) => {
    if (unused.size > 0) unused.delete(peerOf(request.socket));
  });
  // With a listener, Node leaves it to this one to end connections that have been idle for too long.
  server.on("timeout", (socket: Socket) => {
    // With bytes left to take it is not idle, but behind with an answer.
    if (socket.writableLength === 0) late.add(socket, "idle");
  });
  const findLate = (): void => {
    const beforeMs = performance.now() - limits.headersTimeoutMs;
    for (const [peer, { socket, sinceMs }] of unused) {
      if (sinceMs > beforeMs) return;
      unused.delete(peer);
      late.add(socket, "slow");
    }
  };
  const clock = setInterval(findLate, limits.firstRequestCheckMs).unref();
  server.on("close", () => clearInterval(clock));
  return {
    use: (socket) => !turnedAway.has(socket) && late.use(socket),
    count: () => count,
    endSoon: late.add,
    closeUnused: () => {
      for (const { socket } of unused.values()) socket.destroy();
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
