// A server-sent event stream over one response (WHATWG HTML, server-sent events): framing, back-pressure, keep-alive.
import type { ServerResponse } from "node:http";
import { AegisError } from "#errors";
import type { SseStream } from "./inbound.ts";
import type { ListenerLimits } from "./limits.ts";

export const SSE_HEADERS = {
  "content-type": "text/event-stream",
  "cache-control": "no-cache, no-transform",
  "x-accel-buffering": "no",
} as const;

/** What one turn of the event loop may queue, in buffer caps. */
const BURST_FACTOR = 4;

type StreamLimits = Pick<ListenerLimits, "maxStreamBufferBytes" | "streamStallMs" | "streamKeepAliveMs">;

/** `response` has its head written already. */
export function createSseStream(response: ServerResponse, limits: StreamLimits): SseStream {
  const closing = new AbortController();
  const waiting = new Set<() => void>();
  let stallTimer: NodeJS.Timeout | undefined;
  // Over the cap although the socket has had its turn to write. A burst within one turn is no sign of a slow reader.
  let stalled = false;
  const isOver = (): boolean => closing.signal.aborted || response.writableEnded || response.destroyed;
  const isFull = (): boolean => response.writableLength > limits.maxStreamBufferBytes;

  const refuses = (): boolean =>
    isFull() && (stalled || response.writableLength > BURST_FACTOR * limits.maxStreamBufferBytes);

  const watchStall = (): void => {
    if (stallTimer !== undefined || !isFull()) return;
    setImmediate(() => (stalled = isFull()));
    stallTimer = setTimeout(() => {
      stallTimer = undefined;
      if (isFull()) response.destroy();
    }, limits.streamStallMs);
    stallTimer.unref();
  };
  const onDrain = (): void => {
    if (isFull()) return;
    clearTimeout(stallTimer);
    stallTimer = undefined;
    stalled = false;
    for (const resume of [...waiting]) resume();
  };
  const keepAlive = setInterval(() => comment(), limits.streamKeepAliveMs);
  keepAlive.unref();
  const comment = (): void => {
    if (!isOver() && response.writableLength === 0) response.write(":\n\n");
  };

  response.on("drain", onDrain);
  response.once("close", () => {
    clearInterval(keepAlive);
    clearTimeout(stallTimer);
    closing.abort();
    for (const resume of [...waiting]) resume();
  });

  return {
    send: (json) => {
      if (isOver() || refuses()) return false;
      response.write(frame(json));
      watchStall();
      return true;
    },
    comment,
    drained: (signal) => waitUntil(() => isOver() || !isFull(), waiting, signal),
    end: (finalJson) => {
      clearInterval(keepAlive);
      if (!isOver()) {
        if (finalJson instanceof Uint8Array) {
          response.write(DATA_PREFIX);
          response.write(finalJson);
          response.end("\n\n");
        } else response.end(finalJson === undefined ? undefined : frame(finalJson));
        // What is queued must be read: without progress for the stall time the connection is cut.
        if (!response.writableFinished) response.setTimeout(limits.streamStallMs, () => response.destroy());
      }
      closing.abort();
    },
    closed: closing.signal,
  };
}

const DATA_PREFIX = "event: message\ndata: ";

function frame(json: string): string {
  return `${DATA_PREFIX}${singleLine(json)}\n\n`;
}

/**
 * JSON text on one line. CR and LF stand only between tokens of JSON text; the line separators may stand in strings,
 * where their escapes mean the same.
 */
export function singleLine(json: string): string {
  if (!/[\r\n\u2028\u2029]/.test(json)) return json;
  return json
    .replace(/[\r\n]/g, " ")
    .replaceAll("\u2028", "\\u2028")
    .replaceAll("\u2029", "\\u2029");
}

function waitUntil(ready: () => boolean, waiting: Set<() => void>, signal: AbortSignal): Promise<void> {
  if (ready()) return Promise.resolve();
  return new Promise((resolve, reject) => {
    const settle = (): void => {
      waiting.delete(resume);
      signal.removeEventListener("abort", abort);
    };
    const resume = (): void => {
      settle();
      resolve();
    };
    const abort = (): void => {
      settle();
      reject(new AegisError("EXCHANGE_ABORTED", "stopped waiting for a slow reader"));
    };
    if (signal.aborted) return abort();
    waiting.add(resume);
    signal.addEventListener("abort", abort, { once: true });
  });
}
