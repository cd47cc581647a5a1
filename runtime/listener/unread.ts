// Clients that do not read what was written for them: since when, and how their connections are cut.
import type { ServerResponse } from "node:http";
import { Socket } from "node:net";
import type { Duplex } from "node:stream";
import { TLSSocket } from "node:tls";

/** Looks at an unread answer in its stall time. */
const LOOKS = 4;
/** Of the time of one look: a look that comes later than this has seen progress, after which Node waits once more. */
const LATE_LOOK = 1.75;

/** Marks a time that was set here: Node's own are whole milliseconds, so the two are never equal by chance. */
const OWN_MS = 0.5;

/** The connection under each TLS connection. */
const carriers = new WeakMap<Duplex, Socket>();

/** To be told of each TLS connection, so that it can be reset. */
export function carries(carrier: Socket, tls: Socket): void {
  carriers.set(tls, carrier);
}

/**
 * Ends a connection whose peer does not read, with a reset: an orderly end would wait behind the unread bytes, in the kernel,
 * for minutes.
 */
export function resetConnection(socket: Duplex): void {
  const carrier = carriers.get(socket) ?? socket;
  // Only TCP has a reset, and not once its orderly end is on the way.
  const isEnding = socket.writableEnded && socket.writableLength === 0;
  const isTcp = carrier instanceof Socket && !(carrier instanceof TLSSocket);
  if (isTcp && !isEnding && !carrier.destroyed) carrier.resetAndDestroy();
  socket.destroy();
}

/** Cuts the connection of a response, at once. */
export function cutResponse(response: ServerResponse): void {
  if (response.socket === null) response.destroy();
  else resetConnection(response.socket);
}

/**
 * Cuts a response that was ended once its client has taken nothing of it for `stallMs`, a quarter more at most. Until it has
 * taken all, nothing more of it is read: whatever it sent would count as a sign of life.
 */
export function cutWhenUnread(response: ServerResponse, stallMs: number): void {
  const lookMs = Math.ceil(stallMs / LOOKS) + OWN_MS;
  let looks = 0;
  let lastMs = performance.now();
  response.on("timeout", () => {
    // Node tells of a time in which nothing was taken, but only where it has seen the same amount before.
    const nowMs = performance.now();
    looks = nowMs - lastMs < LATE_LOOK * lookMs ? looks + 1 : 1;
    lastMs = nowMs;
    if (looks >= LOOKS) cutResponse(response);
    else response.setTimeout(lookMs);
  });
  response.setTimeout(lookMs);
  // One that has to wait for the answer to an earlier request has no socket yet.
  if (response.socket === null)
    response.once("socket", (socket: Socket) => readNoMore(response, socket, lookMs));
  else readNoMore(response, response.socket, lookMs);
}

function readNoMore(response: ServerResponse, socket: Socket, lookMs: number): void {
  const stopReading = (): void => {
    if (!response.writableFinished) socket.pause();
  };
  // A client that is still sending its request reads afterwards. How long that may take has a limit of its own.
  if (response.req.complete) stopReading();
  else response.req.once("end", stopReading);
  response.once("finish", () => {
    socket.resume();
    // Where another request waits already, Node has set no time of its own, and this one was not meant for that request.
    if (socket.timeout === lookMs) socket.setTimeout(0);
  });
}
