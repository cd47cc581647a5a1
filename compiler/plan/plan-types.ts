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
  /** The record that was replayed; present where the evidence is `replay`. */
  readonly recorded?: RecordedWitness;
}

/** One record of the audit log. `arguments` of its witness are those that the record kept. */
export interface RecordedWitness {
  /** Decision id. */
  readonly id: string;
  /** RFC 3339. */
  readonly at: string;
  /** Facts that the record does not hold and neither side needed, e.g. `arguments.sql`. */
  readonly withheld: readonly string[];
}

/** `matrix`: calls made up from both versions. `replay`: calls of an audit log. `symbolic`: found by a solver. */
export type DecisionEvidence = "matrix" | "replay" | "symbolic";

export type DecisionChangeKind = "newly-allowed" | "newly-denied" | "reasons-changed";

/** One caller and one leaf: at most one row of each kind. */
export interface DecisionChange {
  readonly kind: DecisionChangeKind;
  readonly evidence: DecisionEvidence;
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
  | "derivation-added"
  | "derivation-changed"
  | "derivation-removed"
  | "gate-added"
  | "gate-changed"
  | "gate-removed"
  | "invariant-added"
  | "invariant-changed"
  | "invariant-removed"
  | "issuer-added"
  | "issuer-changed"
  | "issuer-removed"
  | "leaf-added"
  | "leaf-removed"
  | "limit-added"
  | "limit-changed"
  | "limit-removed"
  | "pin-changed"
  | "policy-added"
  | "policy-changed"
  | "policy-mode-changed"
  | "policy-removed"
  | "retention-changed"
  | "route-added"
  | "route-changed"
  | "route-removed"
  | "server-added"
  | "server-changed"
  | "server-removed"
  | "tenant-added"
  | "tenant-changed"
  | "tenant-removed"
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
  /** What it comes to, a line each, hidden characters shown by number; absent where `before` and `after` say it. */
  readonly details?: readonly string[];
  /** Less is guarded than before: redacted, enforced, limited or reviewed. */
  readonly weakens?: true;
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
  /** The leaves it was cut for, in order; absent where there are none. */
  readonly truncatedLeaves?: readonly LeafAction[];
}

/** What replaying recorded decisions on both sides came to. */
export interface PlanReplay {
  /** Decision records that were read. */
  readonly records: number;
  /** Of them, decided alike by both sides. */
  readonly unchanged: number;
  readonly changed: number;
  /** A side reads a fact that the record does not hold: never guessed. */
  readonly indeterminate: number;
  /** Refused before any policy, or about a definition that neither side has. */
  readonly skipped: number;
  /** The facts that were missing, most frequent first. */
  readonly missingFacts: readonly { readonly fact: string; readonly records: number }[];
  /** RFC 3339 times of the first and last record; absent where there are none. */
  readonly from?: string;
  readonly to?: string;
}

/** What a solver says of "no new permits". */
export interface PlanSymbolic {
  /** Pairs of principal type and leaf that differ and were asked. */
  readonly asked: number;
  /** Proved: no call is newly allowed, of the callers and calls that `PROVED_SCOPE` names. */
  readonly proved: number;
  /** Newly allowed, with a witness that both sides decide as stated. */
  readonly found: number;
  readonly notAnalysed: readonly { readonly action: LeafAction; readonly reason: string }[];
}

/** One rule of a gate of aegis.yaml, and the rows that it decides. */
export interface GateResult {
  /** e.g. `newlyAllowed`, `newlyAllowed.tiers.restricted`, `newlyDenied.maxPercentOfReplay`. */
  readonly name: string;
  /** `not-checked`: there was nothing to ask the rule about, e.g. no audit log was replayed. It stops nothing. */
  readonly result: "not-checked" | "passed" | "violated" | "warning";
  readonly message: string;
  /** Indexes in `changes` of the rows it speaks of. */
  readonly rows: readonly number[];
  /** Where the rule is written; absent where no rule of the gate was asked. */
  readonly at?: { readonly file: string; readonly line: number; readonly column: number };
  /** Whose rule it is: what the base asks for holds although the head asks for less. */
  readonly side: "base" | "head";
  /** The label that the rule requires on the pull request; absent where it requires none. */
  readonly label?: string;
}

/** Where a policy that decides some row is written. */
export interface PlanSource {
  readonly policy: PolicyId;
  readonly side: "base" | "head";
  readonly file: string;
  readonly line: number;
  readonly column: number;
  /** What the author states. */
  readonly reason?: string;
  /** The lines of the policy, at most 40; absent where the base is a bundle. */
  readonly excerpt?: string;
  /** Number of the first line of `excerpt`, from 1; present with it. */
  readonly excerptLine?: number;
}

/**
 * Every caller and leaf that was searched. `cells` has one letter for each principal, in order: `d` denied whatever was
 * tried, `a` allowed whatever was tried, `s` some of it allowed, all on both sides alike; `A` newly allowed, `D` newly
 * denied, `B` both, `r` only other reasons; `.` not searched.
 */
export interface PlanMatrix {
  readonly principals: readonly string[];
  readonly leaves: readonly {
    readonly action: LeafAction;
    readonly server: string;
    readonly cells: string;
  }[];
}

export interface Plan {
  readonly base: PlanBase;
  readonly head: { readonly digest: Digest };
  readonly searched: PlanSearch;
  readonly summary: PlanSummary;
  /** Decisions first, then transforms, then the rest; sorted, so that equal input gives an equal plan. */
  readonly changes: readonly PlanChange[];
  readonly matrix?: PlanMatrix;
  /** Places of the policies that rows name. */
  readonly sources?: readonly PlanSource[];
  /** Present where audit logs were replayed. */
  readonly replay?: PlanReplay;
  /** Present where a solver was asked. */
  readonly symbolic?: PlanSymbolic;
  /** Present where aegis.yaml has gates. */
  readonly gates?: readonly GateResult[];
  /** What must hold of the head whatever changes; present where the head has invariants. */
  readonly invariants?: readonly InvariantResult[];
}
