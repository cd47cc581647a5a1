// Limits of policies on what servers ask. Only limits that name asks count them: one on everything that a caller may call
// would else be used up by a server that asks without end.
import type { RateLimiter } from "#limits";
import { limitKey } from "#limits";
import type { Clock } from "#std";
import type { AskContext } from "./ask-context.ts";
import type { AskMethod } from "./ask.ts";
import { leafFor, refusal } from "./govern-ask.ts";
import type { AskRefusal } from "./govern-ask.ts";

/** Charges one ask that policies permit; why it is refused all the same, or undefined. */
export type AskLimits = (context: AskContext, method: AskMethod) => Promise<AskRefusal | undefined>;

export function createAskLimits(limiter: RateLimiter, clock: Pick<Clock, "monotonicMs">): AskLimits {
  return async (context, method) => {
    const { snapshot, route, server, caller } = context;
    const action = leafFor(context, method)?.action;
    if (action === undefined) return refusal("POLICY_DENIED", `the release does not offer ${method}`);
    const { tenant } = route.entry;
    const limits = snapshot.limitsFor(tenant, action).filter(({ actions }) => actions !== undefined);
    if (limits.length === 0) return undefined;
    const subject = { tenant, principal: caller.principal, server: server.entry.id, action };
    const checks = limits.map((limit) => ({ limit, key: limitKey(limit, subject) }));
    const outcome = await limiter.check(checks, clock.monotonicMs());
    return outcome.allowed ? undefined : refusal("RATE_LIMITED", `limit ${outcome.limitId}`);
  };
}
