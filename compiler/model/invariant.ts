// Invariants: what must hold whatever the policies say, with names resolved; and what checking one found.
import type { LeafAction, PolicyId, PrincipalFacts, PrincipalType, RequestFacts, TenantId } from "#bundle";
import type { JsonObject } from "#std";
import type { SourceSpan } from "../diagnostics/index.ts";

/** Whom an invariant is about; every member that is there must fit. */
export interface InvariantCallers {
  readonly type?: PrincipalType;
  /** At least one of these; `<tenant>/<role>` for a role of a tenant. */
  readonly roles?: readonly string[];
  /** None of these. */
  readonly notRoles?: readonly string[];
  /** At least one of these. */
  readonly groups?: readonly string[];
  readonly tenants?: readonly TenantId[];
  readonly attributes: PrincipalFacts["attributes"];
}

export interface Invariant {
  readonly name: string;
  readonly reason: string | undefined;
  readonly callers: InvariantCallers;
  /** What is called, in order of action; never empty. */
  readonly actions: readonly LeafAction[];
  /** Of every call. */
  readonly expect: "allowed" | "denied";
  readonly at: SourceSpan;
}

/** One call that breaks an invariant, decided twice by the gateway's evaluator. */
export interface InvariantWitness {
  /** Class of callers. */
  readonly caller: string;
  readonly principal: PrincipalFacts;
  readonly action: LeafAction;
  readonly arguments: JsonObject;
  readonly request: RequestFacts;
  /** Facts of the request that the policies read, by name. */
  readonly read: Readonly<Record<string, string>>;
  readonly effect: "allow" | "deny";
  /** Why the call is refused without asking the policies. */
  readonly code?: string;
  /** The policies that decided, and where they are written. */
  readonly policies: readonly {
    readonly id: PolicyId;
    readonly file?: string;
    readonly line?: number;
    readonly column?: number;
  }[];
}

export interface InvariantResult {
  readonly name: string;
  readonly reason?: string;
  readonly expect: "allowed" | "denied";
  readonly at: SourceSpan;
  /**
   * `proved`: follows from the policies for every caller and call it is about. `held`: no call of the search broke it.
   * `unsearched`: no caller or call of the search is one it is about.
   */
  readonly status: "held" | "proved" | "unsearched" | "violated";
  readonly leaves: number;
  /** Leaves for which it is proved; the others were searched. */
  readonly provedLeaves: number;
  /** Calls that were decided. */
  readonly calls: number;
  /** Calls that break it. */
  readonly violations: number;
  /** The first violation of each caller and leaf, at most 20. */
  readonly witnesses: readonly InvariantWitness[];
}
