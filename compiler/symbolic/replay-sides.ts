// Decides a call on both sides as the gateway does: what a solver found is shown only where this confirms it.
import type { BundleContent, LeafAction, PrincipalFacts, RequestFacts } from "#bundle";
import { createEvaluator } from "#pdp";
import type { Evaluator } from "#pdp";
import { decideCall } from "#policy-test";
import type { CallVerdict } from "#policy-test";
import type { JsonObject } from "#std";
import { missingAttributes } from "../calls/plan-side.ts";
import type { PlanSide } from "../calls/plan-side.ts";
import type { PlanDecision } from "#plan";

export interface SymbolicCall {
  readonly principal: PrincipalFacts;
  readonly request: RequestFacts;
  readonly arguments: JsonObject;
}

export interface Verdicts {
  readonly before: PlanDecision;
  readonly after: PlanDecision;
  /** Of the head. */
  readonly verdict: CallVerdict | undefined;
}

export class SidesReplay {
  readonly #sides: { readonly base: PlanSide; readonly head: PlanSide };
  readonly #evaluators = new Map<string, Promise<Evaluator>>();
  readonly #signal: AbortSignal;

  constructor(base: PlanSide, head: PlanSide, signal: AbortSignal) {
    this.#sides = { base, head };
    this.#signal = signal;
  }

  /** What both sides make of a call. Rejects with the reason of the signal. */
  async decide(call: SymbolicCall, action: LeafAction): Promise<Verdicts> {
    const { decision: before } = await this.#decideOn("base", call, action);
    const { decision: after, verdict } = await this.#decideOn("head", call, action);
    return { before, after, verdict };
  }

  async dispose(): Promise<void> {
    for (const evaluator of await Promise.allSettled(this.#evaluators.values()))
      if (evaluator.status === "fulfilled") evaluator.value.dispose();
    this.#evaluators.clear();
  }

  async #decideOn(
    side: "base" | "head",
    { principal, request, arguments: args }: SymbolicCall,
    action: LeafAction,
  ): Promise<{ readonly decision: PlanDecision; readonly verdict?: CallVerdict }> {
    const own = this.#sides[side];
    const key = `${side} ${action}`;
    const evaluator = await (this.#evaluators.get(key) ?? this.#start(key, own, action));
    if (evaluator.leaf(action) === undefined)
      return { decision: { effect: "deny", reasons: [], code: "TARGET_UNKNOWN" } };
    const caller = { facts: principal, request, missingAttributes: missingAttributes(own, principal) };
    const verdict = await decideCall(evaluator, caller, action, args, this.#signal);
    const { effect, reasons, errors, refusal } = verdict;
    const code = refusal?.code ?? (errors.length > 0 ? "POLICY_ERROR" : undefined);
    return { decision: code === undefined ? { effect, reasons } : { effect, reasons, code }, verdict };
  }

  /** One leaf at a time: preparing all of a large bundle takes longer than the few calls that are replayed. */
  #start(key: string, { content }: PlanSide, action: LeafAction): Promise<Evaluator> {
    const started = createEvaluator(only(content, action), { signal: this.#signal });
    this.#evaluators.set(key, started);
    return started;
  }
}

function only(content: BundleContent, action: LeafAction): Pick<BundleContent, "policies" | "registry"> {
  const servers = content.registry.servers.flatMap((server) => {
    const leaves = server.leaves.filter((leaf) => leaf.action === action);
    return leaves.length === 0 ? [] : [{ ...server, leaves }];
  });
  const slices = content.policies.slices.filter((slice) => slice.action === action);
  return { registry: { servers }, policies: { ...content.policies, slices } };
}
