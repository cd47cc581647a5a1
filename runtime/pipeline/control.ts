// The life of one exchange: a deadline, the caller's cancel, and the dropped connection, in one abort signal.
import { AegisError } from "#errors";
import type { InboundHttp } from "../listener/inbound.ts";
import type { ExchangeControl } from "./exchange.ts";

/** Longest an exchange may take before its route is known. */
const ADMISSION_DEADLINE_MS = 30_000;

export interface OwnedControl extends ExchangeControl {
  /** Stops the timer; the signal stays as it is. */
  readonly release: () => void;
}

export interface ControlOptions {
  readonly admissionDeadlineMs?: number | undefined;
  /** Told of every deadline that is set, in milliseconds from the start of the exchange. */
  readonly onDeadline?: (deadlineMs: number) => void;
}

class Control implements OwnedControl {
  readonly #controller = new AbortController();
  readonly #startedMs = performance.now();
  #onDeadline: ((deadlineMs: number) => void) | undefined;
  #dueMs: number;
  #timerDueMs: number;
  #timer: NodeJS.Timeout;
  #endsWithClient = true;
  #waitsForServer = 0;

  constructor(inbound: Pick<InboundHttp, "onClosed">, options: ControlOptions) {
    const { admissionDeadlineMs = ADMISSION_DEADLINE_MS, onDeadline } = options;
    this.#onDeadline = onDeadline;
    this.#dueMs = this.#startedMs + admissionDeadlineMs;
    this.#timerDueMs = this.#dueMs;
    this.#timer = setTimeout(this.#onTimer, admissionDeadlineMs);
    inbound.onClosed(() => {
      if (this.#endsWithClient) this.#abort("EXCHANGE_ABORTED", "the caller closed the connection");
    });
  }

  get signal(): AbortSignal {
    return this.#controller.signal;
  }

  /**
   * A deadline after that of the timer leaves it: it looks again when it fires. Nearly every exchange is over long before,
   * and timers of one duration share a list, where one for what is left of a route's deadline would have its own.
   */
  setDeadline(deadlineMs: number): void {
    this.#dueMs = this.#startedMs + deadlineMs;
    if (this.#dueMs < this.#timerDueMs) this.#startTimer();
    this.#onDeadline?.(deadlineMs);
  }

  keepAfterDisconnect(): void {
    this.#endsWithClient = false;
  }

  cancel(): void {
    this.#abort("EXCHANGE_ABORTED", "the caller cancelled the request");
  }

  waitForServer(): () => void {
    this.#waitsForServer += 1;
    let isOver = false;
    return () => {
      if (!isOver) this.#waitsForServer -= 1;
      isOver = true;
    };
  }

  release(): void {
    this.#endsWithClient = false;
    // A stream that outlives its exchange has its control, and with it would keep a release that nobody uses any more.
    this.#onDeadline = undefined;
    clearTimeout(this.#timer);
  }

  readonly #onTimer = (): void => {
    // Timers may fire up to a millisecond early.
    if (performance.now() + 1 < this.#dueMs) this.#startTimer();
    else if (this.#waitsForServer > 0)
      this.#abort("UPSTREAM_TIMEOUT", "the server did not answer within the endpoint's deadline");
    else this.#abort("EXCHANGE_DEADLINE", "the exchange's deadline passed");
  };

  #startTimer(): void {
    clearTimeout(this.#timer);
    this.#timerDueMs = this.#dueMs;
    this.#timer = setTimeout(this.#onTimer, Math.max(0, this.#dueMs - performance.now()));
  }

  #abort(code: "EXCHANGE_ABORTED" | "EXCHANGE_DEADLINE" | "UPSTREAM_TIMEOUT", detail: string): void {
    this.#controller.abort(new AegisError(code, detail));
  }
}

/** The control of one exchange, which starts now. */
export function createControl(
  inbound: Pick<InboundHttp, "onClosed">,
  options: ControlOptions = {},
): OwnedControl {
  return new Control(inbound, options);
}
