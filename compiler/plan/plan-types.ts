// What changes between two versions of a repository, as data.
import type { Digest, LeafAction, PolicyId, PrincipalFacts, RequestFacts } from "#bundle";
import type { InvariantResult } from "#compiler";
import type { JsonObject, JsonValue } from "#std";

/** What one side decides. `code` says why a call is refused without asking the policies. */
export interface PlanDecision {
  readonly effect: "allow" | "deny";
  readonly reasons: readonly PolicyId[];
  readonly code?: string;
}

/** One call that shows the change: replayed on both sides before it was put here. */
export interface PlanWitness {
  readonly principal: PrincipalFacts;
  readonly arguments: JsonObject;
  /** How, when and from where the call comes; present where a policy of either side reads it. */
  readonly request?: RequestFacts;
  /** The facts of `request` that are read, e.g. `{"auth.mfa": "false"}`; `absent` where there is none. */
  readonly read?: Readonly<Record<string, string>>;
}

export type DecisionChangeKind = "newly-allowed" | "newly-denied" | "reasons-changed";

/** One caller and one leaf: at most one row of each kind. */
export interface DecisionChange {
  readonly kind: DecisionChangeKind;
  readonly evidence: "matrix";
  /** Class of callers: a principal of the tests, or one made up of a role and attributes. */
  readonly principal: string;
  readonly action: LeafAction;
  readonly before: PlanDecision;
  readonly after: PlanDecision;
  readonly witness: PlanWitness;
  /** Calls of this row that changed in this way, of those that were searched. */
  readonly changedCalls: number;
  readonly searchedCalls: number;
}

export type StructuralChangeKind =
  | "issuer-added"
  | "issuer-changed"
  | "issuer-removed"
  | "leaf-added"
  | "leaf-removed"
  | "limit-added"
  | "limit-changed"
  | "limit-removed"
  | "pin-changed"
  | "policy-mode-changed"
  | "route-added"
  | "route-changed"
  | "route-removed"
  | "server-added"
  | "server-changed"
  | "server-removed"
  | "transforms-changed";

/** A change that is not a decision: true whoever calls. */
export interface StructuralChange {
  readonly kind: StructuralChangeKind;
  readonly evidence: "structural";
  /** What changed: an action, a route, a limit … */
  readonly subject: string;
  /** The members that differ, or the whole thing; null where there is none. */
  readonly before: JsonValue;
  readonly after: JsonValue;
}

export type PlanChange = DecisionChange | StructuralChange;

export interface PlanBase {
  readonly kind: "git" | "bundle" | "channel" | "compiled";
  /** As given on the command line. */
  readonly ref: string;
  readonly digest: Digest;
}

export interface PlanSummary {
  /** Rows of each kind. */
  readonly newlyAllowed: number;
  readonly newlyDenied: number;
  readonly reasonsChanged: number;
  readonly transformsChanged: number;
  /** Structural changes other than transforms. */
  readonly structural: number;
}

export interface PlanSearch {
  /** Classes of callers. */
  readonly principals: number;
  /** Leaves whose calls were searched. */
  readonly leaves: number;
  /** Leaves left out because everything that decides them is the same on both sides. */
  readonly identicalLeaves: number;
  /** Principal and arguments pairs. */
  readonly calls: number;
  /** Decisions of both sides together. */
  readonly decisions: number;
  /** True where a cap cut the list of arguments of some leaf. */
  readonly truncated: boolean;
}

export interface Plan {
  readonly base: PlanBase;
  readonly head: { readonly digest: Digest };
  readonly searched: PlanSearch;
  readonly summary: PlanSummary;
  /** Decisions first, then transforms, then the rest; sorted, so that equal input gives an equal plan. */
  readonly changes: readonly PlanChange[];
  /** What must hold of the head whatever changes; present where the head has invariants. */
  readonly invariants?: readonly InvariantResult[];
}
