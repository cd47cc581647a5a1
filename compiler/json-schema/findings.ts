// What lowering a pinned schema can report. Positions are JSON Pointers into the schema; the caller turns them into
// places in the pin file.

/** Every code, with the severity it always has. */
const SCHEMA_FINDINGS = {
  SCHEMA_DIALECT_UNSUPPORTED: "error",
  SCHEMA_ID_NESTED: "error",
  SCHEMA_INVALID: "error",
  SCHEMA_KEYWORD_IGNORED: "warning",
  SCHEMA_KEYWORD_UNKNOWN: "warning",
  SCHEMA_KEYWORD_UNSUPPORTED: "error",
  SCHEMA_PATTERN_UNSUPPORTED: "error",
  SCHEMA_PROJECTION_TOO_LARGE: "warning",
  SCHEMA_REF_CYCLE: "error",
  SCHEMA_REF_REMOTE: "error",
  SCHEMA_REF_UNRESOLVED: "error",
  SCHEMA_ROOT_NOT_OBJECT: "error",
  SCHEMA_TOO_LARGE: "error",
} as const;

export type SchemaFindingCode = keyof typeof SCHEMA_FINDINGS;

export interface SchemaFinding {
  readonly code: SchemaFindingCode;
  readonly severity: "error" | "warning";
  /** JSON Pointer into the schema that was lowered. */
  readonly pointer: string;
  readonly message: string;
  readonly help?: string;
}

/** Findings kept for one schema; a hostile schema could otherwise give one for each of its members. */
const MAX_FINDINGS = 100;

export class SchemaFindings {
  readonly items: SchemaFinding[] = [];
  hasErrors = false;

  report(code: SchemaFindingCode, pointer: string, message: string, help?: string): void {
    const severity = SCHEMA_FINDINGS[code];
    if (severity === "error") this.hasErrors = true;
    if (this.items.length >= MAX_FINDINGS) return;
    this.items.push({ code, severity, pointer, message, ...(help === undefined ? {} : { help }) });
  }
}
