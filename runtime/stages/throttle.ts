// Stage 8, throttle: every limit of the leaf is checked; all are charged or none.
import type { LeafAction, LeafEntry, LimitEntry, TenantId } from "#bundle";
import type { Clock } from "#std";
import type { Principal } from "../authn/principal.ts";
import { limitKey } from "../limits/limit-key.ts";
import type { LimitCheck, RateDecision, RateLimiter } from "../limits/rate-limiter.ts";
import { learn } from "../pipeline/exchange.ts";
import type { Permitted, Target, Throttled } from "../pipeline/exchange.ts";
import type { Stage } from "../pipeline/pipeline.ts";
import { deny, proceed } from "../pipeline/verdict.ts";
import type { Verdict } from "../pipeline/verdict.ts";

export function createThrottleStage(limiter: RateLimiter, clock: Clock): Stage<Permitted, Throttled> {
  const keys = new KnownKeys();
  return {
    name: "throttle",
    run: (exchange) => {
      const action = limitedAction(exchange.target);
      const { tenant } = exchange.route.entry;
      const limits = action === undefined ? [] : exchange.snapshot.limitsFor(tenant, action);
      if (limits.length === 0) return proceed(learn(exchange, { limitsChecked: 0 }));
      const outcome = limiter.check(keys.of(exchange, limits), clock.monotonicMs());
      if (!(outcome instanceof Promise)) return judge(exchange, outcome, limits.length);
      return outcome.then((decision) => judge(exchange, decision, limits.length));
    },
  };
}

/** A request about a task is no call of the tool that made it: the limits of the method count it. */
function limitedAction(target: Target): LeafAction | undefined {
  if (target.kind !== "leaf") return undefined;
  return target.task === undefined ? target.action : target.gate?.action;
}

function judge(exchange: Permitted, outcome: RateDecision, limitsChecked: number): Verdict<Throttled> {
  if (outcome.allowed) return proceed(learn(exchange, { limitsChecked }));
  return deny({
    code: "RATE_LIMITED",
    detail: `limit ${outcome.limitId}`,
    reason: `retry after ${Math.ceil(outcome.retryAfterMs / 1_000)} s`,
    data: { limit: outcome.limitId, retryAfterMs: outcome.retryAfterMs },
  });
}

interface KeyedLimits {
  readonly tenant: TenantId;
  readonly limits: readonly LimitEntry[];
  readonly checks: readonly LimitCheck[];
}

/** Leaves of one caller whose keys are kept. */
const MAX_KEPT_LEAVES = 64;

/**
 * The keys of a caller's recent calls, kept for as long as the verified token is: they only depend on the caller, the
 * endpoint the token is for, and the leaf.
 */
class KnownKeys {
  readonly #ofCaller = new WeakMap<Principal, Map<LeafEntry, KeyedLimits>>();

  of(exchange: Permitted, limits: readonly LimitEntry[]): readonly LimitCheck[] {
    const { principal, target, route } = exchange;
    if (target.kind !== "leaf") return checksOf(exchange, limits);
    const { tenant } = route.entry;
    let ofLeaf = this.#ofCaller.get(principal);
    const known = ofLeaf?.get(target.leaf);
    if (known?.limits === limits && known.tenant === tenant) return known.checks;
    const checks = checksOf(exchange, limits);
    if (ofLeaf === undefined || ofLeaf.size >= MAX_KEPT_LEAVES) {
      ofLeaf = new Map();
      this.#ofCaller.set(principal, ofLeaf);
    }
    ofLeaf.set(target.leaf, { tenant, limits, checks });
    return checks;
  }
}

function checksOf(exchange: Permitted, limits: readonly LimitEntry[]): readonly LimitCheck[] {
  const { principal, target, route } = exchange;
  const leaf = target.kind === "leaf" ? target : undefined;
  const { tenant } = route.entry;
  const subject = {
    ...{ tenant, principal },
    ...{ server: leaf?.server.entry.id ?? "", action: leaf?.action ?? "" },
  };
  return limits.map((limit) => ({ limit, key: limitKey(limit, subject) }));
}
