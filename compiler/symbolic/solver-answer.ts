// What a solver answers: values, none, or nothing that counts.
import type { Sort, Unknown } from "./symbol-table.ts";
import type { Term } from "./terms.ts";

export type Answer =
  | { readonly kind: "sat"; readonly values: ReadonlyMap<Term, Term> }
  | { readonly kind: "unsat" }
  | { readonly kind: "unknown"; readonly reason: string };

const ANY_VALUE: Readonly<Record<Sort, Term>> = { Bool: "false", Int: "0", String: '""' };

/** Values for all unknowns: those that a model does not speak of may have any. */
export function completed(
  unknowns: readonly Unknown[],
  model: ReadonlyMap<Term, Term>,
): ReadonlyMap<Term, Term> {
  return new Map(unknowns.map(({ name, sort }) => [name, model.get(name) ?? ANY_VALUE[sort]]));
}
