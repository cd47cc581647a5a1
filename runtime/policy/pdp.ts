// The policy decision point: one interface, whatever engine stands behind it.
import type { LeafAction, PolicyId, PrincipalFacts, ServerId, TenantId } from "#bundle";
import type { JsonObject } from "#std";

/**
 * `call`: the arguments are known. `visibility`: could some arguments be allowed? `shadow`: what `call` would say if the
 * policies in shadow mode were enforced; only slices that have such policies can be asked.
 */
export type DecisionMode = "call" | "visibility" | "shadow";

export interface DecisionQuery {
  readonly mode: DecisionMode;
  readonly tenant: TenantId;
  readonly action: LeafAction;
  readonly server: ServerId;
  readonly principal: PrincipalFacts;
  /**
   * The Cedar context as Cedar JSON, complete with `primitive`, `target`, `server`, `arguments`, `extra`, `_m`, `_d`.
   * Made by `buildContext`; raw arguments never stand in it.
   */
  readonly context: JsonObject;
  /** Present where policies in shadow mode read more than the enforced ones. */
  readonly shadow?: ShadowContext;
}

/** The context of the shadow decision, or why there is none: a fact that only shadow policies read has no value. */
export type ShadowContext =
  { readonly ok: true; readonly context: JsonObject } | { readonly ok: false; readonly detail: string };

export interface PolicyEvaluationError {
  readonly policy: PolicyId;
  readonly message: string;
}

export interface Decision {
  readonly effect: "allow" | "deny";
  /** Determining policies, sorted: the permits of an allow, the forbids of a deny. Empty = no permit applied. */
  readonly reasons: readonly PolicyId[];
  /** Any entry denies, because Cedar skips a policy that errors and an erroring forbid would fail open. */
  readonly errors: readonly PolicyEvaluationError[];
  /** What the decision would be with the policies in shadow mode; present where the slice of the call has some. */
  readonly shadow?: ShadowDecision;
}

export type ShadowDecision = Omit<Decision, "shadow">;

/**
 * Decides. Never throws: an engine fault is a denial with an error entry.
 * Allow ⇔ Cedar says allow ∧ no policy errored ∧ at least one permit is named.
 */
export interface Pdp {
  readonly decide: (query: DecisionQuery) => Decision;
  /** Releases the engine's instance; the PDP denies everything afterwards. */
  readonly dispose: () => void;
}
