// A connection of a stream as the tests see it: what was written, and a reader that can fall behind or go away.
import type { EventMark, SseStream } from "../../../runtime/listener/inbound.ts";

export interface Written {
  readonly id: string | undefined;
  readonly json: string | undefined;
  readonly retryMs?: number | undefined;
}

export interface FakeConnection extends SseStream {
  readonly written: Written[];
  /** The reader reads nothing, or reads again. */
  readonly setFull: (isFull: boolean) => void;
  /** The client goes away. */
  readonly break: () => void;
  readonly ended: () => boolean;
}

export function fakeConnection(): FakeConnection {
  const written: Written[] = [];
  const closing = new AbortController();
  let isFull = false;
  let isEnded = false;
  let waiting: (() => void)[] = [];
  const write = (entry: Written): boolean => {
    if (closing.signal.aborted || isFull) return false;
    written.push(entry);
    return true;
  };
  return {
    written,
    send: (json, id) => write({ id, json }),
    mark: ({ id, retryMs }: EventMark) =>
      void write({ id, json: undefined, ...(retryMs ? { retryMs } : {}) }),
    comment: () => undefined,
    drained: (signal) =>
      new Promise((resolve, reject) => {
        if (!isFull || closing.signal.aborted) return resolve();
        waiting.push(resolve);
        signal.addEventListener("abort", () => reject(new Error("aborted")), { once: true });
      }),
    isFull: () => isFull,
    end: (final, id) => {
      if (closing.signal.aborted) return;
      isEnded = true;
      if (final !== undefined)
        written.push({ id, json: typeof final === "string" ? final : Buffer.from(final).toString() });
      closing.abort();
    },
    closed: closing.signal,
    setFull: (full) => {
      isFull = full;
      if (full) return;
      for (const resume of waiting) resume();
      waiting = [];
    },
    break: () => {
      closing.abort();
      for (const resume of waiting) resume();
      waiting = [];
    },
    ended: () => isEnded,
  };
}
