// Waits for what no event tells, with a bound.
import { setTimeout as delay } from "node:timers/promises";

const TIMEOUT_MS = 60_000;
const INTERVAL_MS = 2;

/** @throws {Error} that names `what` after `timeoutMs`, by default a minute */
export async function waitUntil(
  condition: () => boolean | Promise<boolean>,
  what: string,
  timeoutMs = TIMEOUT_MS,
): Promise<void> {
  const deadlineMs = performance.now() + timeoutMs;
  while (!(await condition())) {
    if (performance.now() > deadlineMs) throw new Error(`waited too long for ${what}`);
    await delay(INTERVAL_MS);
  }
}
