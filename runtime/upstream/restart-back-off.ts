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
