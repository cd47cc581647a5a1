// Sliding windows: how many calls were admitted in the last `windowMs`.

/** Largest limit that is counted call by call. */
export const EXACT_LIMIT_MAX = 1_000;
const FIRST_CAPACITY = 8;
const SLICES = 64;

export interface SlidingWindow {
  /** 0 where one more call fits at `nowMs`, else how long until it does. */
  readonly waitMs: (nowMs: number) => number;
  readonly remaining: (nowMs: number) => number;
  /** Counts one call. `nowMs` never decreases, and `waitMs(nowMs)` was 0. */
  readonly charge: (nowMs: number) => void;
  /** True where nothing in the window is left to count. */
  readonly expired: (nowMs: number) => boolean;
  /** Numbers held, for the store's memory cap. */
  readonly slots: () => number;
}

/**
 * Exact: a ring of the admission times. No interval of `windowMs` (its end excluded) holds more than `limit` admissions.
 * The ring grows with use, up to `limit` numbers.
 */
export function exactWindow(limit: number, windowMs: number): SlidingWindow {
  let times = new Float64Array(Math.min(limit, FIRST_CAPACITY));
  let first = 0;
  let count = 0;
  const at = (index: number): number => times[(first + index) % times.length] ?? 0;
  const drop = (nowMs: number): void => {
    while (count > 0 && nowMs - at(0) >= windowMs) {
      first = (first + 1) % times.length;
      count -= 1;
    }
  };
  const grow = (): void => {
    const wider = new Float64Array(Math.min(limit, times.length * 2));
    for (let index = 0; index < count; index += 1) wider[index] = at(index);
    times = wider;
    first = 0;
  };
  return {
    waitMs: (nowMs) => {
      drop(nowMs);
      return count < limit ? 0 : windowMs - (nowMs - at(0));
    },
    remaining: (nowMs) => {
      drop(nowMs);
      return limit - count;
    },
    charge: (nowMs) => {
      drop(nowMs);
      if (count === times.length) grow();
      times[(first + count) % times.length] = nowMs;
      count += 1;
    },
    expired: (nowMs) => count === 0 || nowMs - at(count - 1) >= windowMs,
    slots: () => times.length,
  };
}

/**
 * Approximate, and only to the strict side: the window is cut into 64 slices of time, and a slice counts in full until all of it
 * is out of the window. No window ever admits more than `limit`; a call may have to wait up to 1/64 of the window longer than an exact
 * count would ask. Memory is 65 numbers whatever the limit.
 */
export function slicedWindow(limit: number, windowMs: number): SlidingWindow {
  const sliceMs = windowMs / SLICES;
  const counts = new Float64Array(SLICES + 1);
  let newest = -Infinity;
  let total = 0;
  const advance = (nowMs: number): void => {
    const slice = Math.floor(nowMs / sliceMs);
    if (slice <= newest) return;
    const steps = Math.min(slice - newest, counts.length);
    for (let step = 0; step < steps; step += 1) {
      const index = modulo(slice - step, counts.length);
      total -= counts[index] ?? 0;
      counts[index] = 0;
    }
    newest = slice;
  };
  const oldest = (): number => {
    for (let slice = newest - SLICES; slice <= newest; slice += 1) {
      if ((counts[modulo(slice, counts.length)] ?? 0) > 0) return slice;
    }
    return newest;
  };
  return {
    waitMs: (nowMs) => {
      advance(nowMs);
      return total < limit ? 0 : Math.max(1, (oldest() + SLICES + 1) * sliceMs - nowMs);
    },
    remaining: (nowMs) => {
      advance(nowMs);
      return limit - total;
    },
    charge: (nowMs) => {
      advance(nowMs);
      const index = modulo(newest, counts.length);
      counts[index] = (counts[index] ?? 0) + 1;
      total += 1;
    },
    expired: (nowMs) => {
      advance(nowMs);
      return total === 0;
    },
    slots: () => counts.length,
  };
}

function modulo(value: number, divisor: number): number {
  return ((value % divisor) + divisor) % divisor;
}
