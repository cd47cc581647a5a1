// No window admits more than its limit, whatever the times, keys and clock; and nothing a caller does resets a count.
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { LimitEntry } from "#bundle";
import type { LimitCheck, MemoryRateLimiter } from "../../../runtime/limits/index.ts";
import { createRateLimiter, EXACT_LIMIT_MAX } from "../../../runtime/limits/index.ts";

function entry(limit: number, windowMs: number, id = "calls"): LimitEntry {
  return { id, per: ["principal"], limit, windowMs };
}

function check(limit: number, windowMs: number, key = "alice", id = "calls"): LimitCheck {
  return { limit: entry(limit, windowMs, id), key };
}

function allowed(limiter: MemoryRateLimiter, checks: readonly LimitCheck[], nowMs: number): boolean {
  return limiter.check(checks, nowMs).allowed;
}

/** Most admissions in any interval of `windowMs`, its end excluded. */
function densest(times: readonly number[], windowMs: number): number {
  let most = 0;
  for (let start = 0, end = 0; end < times.length; end += 1) {
    while ((times[end] ?? 0) - (times[start] ?? 0) >= windowMs) start += 1;
    most = Math.max(most, end - start + 1);
  }
  return most;
}

const steps = fc.array(fc.nat({ max: 400 }), { minLength: 1, maxLength: 300 });

describe("no window admits more than its limit", () => {
  test("exact: and one more call is admitted as soon as one fits", () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 40 }),
        fc.integer({ min: 1, max: 5_000 }),
        steps,
        (limit, windowMs, gaps) => {
          const limiter = createRateLimiter();
          const admitted: number[] = [];
          let nowMs = 1_000_000;
          for (const gap of gaps) {
            nowMs += gap;
            const inWindow = admitted.filter((at) => nowMs - at < windowMs).length;
            const decision = limiter.check([check(limit, windowMs)], nowMs);
            expect(decision.allowed).toBe(inWindow < limit);
            if (decision.allowed) {
              expect(decision.remaining).toBe(limit - inWindow - 1);
              admitted.push(nowMs);
            } else {
              // The wait it names is neither too long nor too short.
              const oldest = admitted.at(-limit) ?? 0;
              expect(decision.retryAfterMs).toBe(oldest + windowMs - nowMs);
            }
          }
          expect(densest(admitted, windowMs)).toBeLessThanOrEqual(limit);
        },
      ),
      { numRuns: 150, seed: 5 },
    );
  });

  test("above the exact bound: never more, and after the wait it names one is admitted", () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 64, max: 60_000 }),
        fc.array(fc.nat({ max: 30 }), { minLength: 50, maxLength: 400 }),
        (windowMs, gaps) => {
          const limit = EXACT_LIMIT_MAX + 1;
          const limiter = createRateLimiter();
          const admitted: number[] = [];
          let nowMs = 5_000_000.5;
          for (const gap of gaps) {
            nowMs += gap;
            for (let call = 0; call < 25; call += 1) {
              const decision = limiter.check([check(limit, windowMs)], nowMs);
              if (!decision.allowed) {
                nowMs += decision.retryAfterMs;
                expect(decision.retryAfterMs).toBeLessThanOrEqual(windowMs + windowMs / 64 + 1);
                expect(allowed(limiter, [check(limit, windowMs)], nowMs)).toBe(true);
              }
              admitted.push(nowMs);
            }
          }
          expect(densest(admitted, windowMs)).toBeLessThanOrEqual(limit);
        },
      ),
      { numRuns: 40, seed: 6 },
    );
  });

  test.each([5, EXACT_LIMIT_MAX + 5])("limit %i: a clock that jumps backwards never admits more", (limit) => {
    const limiter = createRateLimiter();
    let admitted = 0;
    for (const nowMs of [10_000, 3_000, -50_000, 9_999, 10_000]) {
      for (let call = 0; call < limit; call += 1)
        if (allowed(limiter, [check(limit, 1_000)], nowMs)) admitted += 1;
    }
    expect(admitted).toBe(limit);
    expect(allowed(limiter, [check(limit, 1_000)], 12_000)).toBe(true);
  });

  test.each([Number.NaN, Infinity, -Infinity])("a clock that says %s denies and spoils nothing", (nowMs) => {
    const limiter = createRateLimiter();
    expect(limiter.check([check(1, 1_000)], nowMs)).toMatchObject({ allowed: false, cause: "invalid" });
    expect(allowed(limiter, [check(1, 1_000)], 0)).toBe(true);
  });
});

