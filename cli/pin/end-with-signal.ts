// Ctrl-C while servers are read: their processes are in groups of their own, which a terminal does not reach.
import { constants } from "node:os";

const SIGNALS = ["SIGINT", "SIGTERM", "SIGHUP"] as const;

/** Runs `action`; a signal meanwhile ends this process in a way that its handlers of `exit` are told of. */
export async function endWithSignal<T>(action: () => Promise<T>): Promise<T> {
  const end = (signal: NodeJS.Signals): void => process.exit(128 + constants.signals[signal]);
  for (const name of SIGNALS) process.on(name, end);
  try {
    return await action();
  } finally {
    for (const name of SIGNALS) process.off(name, end);
  }
}
