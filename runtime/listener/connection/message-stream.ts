// The outgoing side of a connection that carries plain messages.
import { createBackPressure } from "../back-pressure.ts";
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

export function createMessageStream(
  wire: MessageWire,
  limits: Pick<ConnectionLimits, "maxBufferedBytes" | "stallMs">,
): WireStream {
  const closing = new AbortController();
  const { isFull, refuses, onWrite, onDrain, onClose, drained } = createBackPressure({
    bufferedBytes: wire.bufferedBytes,
    isOver: () => closing.signal.aborted,
    cut: wire.cut,
    maxBufferedBytes: limits.maxBufferedBytes,
    stallMs: limits.stallMs,
  });
  const stream: SseStream = {
    send: (json) => {
      if (closing.signal.aborted || refuses()) return false;
      wire.write(singleLine(json));
      onWrite();
      return true;
    },
    comment: () => undefined,
    isFull,
    drained,
    end: (finalJson) => {
      if (closing.signal.aborted) return;
      if (finalJson !== undefined) wire.write(singleLine(textOf(finalJson)));
      wire.end();
      closing.abort();
    },
    closed: closing.signal,
  };
  return {
    stream,
    onDrain,
    onClose: () => {
      closing.abort();
      onClose();
    },
  };
}

/** Text of a message that may be bytes. */
export function textOf(message: string | Uint8Array): string {
  return typeof message === "string" ? message : Buffer.from(message).toString("utf8");
}