describe("all or none", () => {
  test("a denied call is charged to no limit, so a burst of them does not extend the block", () => {
    const limiter = createRateLimiter();
    const both = [check(100, 1_000, "alice", "wide"), check(1, 1_000, "alice", "narrow")];
    expect(limiter.check(both, 0)).toEqual({ allowed: true, remaining: 0 });
    for (let nowMs = 1; nowMs < 1_000; nowMs += 1) {
      expect(limiter.check(both, nowMs)).toEqual({
        allowed: false,
        limitId: "narrow",
        retryAfterMs: 1_000 - nowMs,
        cause: "limit",
      });
    }
    expect(limiter.check([check(100, 1_000, "alice", "wide")], 999)).toEqual({
      allowed: true,
      remaining: 98,
    });
    expect(allowed(limiter, both, 1_000)).toBe(true);
  });

  test("the limit with the longest wait is the one named", () => {
    const limiter = createRateLimiter();
    const both = [check(1, 1_000, "k", "short"), check(1, 60_000, "k", "long")];
    limiter.check(both, 0);
    expect(limiter.check(both, 10)).toMatchObject({ limitId: "long", retryAfterMs: 59_990 });
  });

  test("one counter named twice is charged once", () => {
    const limiter = createRateLimiter();
    expect(limiter.check([check(2, 1_000), check(2, 1_000)], 0)).toEqual({ allowed: true, remaining: 1 });
  });

  test("no limit at all admits; a limit of 0 never does; a malformed one denies", () => {
    const limiter = createRateLimiter();
    expect(limiter.check([], 0)).toEqual({ allowed: true, remaining: Infinity });
    expect(limiter.check([check(0, 1_000)], 0)).toMatchObject({ allowed: false, retryAfterMs: 1_000 });
    for (const [limit, windowMs] of [
      [1.5, 1_000],
      [-1, 1_000],
      [1, 0],
      [1, -5],
      [1, Infinity],
      [Number.NaN, 1_000],
    ] as const) {
      expect(limiter.check([check(limit, windowMs)], 0)).toMatchObject({ allowed: false, cause: "invalid" });
    }
    expect(limiter.check([check(1, 1_000, "x".repeat(600))], 0)).toMatchObject({
      allowed: false,
      cause: "invalid",
    });
  });

  test("keys, ids and windows do not share a count", () => {
    const limiter = createRateLimiter();
    const different = [
      check(1, 1_000),
      check(1, 1_000, "bob"),
      check(1, 1_000, "alice", "other"),
      check(1, 2_000),
      check(2, 1_000),
    ];
    for (const one of different) expect(allowed(limiter, [one], 0)).toBe(true);
  });
});

describe("memory", () => {
  test("at the cap a new key is denied, and no other caller's count is lost", () => {
    const limiter = createRateLimiter({ maxKeys: 100 });
    const victim = check(1, 60_000, "victim");
    expect(allowed(limiter, [victim], 0)).toBe(true);
    for (let key = 0; key < 5_000; key += 1) {
      const decision = limiter.check([check(1, 60_000, `key-${String(key)}`)], 1);
      if (key >= 99) expect(decision).toMatchObject({ allowed: false, cause: "capacity" });
      expect(limiter.keys()).toBeLessThanOrEqual(100);
    }
    expect(allowed(limiter, [victim], 59_999)).toBe(false);
    expect(allowed(limiter, [victim], 60_000)).toBe(true);
  });

  test("counters that count nothing any more make room", () => {
    const limiter = createRateLimiter({ maxKeys: 100 });
    for (let key = 0; key < 100; key += 1) limiter.check([check(1, 1_000, `a-${String(key)}`)], 0);
    for (let key = 0; key < 100; key += 1)
      expect(allowed(limiter, [check(1, 1_000, `b-${String(key)}`)], 2_000)).toBe(true);
    expect(limiter.keys()).toBeLessThanOrEqual(100);
  });

  test("denials make no counters", () => {
    const limiter = createRateLimiter();
    limiter.check([check(1, 1_000, "alice", "narrow")], 0);
    for (let key = 0; key < 50; key += 1) {
      limiter.check([check(5, 1_000, `k-${String(key)}`), check(1, 1_000, "alice", "narrow")], 1);
    }
    expect(limiter.keys()).toBe(1);
  });

  test("the cap on admission times holds too", () => {
    const limiter = createRateLimiter({ maxSlots: 64 });
    let admitted = 0;
    for (let call = 0; call < 1_000; call += 1)
      if (allowed(limiter, [check(1_000, 60_000)], call)) admitted += 1;
    expect(admitted).toBeLessThanOrEqual(128);
    expect(limiter.check([check(1_000, 60_000)], 1_000)).toMatchObject({ allowed: false, cause: "capacity" });
    expect(allowed(limiter, [check(1_000, 60_000)], 120_000)).toBe(true);
  });
});
