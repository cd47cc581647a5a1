// Door of limits.
export { ConcurrencyLimit } from "./concurrency-limit.ts";
export type { LimitAllowed, LimitCheck, LimitDenied, RateDecision, RateLimiter } from "./rate-limiter.ts";
export type { MemoryLimiterOptions, MemoryRateLimiter } from "./memory-store.ts";
export type { LimitSubject } from "./limit-key.ts";
export { limitKey } from "./limit-key.ts";
export { createRateLimiter } from "./memory-store.ts";
export { EXACT_LIMIT_MAX } from "./sliding-window.ts";
