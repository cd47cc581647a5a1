// Redaction paths of policy documents, lowered to transform operations.
export { formatPath, parsePath } from "./parse-path.ts";
export type { ParsedPath } from "./parse-path.ts";
export { TRANSFORM_FINDINGS, lowerRedaction } from "./lower-redaction.ts";
export type {
  LoweredRedaction,
  RedactionInput,
  RedactionOutcome,
  TransformFinding,
  TransformFindingCode,
} from "./lower-redaction.ts";
