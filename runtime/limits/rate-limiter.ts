// What the throttle stage asks of a limiter, whatever store stands behind it.
import type { LimitEntry } from "#bundle";

/** One limit with the counter it is charged to. The caller makes the key: bounded in length and free of forged separators. */
export interface LimitCheck {
  readonly limit: LimitEntry;
  readonly key: string;
}

export interface LimitAllowed {
  readonly allowed: true;
  /** Fewest further calls that any of the limits would admit now; Infinity without limits. */
  readonly remaining: number;
}

export interface LimitDenied {
  readonly allowed: false;
  readonly limitId: string;
  /** After this long the same call would be admitted, if nothing else is charged meanwhile. At least 1. */
  readonly retryAfterMs: number;
  /** `capacity`: the store has no room for another counter, and denies rather than forget one. */
  readonly cause: "limit" | "capacity" | "invalid";
}

export type RateDecision = LimitAllowed | LimitDenied;

export interface RateLimiter {
  /**
   * Checks all limits, then charges all or none: a denied call costs nothing.
   * `nowMs` is from one clock throughout; one that goes backwards never admits more.
   */
  readonly check: (checks: readonly LimitCheck[], nowMs: number) => RateDecision | Promise<RateDecision>;
}
