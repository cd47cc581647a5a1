// One call, decided as the gateway decides it: arguments, then the caller's attributes, then the policies.
import type { LeafAction, PolicyId, PrincipalFacts, RequestFacts } from "#bundle";
import { UNKNOWN_REQUEST } from "#pdp";
import type { DecisionQuery, Evaluator, PolicyEvaluationError, ShadowDecision } from "#pdp";
import type { JsonObject } from "#std";

/** Longest time for one call; only long SQL takes more than a millisecond. */
const CALL_TIMEOUT_MS = 5_000;

/** Why a call never reached its policies. */
export interface CallRefusal {
  readonly code:
    | "ARGUMENTS_INVALID"
    | "ARGUMENTS_NOT_REPRESENTABLE"
    | "POLICY_ERROR"
    | "PRINCIPAL_ATTRIBUTE_MISSING"
    | "TARGET_UNKNOWN";
  readonly detail: string;
}

/** What the gateway makes of one call. A refused call is a denial without reasons. */
export interface CallVerdict {
  readonly effect: "allow" | "deny";
  /** Determining policies, sorted; empty = no permit applied. */
  readonly reasons: readonly PolicyId[];
  readonly errors: readonly PolicyEvaluationError[];
  readonly refusal: CallRefusal | undefined;
  /** What enforcing the policies in shadow mode would decide; absent where there are none or the call was refused. */
  readonly shadow: ShadowDecision | undefined;
  /** What the policies were asked; absent where the arguments were refused. */
  readonly query: DecisionQuery | undefined;
}

/** Who calls; `missingAttributes` are the required attributes that no claim gave. */
export interface Caller {
  readonly facts: PrincipalFacts;
  readonly missingAttributes: readonly string[];
  /** How, when and from where the call comes; `UNKNOWN_REQUEST` where absent. */
  readonly request?: RequestFacts;
}

function refused(code: CallRefusal["code"], detail: string, query?: DecisionQuery): CallVerdict {
  return { effect: "deny", reasons: [], errors: [], refusal: { code, detail }, shadow: undefined, query };
}

/** Decides one call. Rejects only with the reason of `signal`, which bounds it; five seconds where there is none. */
export async function decideCall(
  evaluator: Evaluator,
  caller: Caller,
  action: LeafAction,
  args: JsonObject,
  signal?: AbortSignal,
): Promise<CallVerdict> {
  signal?.throwIfAborted();
  const { facts, missingAttributes, request = UNKNOWN_REQUEST } = caller;
  const bound = signal ?? AbortSignal.timeout(CALL_TIMEOUT_MS);
  const call = { tenant: facts.tenant, action, arguments: args, principal: facts, request, signal: bound };
  const answer = evaluator.prepare(call);
  const prepared = answer instanceof Promise ? await answer : answer;
  if (!prepared.ok) return refused(prepared.code, prepared.detail);
  if (missingAttributes.length > 0) {
    return refused("PRINCIPAL_ATTRIBUTE_MISSING", missingAttributes.join(", "), prepared.query);
  }
  const { effect, reasons, errors, shadow } = evaluator.decide(prepared.query);
  return { effect, reasons, errors, refusal: undefined, shadow, query: prepared.query };
}
