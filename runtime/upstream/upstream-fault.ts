// Faults of the upstream leg, with the facts that a retry decision and an era probe need.
import { AegisError, isAegisError } from "#errors";
import type { ErrorCode } from "#errors";

/** A fault of one upstream exchange. */
export class UpstreamFault extends AegisError {
  /** True only where it is certain that no byte of the message reached the upstream. */
  readonly unsent: boolean;
  /** HTTP status of the answer, where there was one. */
  readonly httpStatus: number | undefined;
  /** The process or connection that all messages go through ended, could not be started, or keeps ending. */
  readonly gone: boolean;
  /** The server refused the message because it does not know the session; the next message opens another. */
  readonly sessionLost: boolean;
  constructor(
    code: ErrorCode,
    detail: string,
    facts: {
      readonly unsent?: boolean;
      readonly httpStatus?: number;
      readonly gone?: boolean;
      readonly sessionLost?: boolean;
      readonly cause?: unknown;
    } = {},
  ) {
    super(code, detail, facts.cause === undefined ? undefined : { cause: facts.cause });
    this.unsent = facts.unsent ?? false;
    this.httpStatus = facts.httpStatus;
    this.gone = facts.gone ?? false;
    this.sessionLost = facts.sessionLost ?? false;
  }
}

/** True where the message of this failed exchange certainly never left the gateway. */
export function isUnsent(error: unknown): boolean {
  return error instanceof UpstreamFault && error.unsent;
}

/** The error an aborted exchange rejects with: the signal's own fault, a timeout, or EXCHANGE_ABORTED. */
export function abortFault(signal: AbortSignal): AegisError {
  const reason: unknown = signal.reason;
  if (isAegisError(reason)) return reason;
  if (reason instanceof DOMException && reason.name === "TimeoutError") {
    return new UpstreamFault("UPSTREAM_TIMEOUT", "the time allowed for the upstream ran out", {
      cause: reason,
    });
  }
  return new UpstreamFault("EXCHANGE_ABORTED", "the exchange was aborted", { cause: reason });
}

/** Waits for `work`, but no longer than until `signal` is aborted. `work` itself is left running. */
export function untilAborted<T>(work: Promise<T>, signal: AbortSignal): Promise<T> {
  return new Promise<T>((resolve, reject) => {
    const onAbort = (): void => reject(abortFault(signal));
    if (signal.aborted) {
      work.catch(() => undefined);
      onAbort();
      return;
    }
    signal.addEventListener("abort", onAbort, { once: true });
    work.then(resolve, reject).finally(() => signal.removeEventListener("abort", onAbort));
  });
}

/** Waits `delayMs`, or rejects as soon as `signal` is aborted. Does not keep the process alive. */
export function pause(delayMs: number, signal: AbortSignal): Promise<void> {
  return new Promise<void>((resolve, reject) => {
    if (signal.aborted) {
      reject(abortFault(signal));
      return;
    }
    const onAbort = (): void => {
      clearTimeout(timer);
      reject(abortFault(signal));
    };
    const timer = setTimeout(() => {
      signal.removeEventListener("abort", onAbort);
      resolve();
    }, delayMs);
    timer.unref();
    signal.addEventListener("abort", onAbort, { once: true });
  });
}
