// Whether a server can be reached, as its callers found out. One that is away is asked again only now and then: whoever
// else calls it is told at once instead of waiting for the same connection. A call that ran out of time proves nothing, as
// its tool may be slow: the server is then asked by the gateway itself, and only one that leaves that unanswered is away.
import { AegisError, isAegisError } from "#errors";
import { UpstreamFault, untilAborted } from "#upstream";
import type { ChannelKey, ExchangeObserver, ServerUpstream } from "#upstream";

/** Failed connections in a row after which calls fail at once. */
const OPEN_AFTER = 3;
/** While calls fail at once, one call this often finds out whether the server is back. */
const PROBE_EVERY_MS = 2_000;
/** How long that call waits for it. */
const PROBE_WAIT_MS = 2_000;
/** A server that answered the gateway itself is not asked again before. */
const CHECK_AGAIN_MS = 2_000;

export interface GuardedUpstream {
  /** The same upstream. Its requests throw UPSTREAM_UNAVAILABLE at once while the server is known to be away. */
  readonly upstream: ServerUpstream;
  /** False where the latest connection failed or the server does not answer; true where none was tried. */
  readonly isReachable: () => boolean;
}

/** How the gateway asks a server itself. */
export interface ContactCheck {
  /** Carries no caller's messages; a legacy one is released after each check. */
  readonly channel: ChannelKey;
  /** After which a server that said nothing is away. */
  readonly timeoutMs: number;
}

/** @param check absent = a server that does not answer is never taken to be away. */
export function guardUpstream(
  upstream: ServerUpstream,
  monotonicMs: () => number,
  check?: ContactCheck,
): GuardedUpstream {
  const guard = new Guard(upstream, monotonicMs, check);
  return {
    isReachable: () => guard.isReachable,
    upstream: {
      server: upstream.server,
      request: (channel, request, observer, limits, signal) =>
        guard.run(signal, () => {
          const heard: ExchangeObserver = {
            ...observer,
            onNotification: (notification) => {
              guard.heard();
              observer.onNotification(notification);
            },
            onReceived: () => {
              guard.heard();
              observer.onReceived?.();
            },
            onServerRequest: (asked, withdrawn) => {
              guard.heard();
              return observer.onServerRequest(asked, withdrawn);
            },
          };
          return upstream.request(channel, request, heard, limits, signal);
        }),
      announce: (channel, signal) => guard.run(signal, () => upstream.announce(channel, signal)),
      notify: (...args) => upstream.notify(...args),
      release: (...args) => upstream.release(...args),
      close: () => upstream.close(),
      describe: () => upstream.describe(),
    },
  };
}

class Guard {
  readonly #upstream: ServerUpstream;
  readonly #monotonicMs: () => number;
  readonly #check: ContactCheck | undefined;
  isReachable = true;
  #failures = 0;
  #failedAtMs = 0;
  /** Last sign of life. */
  #heardAtMs = -Infinity;
  /** Last time that the server answered the gateway itself. */
  #foundAtMs = -Infinity;
  #isProbing = false;
  #checking: Promise<void> | undefined;

  constructor(upstream: ServerUpstream, monotonicMs: () => number, check: ContactCheck | undefined) {
    this.#upstream = upstream;
    this.#monotonicMs = monotonicMs;
    this.#check = check;
  }

  async run<T>(signal: AbortSignal, send: () => Promise<T>): Promise<T> {
    const passing = this.#pass(signal);
    if (passing !== undefined) await passing;
    const isProbe = this.#isOpen();
    if (isProbe) this.#isProbing = true;
    const startedMs = this.#monotonicMs();
    try {
      const reply = await send();
      this.heard();
      return reply;
    } catch (fault) {
      this.#judge(fault, startedMs);
      throw fault;
    } finally {
      if (isProbe) this.#isProbing = false;
    }
  }

  heard(): void {
    this.#failures = 0;
    this.isReachable = true;
    this.#heardAtMs = this.#monotonicMs();
  }

