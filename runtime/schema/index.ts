// Door #schema: arguments validated against the approved schema and projected into the Cedar context.
export { MAX_PATTERN_LENGTH, compilePattern } from "./pattern.ts";
export type { Pattern } from "./pattern.ts";
export { canonicalKey } from "./canonical-key.ts";
export { compileProgram } from "./compile-program.ts";
export type { CompiledProgram } from "./compile-program.ts";
export { validateAndProject } from "./validate-and-project.ts";
export type { ArgumentsOutcome } from "./validate-and-project.ts";
export { resolveProjection, visibleAttributes } from "./resolve-projection.ts";
export type { ResolvedProjection, VisibleAttribute } from "./resolve-projection.ts";
