// From Ctrl-C to an orderly end: the first signal aborts, a second one ends at once.

export interface StopSignal {
  readonly signal: AbortSignal;
  /** Resolves when the user wants an end. */
  readonly requested: Promise<void>;
  readonly dispose: () => void;
}

const SIGNALS = ["SIGINT", "SIGTERM", "SIGHUP"] as const;
const FORCED_EXIT = 130;

export function listenForStop(): StopSignal {
  const controller = new AbortController();
  const stop = (): void => {
    // Exit handlers end the children.
    if (controller.signal.aborted) process.exit(FORCED_EXIT);
    controller.abort(new Error("stopped"));
  };
  for (const name of SIGNALS) process.on(name, stop);
  return {
    signal: controller.signal,
    requested: new Promise((resolve) => {
      controller.signal.addEventListener("abort", () => resolve(), { once: true });
    }),
    dispose: () => {
      for (const name of SIGNALS) process.off(name, stop);
    },
  };
}
