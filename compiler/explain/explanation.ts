// The account of one decision, as data.
import type { JsonObject, JsonValue } from "#std";

/** How one policy, clause or term came out. `unknown`: it reads a fact that a record does not hold. */
export type Outcome = "true" | "false" | "error" | "not-reached" | "unknown";

export interface PolicyPlace {
  readonly file: string;
  readonly line: number;
  readonly column: number;
}

/** One side of an `&&` row (of an `||` row in an `unless`). */
export interface ExplainedTerm {
  /** Cedar text, with derived facts written as the author wrote them. */
  readonly text: string;
  readonly outcome: Outcome;
}

export interface ExplainedClause {
  /** `scope` is who the policy is about; what it says about action and resource always holds here. */
  readonly kind: "scope" | "when" | "unless";
  /** `all`: every term must be true. `any`: the clause of an `unless` is true where one is. */
  readonly combine: "all" | "any";
  readonly outcome: Outcome;
  readonly terms: readonly ExplainedTerm[];
}

export interface ExplainedPolicy {
  readonly id: string;
  readonly effect: "permit" | "forbid";
  /** `shadow`: decided and recorded, not enforced. */
  readonly mode: "enforce" | "shadow";
  readonly at: PolicyPlace | undefined;
  /** What the author states. */
  readonly reason: string | undefined;
  readonly outcome: "satisfied" | "not-satisfied" | "error" | "unknown";
  /** The engine's message for an error. */
  readonly error: string | undefined;
  /** True for the policies that made the decision, or in shadow mode the shadow decision. */
  readonly isDetermining: boolean;
  readonly clauses: readonly ExplainedClause[];
}

/** A fact computed before the policies ran. */
export interface ExplainedFact {
  /** Name in the Cedar context, e.g. `_m.r_5fa8941e3a`. */
  readonly name: string;
  /** e.g. `context.arguments.sql`. */
  readonly path: string;
  /** e.g. `matches "(?i)^\\s*SELECT\\s"` or `sql (postgresql)`. */
  readonly what: string;
  readonly value: JsonValue;
}

export interface ExplainedTransform {
  readonly direction: "request" | "response";
  readonly policy: string;
  readonly verb: string;
  /** What the verb is given besides its path, e.g. `to 20`. */
  readonly detail?: string;
  /** Readings of the written path, e.g. `$.assignee.email`. */
  readonly paths: readonly string[];
}

/** One way to turn a decision: all of its facts otherwise at once. */
export interface WhyNotAnswer {
  /** Values as JSON text, or words such as `absent` and `held`. */
  readonly changes: readonly { readonly fact: string; readonly from: string; readonly to: string }[];
  /** Determining policies of the other decision. */
  readonly reasons: readonly string[];
}

export interface WhyNot {
  /** The decision that was looked for: the opposite of the one explained. */
  readonly wanted: "allow" | "deny";
  /** Each turns the decision with the same, smallest number of facts; empty where none was found. */
  readonly answers: readonly WhyNotAnswer[];
  /** More answers than are shown need the same number of facts. */
  readonly hasMore: boolean;
  /** Facts that were given other values. */
  readonly facts: readonly string[];
  /** Forbids without a condition: no fact turns them off. */
  readonly blockedBy: readonly string[];
  /** So many facts at once were changed in all ways that were tried, without an answer. */
  readonly exhaustedFacts: number;
  readonly decisions: number;
}

export interface Explanation {
  readonly decision: "allow" | "deny";
  /** Set where the call is refused before or instead of its policies. */
  readonly refusal: { readonly code: string; readonly detail: string } | undefined;
  /** Determining policies, sorted. */
  readonly reasons: readonly string[];
  readonly errors: readonly { readonly policy: string; readonly message: string }[];
  /** What enforcing the policies in shadow mode would decide; undefined where none can apply. */
  readonly shadow:
    | {
        readonly decision: "allow" | "deny";
        readonly reasons: readonly string[];
        readonly errors: readonly { readonly policy: string; readonly message: string }[];
      }
    | undefined;
  readonly principal: JsonObject;
  readonly call: {
    readonly server: string;
    readonly action: string;
    readonly target: string;
    readonly arguments: JsonObject;
  };
  readonly policies: readonly ExplainedPolicy[];
  /** Policies of the repository that cannot apply to this leaf. */
  readonly otherPolicies: number;
  /** The Cedar context; undefined where the arguments were refused. */
  readonly context: JsonObject | undefined;
  readonly facts: readonly ExplainedFact[];
  readonly transforms: readonly ExplainedTransform[];
  /** Present where it was asked for. */
  readonly whyNot?: WhyNot;
}
