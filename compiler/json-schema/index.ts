// Pinned JSON Schemas lowered to programs, and what those make visible to policies.
export { lowerOutputSchema, lowerSchema } from "./lower.ts";
export type { LoweredSchema } from "./lower.ts";
export type { SchemaFinding, SchemaFindingCode } from "./findings.ts";
export { lowerPromptArguments, uriArguments } from "./argument-programs.ts";
export { describeProjection, projectedPaths, projectedTypeAt } from "./describe-projection.ts";
export type {
  ProjectedAttribute,
  ProjectedPath,
  ProjectedRecord,
  ProjectedType,
  ProjectionDescription,
} from "./describe-projection.ts";
export { pruneProjection } from "./prune-projection.ts";
export type { ArgumentReads, ElementRead } from "./prune-projection.ts";
export { classOf, sameValidation, schemaClasses } from "./schema-classes.ts";
export type { SchemaClasses } from "./schema-classes.ts";
