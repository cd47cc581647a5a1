// From a signal to the end of the process: the first one asks for an orderly end, a second one does not wait for it.
import { constants } from "node:os";

export interface StopSignals {
  /** From now on the first signal is for the caller. Resolves with its name. */
  readonly asked: () => Promise<NodeJS.Signals>;
}

/** Whoever started the gateway may pass on what the terminal has sent to the whole group: both are one. */
const SAME_PRESS_MS = 1_000;

/** Until `asked` is called there is nothing to end in order, so that a signal ends the process at once. */
export function listenForStop(): StopSignals {
  const first = Promise.withResolvers<NodeJS.Signals>();
  let isAwaited = false;
  let firstMs: number | undefined;
  // Handlers of `exit` kill the servers that run.
  const end = (signal: NodeJS.Signals): void => process.exit(128 + constants.signals[signal]);
  const onStop = (signal: NodeJS.Signals): void => {
    if (!isAwaited) return end(signal);
    if (firstMs === undefined) {
      firstMs = performance.now();
      first.resolve(signal);
    } else if (performance.now() - firstMs >= SAME_PRESS_MS) end(signal);
  };
  process.on("SIGTERM", onStop).on("SIGINT", onStop).on("SIGQUIT", end);
  return {
    asked: () => {
      isAwaited = true;
      return first.promise;
    },
  };
}
