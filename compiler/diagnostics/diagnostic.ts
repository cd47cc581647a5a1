// A diagnostic, and the collector every phase writes to. Findings are collected, never thrown.
import type { SourcePosition } from "#bundle";
import { DIAGNOSTIC_CODES } from "./codes.ts";
import type { DiagnosticCode, Severity } from "./codes.ts";
import { REMEDIES } from "./remedies.ts";

/** A place in a source file; lines and columns count from 1, columns in UTF-16 units. */
export interface SourceSpan extends SourcePosition {
  readonly endLine?: number;
  readonly endColumn?: number;
}

export interface Diagnostic extends SourceSpan {
  readonly code: string;
  readonly severity: Severity;
  readonly message: string;
  /** What to do about it. */
  readonly help?: string;
}

/** Collects diagnostics in any order; `sorted` gives the stable order. */
export class DiagnosticSink {
  readonly #items = new Map<string, Diagnostic>();
  #errorCount = 0;

  /** Reports a finding of this compiler; severity comes from the table. */
  report(code: DiagnosticCode, at: SourceSpan, message: string, help?: string): void {
    this.add({
      code,
      severity: DIAGNOSTIC_CODES[code].severity,
      ...spanOf(at),
      message,
      ...(help ? { help } : {}),
    });
  }

  /** Adds a finding made elsewhere. An exact repetition is dropped. */
  add(diagnostic: Diagnostic): void {
    const { code, file, line, column, message } = diagnostic;
    const key = JSON.stringify([file, line, column, code, message]);
    if (this.#items.has(key)) return;
    this.#items.set(key, withRemedy(diagnostic));
    if (diagnostic.severity === "error") this.#errorCount += 1;
  }

  get hasErrors(): boolean {
    return this.#errorCount > 0;
  }

  /** By file, line, column, code, then message. */
  sorted(): readonly Diagnostic[] {
    return [...this.#items.values()].sort(compareDiagnostics);
  }
}

/** Every diagnostic says what to do: where its place knows nothing particular, what its code knows. */
function withRemedy(diagnostic: Diagnostic): Diagnostic {
  if (diagnostic.help !== undefined || !isDiagnosticCode(diagnostic.code)) return diagnostic;
  return { ...diagnostic, help: REMEDIES[diagnostic.code] };
}

function isDiagnosticCode(code: string): code is keyof typeof DIAGNOSTIC_CODES {
  return Object.hasOwn(DIAGNOSTIC_CODES, code);
}

function spanOf(at: SourceSpan): SourceSpan {
  const { file, line, column, endLine, endColumn } = at;
  return {
    file,
    line,
    column,
    ...(endLine === undefined ? {} : { endLine }),
    ...(endColumn === undefined ? {} : { endColumn }),
  };
}

function compareText(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}

export function compareDiagnostics(a: Diagnostic, b: Diagnostic): number {
  return (
    compareText(a.file, b.file) ||
    a.line - b.line ||
    a.column - b.column ||
    compareText(a.code, b.code) ||
    compareText(a.message, b.message)
  );
}

export function startOf(file: string): SourceSpan {
  return { file, line: 1, column: 1 };
}
