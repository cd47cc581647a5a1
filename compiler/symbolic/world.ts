// What the encoding of one side of a question reads: who calls, what the context holds, and the unknowns.
import type { SymbolTable } from "./symbol-table.ts";
import type { ScalarKind, SymbolicRecord } from "./symbolic-values.ts";
import type { Term } from "./terms.ts";

/** The caller as terms. */
export interface SymbolicPrincipal {
  readonly type: string;
  /** Whether the caller is the entity. */
  readonly isEntity: (type: string, id: string) => Term;
  /** Whether the caller is the entity or one of its members. */
  readonly isIn: (type: string, id: string) => Term;
  readonly attributes: SymbolicRecord;
}

/** An entity that the leaf fixes: the action, or the server. */
export interface FixedEntity {
  readonly type: string;
  readonly id: string;
  /** Ids of the entities of the same type that it is a member of. */
  readonly groups: readonly string[];
  readonly attributes: SymbolicRecord;
}

export interface World {
  readonly symbols: SymbolTable;
  readonly principal: SymbolicPrincipal;
  readonly action: FixedEntity;
  readonly resource: FixedEntity;
  readonly context: SymbolicRecord;
  /** Literals of either side, by type: what sets of the request are asked for. */
  readonly literals: ReadonlyMap<ScalarKind, readonly Term[]>;
  /** Empty where equal expressions of both sides have equal values; else it tells the sides apart. */
  readonly sideTag: string;
  /** Constructs that were left to chance: what is proved holds whatever they say. */
  readonly abstracted: Set<string>;
}
