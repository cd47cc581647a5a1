// Lines of `transforms`, lowered to transform operations.
export { formatPath, parsePath } from "./parse-path.ts";
export type { ParsedPath } from "./parse-path.ts";
export type { TransformFinding, TransformFindingCode } from "./path-check.ts";
export type { OperationSpec } from "./effect.ts";
export { lowerOperation } from "./lower-operation.ts";
export type { LoweredOperation, OperationInput, OperationOutcome } from "./lower-operation.ts";
