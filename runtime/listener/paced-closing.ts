// Connections that have run out of time are ended a few at a time. Whoever came together is late together, in thousands;
// ended in one turn of the event loop, with all who connect anew at once, they would hold up every other caller.
import type { Duplex } from "node:stream";

/**
 * Why a connection is ended: it was idle between requests, a request took too long to arrive, or its client has left in
 * the middle of one.
 */
export type ClosingReason = "idle" | "slow" | "left";

export interface PacedClosing {
  /** Ends a connection soon, in turn; an idle one unless it is used before. */
  readonly add: (socket: Duplex, why: ClosingReason) => void;
  /** A request has come on it. False where it came too late: the connection has been ended. */
  readonly use: (socket: Duplex) => boolean;
}

const SLICE_EVERY_MS = 5;
/** Least connections of one slice: 1,600 a second, of which each costs about a tenth of a millisecond. */
const LEAST_PER_SLICE = 8;
/** Of what waits, one part in so many goes in a slice: a backlog of any size is worked off in seconds. */
const SLICES_FOR_BACKLOG = 500;

/** What waits is bounded by the connections that may be open. */
export function createPacedClosing(
  endConnection: (socket: Duplex, why: ClosingReason) => void,
): PacedClosing {
  const waiting = new Map<Duplex, ClosingReason>();
  let timer: NodeJS.Timeout | undefined;
  const end = (socket: Duplex, why: ClosingReason): void => {
    waiting.delete(socket);
    endConnection(socket, why);
  };
  const runSlice = (): void => {
    let left = Math.max(LEAST_PER_SLICE, Math.ceil(waiting.size / SLICES_FOR_BACKLOG));
    for (const [socket, why] of waiting) {
      if (left-- === 0) break;
      end(socket, why);
    }
    timer = waiting.size === 0 ? undefined : setTimeout(runSlice, SLICE_EVERY_MS);
  };
  return {
    add: (socket, why) => {
      waiting.set(socket, why);
      timer ??= setTimeout(runSlice, 0);
    },
    use: (socket) => {
      if (waiting.size === 0) return true;
      const why = waiting.get(socket);
      const isUsable = why === undefined || why === "idle";
      // The parser no longer watches the time of a connection that it has found too slow.
      if (isUsable) waiting.delete(socket);
      else end(socket, why);
      return isUsable;
    },
  };
}
