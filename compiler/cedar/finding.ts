// What the Cedar part of the compiler can report. Findings are plain data: the diagnostics folder renders them.
import type { SourcePosition } from "#bundle";

export type CedarSeverity = "error" | "warning";

interface CedarCodeEntry {
  readonly severity: CedarSeverity;
  /** One line: what is wrong, independent of the place where it was found. */
  readonly summary: string;
}

function error(summary: string): CedarCodeEntry {
  return { severity: "error", summary };
}

function warning(summary: string): CedarCodeEntry {
  return { severity: "warning", summary };
}

/** Every code of this folder, sorted, with its usual severity. Stable once released. */
export const CEDAR_CODES = {
  CEDAR_DUPLICATE_ID: error("two policies have the same id"),
  CEDAR_ENGINE: error("the Cedar engine could not process a policy"),
  CEDAR_HIDDEN_CHARACTER: error("a policy file contains invisible or direction-changing characters"),
  CEDAR_METHOD_ARGUMENT: error("a method has the wrong arguments"),
  CEDAR_METHOD_RECEIVER: error("a method can be called only on a path from context, principal or resource"),
  CEDAR_MIXED_SCRIPT: error("a word mixes letters of look-alike scripts"),
  CEDAR_NEVER_APPLIES: warning("a policy can never apply to any pinned definition"),
  CEDAR_NUMBER_RANGE: error("an integer literal is outside the range that a JSON number carries"),
  CEDAR_OPAQUE_ARGUMENT: error("the pinned schema gives this argument no type that a policy can read"),
  CEDAR_OPTIONAL_ATTRIBUTE: error("an optional attribute is read without testing that it is present"),
  CEDAR_REGEX_ALWAYS_TRUE: warning("a pattern matches every text"),
  CEDAR_REGEX_INVALID: error("a pattern is not valid RE2 syntax or is too large"),
  CEDAR_REGEX_PATH: warning("a regular expression over a path does not see what the path resolves to"),
  CEDAR_REGEX_PREFIX: warning("a pattern begins with .* which has no effect in a search"),
  CEDAR_REGEX_SQL: warning("a regular expression over SQL text is not a security boundary"),
  CEDAR_REGEX_UNANCHORED: warning("a pattern may match anywhere in the text"),
  CEDAR_REGEX_URL: warning("a regular expression over a URL does not see the parts of the URL"),
  CEDAR_RESERVED_NAME: error("a policy uses a name that belongs to the compiler"),
  CEDAR_SQL_UNDECLARED: error("SQL facts are asked of an argument that no server document declares as SQL"),
  CEDAR_SYNTAX: error("a policy is not valid Cedar"),
  CEDAR_TEMPLATE: error("policy templates are not supported"),
  CEDAR_TENANT_ESCAPE: error("a policy names what belongs to another tenant"),
  CEDAR_TOO_DEEP: error("a policy is nested too deeply"),
  CEDAR_TOO_LARGE: error("a policy is too large"),
  CEDAR_TOO_MANY: error("policies and definitions are more than a compilation takes"),
  CEDAR_TYPE: error("an expression has the wrong type"),
  CEDAR_UNKNOWN_ACTION: error("an action is neither an MCP method nor a pinned definition"),
  CEDAR_UNKNOWN_ATTRIBUTE: error("an attribute does not exist"),
  CEDAR_UNKNOWN_ENTITY: error("a role or server is not declared"),
  CEDAR_UNKNOWN_ENTITY_TYPE: error("an entity type does not exist"),
  CEDAR_UNKNOWN_FUNCTION: error("a function or method does not exist"),
  CEDAR_UNKNOWN_MODE: error("a mode other than shadow"),
  CEDAR_UNKNOWN_TARGET: error("a policy names a target that no server has pinned"),
} as const satisfies Record<string, CedarCodeEntry>;

export type CedarCode = keyof typeof CEDAR_CODES;

/** One finding. Lines and columns count from 1; columns are UTF-16 code units; the end is exclusive. */
export interface CedarFinding extends SourcePosition {
  readonly code: CedarCode;
  readonly severity: CedarSeverity;
  readonly message: string;
  readonly help?: string;
  readonly endLine?: number;
  readonly endColumn?: number;
}

/** A place in a source file, end exclusive. */
export interface CedarSpan extends SourcePosition {
  readonly endLine?: number;
  readonly endColumn?: number;
}

/** Makes a finding; the severity comes from the table unless given. */
export function finding(
  code: CedarCode,
  at: CedarSpan,
  message: string,
  help?: string,
  severity: CedarSeverity = CEDAR_CODES[code].severity,
): CedarFinding {
  return {
    code,
    severity,
    message,
    ...(help === undefined ? {} : { help }),
    file: at.file,
    line: at.line,
    column: at.column,
    ...(at.endLine === undefined ? {} : { endLine: at.endLine }),
    ...(at.endColumn === undefined ? {} : { endColumn: at.endColumn }),
  };
}

/** By file, line, column, code, message; exact repetitions dropped. */
export function sortedFindings(findings: readonly CedarFinding[]): readonly CedarFinding[] {
  const unique = new Map(
    findings.map((item) => [
      JSON.stringify([item.file, item.line, item.column, item.code, item.message]),
      item,
    ]),
  );
  return [...unique.values()].sort(
    (a, b) =>
      compareText(a.file, b.file) ||
      a.line - b.line ||
      a.column - b.column ||
      compareText(a.code, b.code) ||
      compareText(a.message, b.message),
  );
}

function compareText(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
