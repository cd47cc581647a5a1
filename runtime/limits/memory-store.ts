// The limiter of one process: the embedded default. A restart forgets every count.
import type { LimitCheck, LimitDenied, RateDecision, RateLimiter } from "./rate-limiter.ts";
import type { SlidingWindow } from "./sliding-window.ts";
import { EXACT_LIMIT_MAX, exactWindow, slicedWindow } from "./sliding-window.ts";

const DEFAULT_MAX_KEYS = 100_000;
const DEFAULT_MAX_SLOTS = 4_000_000;
const MAX_KEY_LENGTH = 512;
/** Counters looked at for expiry on a check that needs a new one or is the first for a while, and on one that finds the store full. */
const SWEEP_STEPS = 4;
const SWEEP_INTERVAL_MS = 1;
const FULL_SWEEP_STEPS = 1_000;
const CAPACITY_RETRY_MS = 1_000;

export interface MemoryLimiterOptions {
  /** Counters held at once. */
  readonly maxKeys?: number;
  /** Admission times and slices held at once, 8 bytes each. */
  readonly maxSlots?: number;
}

export interface MemoryRateLimiter extends RateLimiter {
  readonly check: (checks: readonly LimitCheck[], nowMs: number) => RateDecision;
  /** Counters held, for metrics. */
  readonly keys: () => number;
}

interface Store {
  readonly maxKeys: number;
  readonly maxSlots: number;
  readonly windows: Map<string, SlidingWindow>;
  sweep: MapIterator<[string, SlidingWindow]>;
  slots: number;
  latestMs: number;
  sweptMs: number;
}

function newWindow({ limit }: LimitCheck): SlidingWindow {
  return limit.limit <= EXACT_LIMIT_MAX
    ? exactWindow(limit.limit, limit.windowMs)
    : slicedWindow(limit.limit, limit.windowMs);
}

/** A limit that changed its numbers in a new release starts a new count. */
function storeKey({ limit, key }: LimitCheck): string {
  return `${String(limit.limit)}/${String(limit.windowMs)}/${limit.id}/${key}`;
}

function isUsable({ limit, key }: LimitCheck): boolean {
  if (key.length > MAX_KEY_LENGTH) return false;
  return (
    Number.isSafeInteger(limit.limit) &&
    limit.limit >= 0 &&
    limit.windowMs > 0 &&
    Number.isFinite(limit.windowMs)
  );
}

function denial({ limit }: LimitCheck, waitMs: number, cause: LimitDenied["cause"]): LimitDenied {
  return { allowed: false, limitId: limit.id, retryAfterMs: Math.max(1, Math.ceil(waitMs)), cause };
}

/** Only counters with nothing left to count are dropped: filling the store must not reset anyone's limit. */
function sweepExpired(store: Store, nowMs: number, steps: number): void {
  for (let step = 0; step < steps && store.windows.size > 0; step += 1) {
    const next = store.sweep.next();
    if (next.done === true) {
      store.sweep = store.windows.entries();
      continue;
    }
    const [key, window] = next.value;
    if (window.expired(nowMs)) {
      store.windows.delete(key);
      store.slots -= window.slots();
    }
  }
}

function hasRoom(store: Store, newKeys: number): boolean {
  return store.windows.size + newKeys <= store.maxKeys && store.slots < store.maxSlots;
}

function charge(store: Store, key: string, window: SlidingWindow, nowMs: number): void {
  const before = store.windows.has(key) ? window.slots() : 0;
  window.charge(nowMs);
  store.windows.set(key, window);
  store.slots += window.slots() - before;
}

interface Charged {
  readonly key: string;
  readonly window: SlidingWindow;
}

function check(store: Store, checks: readonly LimitCheck[], nowMs: number): RateDecision {
  const [first] = checks;
  if (first === undefined) return { allowed: true, remaining: Infinity };
  if (!Number.isFinite(nowMs)) return denial(first, CAPACITY_RETRY_MS, "invalid");
  store.latestMs = Math.max(store.latestMs, nowMs);
  const now = store.latestMs;
  const charged: Charged[] = [];
  let newKeys = 0;
  let remaining = Infinity;
  let worst: LimitDenied | undefined;
  for (const entry of checks) {
    if (!isUsable(entry)) return denial(entry, CAPACITY_RETRY_MS, "invalid");
    if (entry.limit.limit === 0) return denial(entry, entry.limit.windowMs, "limit");
    const key = storeKey(entry);
    if (charged.some((other) => other.key === key)) continue;
    const known = store.windows.get(key);
    const window = known ?? newWindow(entry);
    if (known === undefined) newKeys += 1;
    charged.push({ key, window });
    const waitMs = window.waitMs(now);
    if (waitMs > (worst?.retryAfterMs ?? 0)) worst = denial(entry, waitMs, "limit");
    remaining = Math.min(remaining, window.remaining(now) - 1);
  }
  // The store grows by new counters alone, so that no flood of them outruns the sweep.
  if (newKeys > 0 || now - store.sweptMs >= SWEEP_INTERVAL_MS) {
    sweepExpired(store, now, SWEEP_STEPS);
    store.sweptMs = now;
  }
  if (worst !== undefined) return worst;
  if (!hasRoom(store, newKeys)) sweepExpired(store, now, FULL_SWEEP_STEPS);
  if (!hasRoom(store, newKeys)) return denial(first, CAPACITY_RETRY_MS, "capacity");
  for (const { key, window } of charged) charge(store, key, window, now);
  return { allowed: true, remaining };
}

/**
 * Makes the in-process limiter: exact up to a limit of 1,000, above that counted in slices that never admit too many.
 * At its cap on counters it denies (`capacity`) instead of forgetting one that still counts.
 */
export function createRateLimiter(options: MemoryLimiterOptions = {}): MemoryRateLimiter {
  const windows = new Map<string, SlidingWindow>();
  const store: Store = {
    maxKeys: options.maxKeys ?? DEFAULT_MAX_KEYS,
    maxSlots: options.maxSlots ?? DEFAULT_MAX_SLOTS,
    windows,
    sweep: windows.entries(),
    slots: 0,
    latestMs: -Infinity,
    sweptMs: -Infinity,
  };
  return {
    check: (checks, nowMs) => check(store, checks, nowMs),
    keys: () => windows.size,
  };
}
