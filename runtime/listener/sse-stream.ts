// A server-sent event stream over one response (WHATWG HTML, server-sent events): framing and keep-alive.
import type { ServerResponse } from "node:http";
import { createBackPressure } from "./back-pressure.ts";
import type { EventMark, SseStream } from "./inbound.ts";
import type { ListenerLimits } from "./limits.ts";
import { cutResponse, cutWhenUnread } from "./unread.ts";

export const SSE_HEADERS = {
  "content-type": "text/event-stream",
  "cache-control": "no-cache, no-transform",
  "x-accel-buffering": "no",
} as const;

type StreamLimits = Pick<ListenerLimits, "maxStreamBufferBytes" | "streamStallMs" | "streamKeepAliveMs">;

/** `response` has its head written already. */
export function createSseStream(response: ServerResponse, limits: StreamLimits): SseStream {
  const closing = new AbortController();
  const isOver = (): boolean => closing.signal.aborted || response.writableEnded || response.destroyed;
  const { isFull, refuses, onWrite, onDrain, onEnd, onClose, drained } = createBackPressure({
    bufferedBytes: () => response.writableLength,
    isOver,
    cut: () => cutResponse(response),
    maxBufferedBytes: limits.maxStreamBufferBytes,
    stallMs: limits.streamStallMs,
  });
  const keepAlive = setInterval(() => comment(), limits.streamKeepAliveMs);
  keepAlive.unref();
  // A response that has closed already does not say so again.
  if (response.closed || response.destroyed) {
    clearInterval(keepAlive);
    closing.abort();
  }
  const comment = (): void => {
    if (!isOver() && response.writableLength === 0) response.write(":\n\n");
  };

  response.on("drain", onDrain);
  response.once("close", () => {
    clearInterval(keepAlive);
    closing.abort();
    onClose();
  });

  return {
    send: (json, eventId) => {
      if (isOver() || refuses()) return false;
      response.write(frame(json, eventId));
      onWrite();
      return true;
    },
    comment,
    drained,
    mark: (position) => {
      if (!isOver() && !refuses()) response.write(markFrame(position));
    },
    end: (finalJson, eventId) => {
      clearInterval(keepAlive);
      if (!isOver()) {
        if (finalJson instanceof Uint8Array) {
          response.write(prefix(eventId));
          response.write(finalJson);
          response.end("\n\n");
        } else response.end(finalJson === undefined ? undefined : frame(finalJson, eventId));
        onEnd();
        if (!response.writableFinished) cutWhenUnread(response, limits.streamStallMs);
      }
      closing.abort();
    },
    isFull,
    closed: closing.signal,
  };
}

const DATA_PREFIX = "event: message\ndata: ";

function frame(json: string, eventId: string | undefined): string {
  return `${prefix(eventId)}${singleLine(json)}\n\n`;
}

/** A whole stream of one message. Bytes are one line already. */
export function eventOf(json: string | Uint8Array): string | Uint8Array {
  if (typeof json === "string") return frame(json, undefined);
  return Buffer.concat([Buffer.from(DATA_PREFIX), json, Buffer.from("\n\n")]);
}

/** Ids are the gateway's own: ASCII without line breaks. */
function prefix(eventId: string | undefined): string {
  return eventId === undefined ? DATA_PREFIX : `id: ${eventId}\n${DATA_PREFIX}`;
}

/** An event with an id has empty data, which no client takes for a message; a delay alone is no event. */
function markFrame({ id, retryMs }: EventMark): string {
  const retry = retryMs === undefined ? "" : `retry: ${String(retryMs)}\n`;
  return id === undefined ? `${retry}\n` : `${retry}id: ${id}\ndata: \n\n`;
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