  #isOpen(): boolean {
    return this.#failures >= OPEN_AFTER;
  }

  /**
   * What a call waits for before it is sent; undefined = nothing, and it is sent in the same turn.
   * @throws {AegisError} UPSTREAM_UNAVAILABLE where the server is away
   */
  #pass(signal: AbortSignal): Promise<void> | undefined {
    if (!this.#isOpen()) {
      // Whether the server is away is being found out; one that is not says so at once.
      return this.#checking === undefined ? undefined : this.#after(this.#checking, signal);
    }
    const isDue = this.#monotonicMs() - this.#failedAtMs >= PROBE_EVERY_MS;
    if (this.#isProbing || this.#checking !== undefined || !isDue) throw this.#away();
    if (this.#check === undefined) return undefined;
    const bounded = AbortSignal.any([signal, AbortSignal.timeout(PROBE_WAIT_MS)]);
    return this.#after(
      untilAborted(this.#startCheck(this.#check), bounded).catch(() => undefined),
      signal,
    );
  }

  async #after(checked: Promise<void>, signal: AbortSignal): Promise<void> {
    await untilAborted(checked, signal);
    if (this.#isOpen()) throw this.#away();
  }

  #away(): AegisError {
    return new AegisError("UPSTREAM_UNAVAILABLE", `${this.#upstream.server} could not be reached lately`);
  }

  #judge(fault: unknown, startedMs: number): void {
    const nowMs = this.#monotonicMs();
    if (isConnectFault(fault)) {
      this.isReachable = false;
      this.#failures += 1;
      this.#failedAtMs = nowMs;
      return;
    }
    // Whatever the server said to anybody meanwhile, it is there.
    const isSilent = isTimeout(fault) && this.#heardAtMs < startedMs;
    if (this.#check === undefined || this.#checking !== undefined || !(isSilent || isNewlyGone(fault)))
      return;
    // All callers wait for a check: what one of them runs into over and over must not start one each time.
    if (nowMs - this.#foundAtMs < CHECK_AGAIN_MS) return;
    if (isSilent && nowMs - startedMs >= this.#check.timeoutMs) this.isReachable = false;
    void this.#startCheck(this.#check);
  }

  #startCheck(check: ContactCheck): Promise<void> {
    const checking = this.#answers(check).then((isThere) => {
      this.#checking = undefined;
      if (isThere) {
        this.#foundAtMs = this.#monotonicMs();
        return this.heard();
      }
      this.isReachable = false;
      this.#failures = OPEN_AFTER;
      this.#failedAtMs = this.#monotonicMs();
    });
    this.#checking = checking;
    return checking;
  }

  /** Never rejects. Any answer is one, a refusal too; what never left the gateway says nothing against the server. */
  async #answers({ channel, timeoutMs }: ContactCheck): Promise<boolean> {
    try {
      await this.#upstream.announce(channel, AbortSignal.timeout(timeoutMs));
      return true;
    } catch (fault) {
      return !isConnectFault(fault) && !isTimeout(fault) && !isGone(fault);
    } finally {
      if (channel.era === "legacy") this.#upstream.release(channel).catch(() => undefined);
    }
  }
}

/** The connection itself failed. What one caller's channel runs into must not close the server to others. */
function isConnectFault(fault: unknown): boolean {
  if (!(fault instanceof UpstreamFault) || !fault.unsent) return false;
  return fault.httpStatus === undefined && fault.cause !== undefined;
}

function isTimeout(fault: unknown): boolean {
  return isAegisError(fault) && (fault.code === "UPSTREAM_TIMEOUT" || fault.code === "EXCHANGE_DEADLINE");
}

function isGone(fault: unknown): boolean {
  return fault instanceof UpstreamFault && fault.gone;
}

/** One that was refused because of an earlier end is no news. */
function isNewlyGone(fault: unknown): boolean {
  return fault instanceof UpstreamFault && fault.gone && !fault.unsent;
}
