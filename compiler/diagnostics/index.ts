// What a compilation found, and how it is shown.
export { DIAGNOSTIC_CODES } from "./codes.ts";
export type { DiagnosticCode, DiagnosticCodeEntry, Severity } from "./codes.ts";
export { DiagnosticSink, compareDiagnostics, startOf } from "./diagnostic.ts";
export type { Diagnostic, SourceSpan } from "./diagnostic.ts";
export { renderText } from "./render-text.ts";
export type { TextRenderOptions } from "./render-text.ts";
export { DIAGNOSTICS_FORMAT_VERSION, renderGithub, renderJson, renderSarif } from "./render-machine.ts";
