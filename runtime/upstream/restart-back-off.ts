// How long to wait before a process or connection that keeps ending is opened again. Outlives the channel that met it,
// as whoever asks for the next one often does so through a channel of its own.
import { UPSTREAM_CAPS, backOffMs } from "./upstream-caps.ts";

/** One attempt to keep a process or connection open. */
export interface Attempt {
  /** It answered the handshake. */
  readonly greeted: () => void;
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
        greeted: () => undefined,
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
 * A delay for each handshake that was answered once, and one for all others together: what a client says of itself is its own
 * choice, so a server that ends on it must not keep clients waiting that it is known to serve, nor be started without a
 * delay for every new name. The `UPSTREAM_CAPS.maxKnownHandshakes` that were opened last are known.
 */
export function createHandshakeDelays(monotonicMs: () => number): (handshake: string) => RestartBackOff {
  const strangers = createRestartBackOff(monotonicMs);
  const known = new Map<string, RestartBackOff>();
  const beginKnown = (handshake: string): Attempt => {
    const delay = known.get(handshake) ?? createRestartBackOff(monotonicMs);
    known.delete(handshake);
    known.set(handshake, delay);
    const [oldest] = known.keys();
    if (known.size > UPSTREAM_CAPS.maxKnownHandshakes && oldest !== undefined) known.delete(oldest);
    return delay.begin();
  };
  return (handshake) => ({
    isDue: () => (known.get(handshake) ?? strangers).isDue(),
    begin: () =>
      known.has(handshake)
        ? beginKnown(handshake)
        : strangerAttempt(strangers.begin(), () => beginKnown(handshake)),
  });
}

function strangerAttempt(stranger: Attempt, beginKnown: () => Attempt): Attempt {
  let known: Attempt | undefined;
  return {
    greeted: () => {
      known ??= beginKnown();
    },
    answered: () => {
      stranger.answered();
      known?.answered();
    },
    failed: () => (known ?? stranger).failed(),
  };
}
