// The outgoing side of a connection that carries plain messages: back-pressure, and the cut of a reader that stays behind.
import { AegisError } from "#errors";
import type { SseStream } from "../inbound.ts";
import { singleLine } from "../sse-stream.ts";
import type { ConnectionLimits } from "./limits.ts";

/** A wire that frames one message for each `write`. */
export interface MessageWire {
  readonly write: (message: string) => void;
  /** Bytes that were written and not taken by the client. */
  readonly bufferedBytes: () => number;
  /** Ends the wire after what was written. */
  readonly end: () => void;
  /** Ends it at once. */
  readonly cut: () => void;
}

export interface WireStream {
  readonly stream: SseStream;
  /** To be called when the client has taken something. */
  readonly onDrain: () => void;
  /** To be called when the wire has closed. */
  readonly onClose: () => void;
}

/** What one turn of the event loop may queue, in buffer caps. */
const BURST_FACTOR = 4;

export function createMessageStream(
  wire: MessageWire,
  limits: Pick<ConnectionLimits, "maxBufferedBytes" | "stallMs">,
): WireStream {
  const closing = new AbortController();
  const waiting = new Set<() => void>();
  let stallTimer: NodeJS.Timeout | undefined;
  // Over the cap although the wire has had its turn to write. A burst within one turn is no sign of a slow reader.
  let stalled = false;
  const isFull = (): boolean => wire.bufferedBytes() > limits.maxBufferedBytes;
  const refuses = (): boolean =>
    isFull() && (stalled || wire.bufferedBytes() > BURST_FACTOR * limits.maxBufferedBytes);
  const watchStall = (): void => {
    if (stallTimer !== undefined || !isFull()) return;
    setImmediate(() => (stalled = isFull()));
    stallTimer = setTimeout(() => {
      stallTimer = undefined;
      if (isFull()) wire.cut();
    }, limits.stallMs);
    stallTimer.unref();
  };
  const onDrain = (): void => {
    if (isFull()) return;
    clearTimeout(stallTimer);
    stallTimer = undefined;
    stalled = false;
    for (const resume of [...waiting]) resume();
  };
  const send = (json: string): boolean => {
    if (closing.signal.aborted || refuses()) return false;
    wire.write(singleLine(json));
    watchStall();
    return true;
  };
  const stream: SseStream = {
    send,
    comment: () => undefined,
    isFull,
    drained: (signal) => waitUntil(() => closing.signal.aborted || !refuses(), waiting, signal),
    end: (finalJson) => {
      if (closing.signal.aborted) return;
      if (finalJson !== undefined) wire.write(singleLine(textOf(finalJson)));
      wire.end();
      closing.abort();
    },
    closed: closing.signal,
  };
  const onClose = (): void => {
    clearTimeout(stallTimer);
    closing.abort();
    for (const resume of [...waiting]) resume();
  };
  return { stream, onDrain, onClose };
}

/** Text of a message that may be bytes. */
export function textOf(message: string | Uint8Array): string {
  return typeof message === "string" ? message : Buffer.from(message).toString("utf8");
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
