// What an expression may read while it is evaluated.
import type { EntityValue, RecordValue, Value } from "./values.ts";

/** An entity that exists: attributes, tags and all ancestors, itself not among them. */
export interface KnownEntity {
  readonly attributes: ReadonlyMap<string, Value>;
  readonly tags: ReadonlyMap<string, Value>;
  readonly ancestors: ReadonlySet<string>;
}

export interface Frame {
  readonly principal: EntityValue;
  readonly action: EntityValue;
  readonly resource: EntityValue;
  readonly context: RecordValue;
  /** By entity key, the actions of the schema among them. An entity that is not here has no attributes, tags or ancestors. */
  readonly entities: ReadonlyMap<string, KnownEntity>;
}

/** A compiled expression. @throws {EvaluationError} as Cedar does */
export type Evaluate = (frame: Frame) => Value;
