// From Ctrl-C to an orderly end: the first signal aborts, a second one ends at once.

export interface StopSignal {
  readonly signal: AbortSignal;
  readonly dispose: () => void;
}

const SIGNALS = ["SIGINT", "SIGTERM", "SIGHUP"] as const;
const FORCED_EXIT = 130;

const PARENT_LOOK_MS = 500;

/**
 * `followParent`: the death of the parent is a stop too. npm dies of SIGTERM without passing it on to what it runs.
 */
export function listenForStop(followParent: boolean): StopSignal {
  const controller = new AbortController();
  const stop = (): void => {
    // Exit handlers end the children.
    if (controller.signal.aborted) process.exit(FORCED_EXIT);
    controller.abort(new Error("stopped"));
  };
  for (const name of SIGNALS) process.on(name, stop);
  const parent = process.ppid;
  const look = (): void => {
    if (process.ppid !== parent && !controller.signal.aborted) stop();
  };
  const looking = followParent ? setInterval(look, PARENT_LOOK_MS) : undefined;
  looking?.unref();
  return {
    signal: controller.signal,
    dispose: () => {
      clearInterval(looking);
      for (const name of SIGNALS) process.off(name, stop);
    },
  };
}
