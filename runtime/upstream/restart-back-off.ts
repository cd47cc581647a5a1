// How long to wait before a process or connection that keeps ending is opened again. Outlives the channel that met it,
// as whoever asks for the next one often does so through a channel of its own.
import { UPSTREAM_CAPS, backOffMs } from "./upstream-caps.ts";

/** One attempt to keep a process or connection open. */
export interface Attempt {
  /** It said something that was well formed. */
  readonly answered: () => void;
  /** It ended by itself. The first end in a row costs no delay. */
  readonly failed: () => void;
}

export interface RestartBackOff {
  readonly isDue: () => boolean;
  readonly begin: () => Attempt;
}

/** The delay starts anew after one that answered and lived for `UPSTREAM_CAPS.settledMs`. */
export function createRestartBackOff(monotonicMs: () => number): RestartBackOff {
  let failures = 0;
  let notBeforeMs = 0;
  let round = 0;
  return {
    isDue: () => monotonicMs() >= notBeforeMs,
    begin: () => {
      const startedMs = monotonicMs();
      const begunIn = round;
      let hasAnswered = false;
      const settle = (): void => {
        if (hasAnswered && monotonicMs() - startedMs >= UPSTREAM_CAPS.settledMs) failures = 0;
      };
      return {
        answered: () => {
          hasAnswered = true;
          settle();
        },
        failed: () => {
          // Those that were started together and end together are one failure.
          if (begunIn !== round) return;
          settle();
          round++;
          failures++;
          notBeforeMs = monotonicMs() + backOffMs(failures - 1);
        },
      };
    },
  };
}

/**
 * A delay for each of the ways in which something is opened. At most `UPSTREAM_CAPS.maxRestartDelays` are remembered, those
 * used last.
 *
 * @param way what the other end is told when it is opened; what it ends on need not be what it ends on otherwise
 */
export function createRestartBackOffs(monotonicMs: () => number): (way: string) => RestartBackOff {
  const delays = new Map<string, RestartBackOff>();
  return (way) => {
    const delay = delays.get(way) ?? createRestartBackOff(monotonicMs);
    delays.delete(way);
    delays.set(way, delay);
    const [oldest] = delays.keys();
    if (delays.size > UPSTREAM_CAPS.maxRestartDelays && oldest !== undefined) delays.delete(oldest);
    return delay;
  };
}
