// The life of one exchange: a deadline, the caller's cancel, and the dropped connection, in one abort signal.
import { AegisError } from "#errors";
import type { ExchangeControl } from "./exchange.ts";

/** Longest an exchange may take before its route is known. */
export const ADMISSION_DEADLINE_MS = 30_000;

export interface OwnedControl extends ExchangeControl {
  /** Stops the timers; the signal stays as it is. */
  readonly release: () => void;
}

export function createControl(
  closed: AbortSignal,
  admissionDeadlineMs: number = ADMISSION_DEADLINE_MS,
): OwnedControl {
  const controller = new AbortController();
  const startedMs = performance.now();
  const expire = (): void =>
    controller.abort(new AegisError("EXCHANGE_DEADLINE", "the exchange's deadline passed"));
  const onClosed = (): void =>
    controller.abort(new AegisError("EXCHANGE_ABORTED", "the caller closed the connection"));
  let timer = setTimeout(expire, admissionDeadlineMs);
  if (closed.aborted) onClosed();
  else closed.addEventListener("abort", onClosed, { once: true });
  return {
    signal: controller.signal,
    setDeadline: (deadlineMs) => {
      clearTimeout(timer);
      timer = setTimeout(expire, Math.max(0, deadlineMs - (performance.now() - startedMs)));
    },
    keepAfterDisconnect: () => closed.removeEventListener("abort", onClosed),
    cancel: () => controller.abort(new AegisError("EXCHANGE_ABORTED", "the caller cancelled the request")),
    release: () => {
      clearTimeout(timer);
      closed.removeEventListener("abort", onClosed);
    },
  };
}
