// Stage 8, throttle: every limit of the leaf is checked; all are charged or none.
import { hash } from "node:crypto";
import type { LimitEntry, LimitKey } from "#bundle";
import type { Clock } from "#std";
import type { RateDecision, RateLimiter } from "../limits/rate-limiter.ts";
import type { Permitted, Throttled } from "../pipeline/exchange.ts";
import type { Stage } from "../pipeline/pipeline.ts";
import { deny, proceed } from "../pipeline/verdict.ts";
import type { Verdict } from "../pipeline/verdict.ts";

export function createThrottleStage(limiter: RateLimiter, clock: Clock): Stage<Permitted, Throttled> {
  return {
    name: "throttle",
    run: (exchange) => {
      const action = exchange.target.kind === "leaf" ? exchange.target.action : undefined;
      const { tenant } = exchange.route.entry;
      const limits = action === undefined ? [] : exchange.snapshot.limitsFor(tenant, action);
      if (limits.length === 0) return proceed({ ...exchange, limitsChecked: 0 });
      const keyed = limits.map((limit) => ({ limit, key: limitKey(limit, exchange) }));
      const outcome = limiter.check(keyed, clock.monotonicMs());
      if (!(outcome instanceof Promise)) return judge(exchange, outcome, limits.length);
      return outcome.then((decision) => judge(exchange, decision, limits.length));
    },
  };
}

function judge(exchange: Permitted, outcome: RateDecision, limitsChecked: number): Verdict<Throttled> {
  if (outcome.allowed) return proceed({ ...exchange, limitsChecked });
  return deny({
    code: "RATE_LIMITED",
    detail: `limit ${outcome.limitId}`,
    reason: `retry after ${Math.ceil(outcome.retryAfterMs / 1_000)} s`,
    data: { limit: outcome.limitId, retryAfterMs: outcome.retryAfterMs },
  });
}

/** One counter's name. Hashed, so that a caller cannot choose its length or forge a separator. */
function limitKey(limit: LimitEntry, exchange: Permitted): string {
  const parts = limit.per.map((part) => `${part}=${keyPart(part, exchange)}`);
  const scope = JSON.stringify([exchange.route.entry.tenant, limit.id, ...parts]);
  return hash("sha256", scope, "base64url");
}

function keyPart(part: LimitKey, exchange: Permitted): string {
  switch (part) {
    case "principal":
      // Not the client: where clients register themselves, a caller would have one allowance for each.
      return JSON.stringify([exchange.principal.issuer, exchange.principal.facts.id]);
    case "tenant":
      return exchange.route.entry.tenant;
    case "server":
      return exchange.route.server.entry.id;
    case "tool":
      return exchange.target.kind === "leaf" ? exchange.target.action : "";
  }
}
