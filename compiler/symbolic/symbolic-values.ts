// Cedar values whose parts are terms.
import type { Term } from "./terms.ts";

/** Decimals count ten-thousandths, instants and durations milliseconds; all of them fit 64 bits. */
export type ScalarKind = "Bool" | "DateTime" | "Decimal" | "Duration" | "Long" | "String";

export interface Scalar {
  readonly kind: ScalarKind;
  readonly term: Term;
}

/** An address (prefix of full length) or a range. */
export interface Ip {
  readonly kind: "Ip";
  readonly isV6: Term;
  readonly address: Term;
  readonly prefix: Term;
}

export type Entity =
  | { readonly kind: "Entity"; readonly who: "principal" }
  | { readonly kind: "Entity"; readonly who: "literal"; readonly type: string; readonly id: string };

/** A set that is written out. */
export interface ListedSet {
  readonly kind: "Set";
  readonly members: readonly SymbolicValue[];
}

/** A set of the request: which of the literals of the question are in it, and whether anything else is. */
export interface RequestSet {
  readonly kind: "RequestSet";
  readonly element: ScalarKind;
  readonly has: (literal: Term) => Term;
  /** Literals that the question names, of the type of the elements. */
  readonly universe: readonly Term[];
  readonly hasOthers: Term;
  /** Tells this set from the others. */
  readonly key: string;
}

/** A record: undefined members are those its type does not have. */
export interface SymbolicRecord {
  readonly kind: "Record";
  readonly member: (name: string) => { readonly isPresent: Term; readonly value: SymbolicValue } | undefined;
}

/** A value of a type that has no terms: whatever is done with it is outside of the fragment. */
export interface Opaque {
  readonly kind: "Opaque";
  readonly what: string;
}

export type SymbolicValue = Scalar | Ip | Entity | ListedSet | RequestSet | SymbolicRecord | Opaque;

/** `fails`: where the evaluation is an error; the value says nothing there. */
export interface Evaluated {
  readonly value: SymbolicValue;
  readonly fails: Term;
}

export interface Truth {
  readonly holds: Term;
  readonly fails: Term;
}

export function scalar(kind: ScalarKind, term: Term): Scalar {
  return { kind, term };
}
