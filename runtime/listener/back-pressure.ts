// What a client leaves unread: when its stream refuses more, who waits for room, and the cut of one that stays behind.
import { AegisError } from "#errors";

/** What one turn of the event loop may queue, in buffer caps. */
const BURST_FACTOR = 4;

export interface OutgoingBuffer {
  /** Bytes that were written and not taken by the client. */
  readonly bufferedBytes: () => number;
  /** Whether nothing more will be written. */
  readonly isOver: () => boolean;
  /** Ends the connection at once. */
  readonly cut: () => void;
  readonly maxBufferedBytes: number;
  /** A client that stays above the cap for this long is cut. */
  readonly stallMs: number;
}

export interface BackPressure {
  /** Above the cap, while the stream is open. */
  readonly isFull: () => boolean;
  /** Whether a message must not be queued now. */
  readonly refuses: () => boolean;
  /** To be called after each write. */
  readonly onWrite: () => void;
  /** To be called when the client has taken something. */
  readonly onDrain: () => void;
  /** To be called when nothing more will be written, and something else watches whether the rest is taken. */
  readonly onEnd: () => void;
  /** To be called when the connection has closed. */
  readonly onClose: () => void;
  /**
   * Resolves once the buffer is below its cap, or the stream is over.
   * @throws {AegisError} EXCHANGE_ABORTED when `signal` aborts before
   */
  readonly drained: (signal: AbortSignal) => Promise<void>;
}

export function createBackPressure(buffer: OutgoingBuffer): BackPressure {
  const { bufferedBytes, isOver, maxBufferedBytes, stallMs } = buffer;
  const waiting = new Set<() => void>();
  let stallTimer: NodeJS.Timeout | undefined;
  // Over the cap although the connection has had its turn to write. A burst within one turn is no sign of a slow reader.
  let stalled = false;
  const isAboveCap = (): boolean => bufferedBytes() > maxBufferedBytes;
  const isFull = (): boolean => !isOver() && isAboveCap();
  const resumeAll = (): void => {
    for (const resume of [...waiting]) resume();
  };
  return {
    isFull,
    refuses: () => isAboveCap() && (stalled || bufferedBytes() > BURST_FACTOR * maxBufferedBytes),
    onWrite: () => {
      if (stallTimer !== undefined || !isAboveCap()) return;
      setImmediate(() => (stalled = isAboveCap()));
      stallTimer = setTimeout(() => {
        stallTimer = undefined;
        if (isAboveCap()) buffer.cut();
      }, stallMs);
      stallTimer.unref();
    },
    onDrain: () => {
      if (isAboveCap()) return;
      clearTimeout(stallTimer);
      stallTimer = undefined;
      stalled = false;
      resumeAll();
    },
    onEnd: () => clearTimeout(stallTimer),
    onClose: () => {
      clearTimeout(stallTimer);
      resumeAll();
    },
    drained: (signal) => (isFull() ? nextResume(waiting, signal) : Promise.resolve()),
  };
}

function nextResume(waiting: Set<() => void>, signal: AbortSignal): Promise<void> {
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
