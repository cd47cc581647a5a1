// A schema node under construction, and what a keyword handler may do to it.
import type { SchemaNode } from "#bundle";
import type { JsonObject, JsonValue } from "#std";
import type { SchemaFindingCode } from "./findings.ts";

export type NodeFields = { -readonly [K in keyof SchemaNode]: SchemaNode[K] };

export interface NodeDraft {
  readonly fields: NodeFields;
  /** The schema object the node comes from. */
  readonly schema: JsonObject;
  /** Reports a finding at `keyword` of this schema. */
  report(code: SchemaFindingCode, keyword: string, message: string, help?: string): void;
  /** Node index of the subschema at `tokens` below this schema. */
  child(schema: JsonValue, ...tokens: readonly (string | number)[]): number;
  /** Node index of the target of a `$ref`. */
  reference(target: string): number;
  /** Node index of a node that has no schema of its own. */
  synthetic(node: SchemaNode): number;
  /** Adds a condition that must hold besides the others. */
  require(index: number): void;
}

export type KeywordHandler = (draft: NodeDraft, value: JsonValue, keyword: string) => void;
