// What a mutant is: one small change of one policy, named as its author would name it.
import type { PolicyId, PrincipalFacts, RequestFacts } from "#bundle";
import type { JsonObject } from "#std";
import type { PolicyShape } from "../documents/shapes.ts";

/** The kinds of change, in the order in which they are made at one place. */
export const OPERATORS = [
  "remove-policy",
  "flip-effect",
  "flip-mode",
  "widen-principal",
  "widen-action",
  "widen-resource",
  "drop-member",
  "drop-condition",
  "negate-condition",
  "drop-clause",
  "relational",
  "boundary",
  "flip-literal",
  "drop-wildcard",
  "drop-anchor",
  "remove-constraint",
  "widen-constraint",
  "expose",
  "remove-transform",
] as const;
export type OperatorName = (typeof OPERATORS)[number];

/** One policy with another text, another mode or the other effect; without any of these it is left out. */
export interface PolicyChange {
  readonly kind: "policy";
  readonly id: PolicyId;
  readonly text?: string;
  readonly shadow?: boolean;
  /** Of a policy that a line of a document means: it permits what it forbade, or the other way round. */
  readonly flip?: true;
}

/** Replaces what one document says. */
export interface DocumentChange {
  readonly kind: "document";
  readonly file: string;
  readonly shape: PolicyShape;
  /** An entry that was taken out of a list: ids of the entries after it stay what they were. */
  readonly removed?: { readonly list: readonly (string | number)[]; readonly index: number };
}

export interface MutantPlace {
  readonly file: string;
  readonly line: number;
  readonly column: number;
}

export interface Mutant {
  readonly operator: OperatorName;
  readonly at: MutantPlace;
  /** e.g. `` `<` became `<=` ``. */
  readonly description: string;
  readonly change: PolicyChange | DocumentChange;
}

/**
 * `killed`: a test fails. `survived`: every test passes. `equivalent`: it compiles to what the repository compiles to.
 * `duplicate`: it compiles to what an earlier mutant compiles to. `invalid`: it does not compile.
 */
export type MutantStatus = "duplicate" | "equivalent" | "invalid" | "killed" | "survived";

/** What original and mutant decide of one call. */
export interface MutantWitness {
  /** Name of a principal of the tests, or of a made-up class. */
  readonly principal: string;
  readonly facts: PrincipalFacts;
  readonly request?: RequestFacts;
  readonly action: string;
  readonly arguments: JsonObject;
  readonly original: string;
  readonly mutant: string;
  /** Lines of a TestSuite document that fails on the mutant and passes on the original. */
  readonly test: string;
}

export interface MutantResult {
  readonly operator: OperatorName;
  readonly at: MutantPlace;
  readonly description: string;
  readonly status: MutantStatus;
  /** The first test that fails: `file › test`. */
  readonly killedBy?: string;
  /** Of a survivor; absent where no call was found that tells it apart. */
  readonly witness?: MutantWitness;
}

export interface MutationReport {
  /** In order of file and place. */
  readonly mutants: readonly MutantResult[];
  readonly killed: number;
  readonly survived: number;
  /** Of the survivors: no call was found that original and mutant decide differently. */
  readonly undistinguished: number;
  readonly equivalent: number;
  readonly duplicate: number;
  readonly invalid: number;
  /** Mutants left out by the cap. */
  readonly leftOut: number;
  /** Killed of killed and survived, in percent with one decimal, rounded down; undefined where there are none. */
  readonly score: number | undefined;
  /** The ref whose unchanged policies were left out. */
  readonly base?: string;
}
