// What an expression may read while it is evaluated.
import type { EntityValue, RecordValue, Value } from "./values.ts";

/** An entity that exists: attributes, tags and all ancestors, itself not among them. */
export interface KnownEntity {
  readonly attributes: ReadonlyMap<string, Value>;
  readonly tags: ReadonlyMap<string, Value>;
  readonly ancestors: ReadonlySet<string>;
}

/** Entities by key. One that is not there has no attributes, tags or ancestors. */
export interface EntityTable {
  readonly get: (key: string) => KnownEntity | undefined;
}

export interface Frame {
  readonly principal: EntityValue;
  readonly action: EntityValue;
  readonly resource: EntityValue;
  readonly context: RecordValue;
  /** The actions of the schema among them. */
  readonly entities: EntityTable;
}

/** A compiled expression. @throws {EvaluationError} as Cedar does */
export type Evaluate = (frame: Frame) => Value;
