// Diagnostics for people: message, place, code frame, help.
import type { Diagnostic } from "./diagnostic.ts";

export interface TextRenderOptions {
  readonly color: boolean;
  /** Source text of a file, for the code frame; undefined leaves the frame out. */
  readonly sourceOf: (file: string) => string | undefined;
}

const MAX_FRAME_COLUMNS = 160;

function paint(enabled: boolean, code: number, text: string): string {
  return enabled ? `\u001b[${code}m${text}\u001b[0m` : text;
}

/** Replaces characters that could steer a terminal. */
function printable(text: string): string {
  // Cc and Cf cover escapes, bidi controls and zero-width characters.
  return text.replaceAll("\t", "  ").replace(/[\p{Cc}\p{Cf}]/gu, (character) => {
    const hex = (character.codePointAt(0) ?? 0).toString(16).padStart(4, "0");
    return `\\u{${hex}}`;
  });
}

function frame(diagnostic: Diagnostic, source: string, color: boolean): string[] {
  const text = source.split(/\r\n|\n|\r/)[diagnostic.line - 1];
  if (text === undefined || text.length > MAX_FRAME_COLUMNS) return [];
  const gutter = String(diagnostic.line).length;
  const bar = paint(color, 36, "|");
  const before = printable(text.slice(0, diagnostic.column - 1)).length;
  const sameLine = (diagnostic.endLine ?? diagnostic.line) === diagnostic.line;
  const endColumn = sameLine ? (diagnostic.endColumn ?? diagnostic.column + 1) : text.length + 1;
  const width = Math.max(1, printable(text.slice(diagnostic.column - 1, endColumn - 1)).length);
  const marks = paint(color, diagnostic.severity === "error" ? 31 : 33, "^".repeat(width));
  return [
    `  ${paint(color, 36, String(diagnostic.line))} ${bar} ${printable(text)}`,
    `  ${" ".repeat(gutter)} ${bar} ${" ".repeat(before)}${marks}`,
  ];
}

function renderOne(diagnostic: Diagnostic, options: TextRenderOptions): string {
  const { color } = options;
  const label = paint(color, diagnostic.severity === "error" ? 31 : 33, diagnostic.severity);
  const lines = [
    `${diagnostic.file}:${diagnostic.line}:${diagnostic.column}: ${label} ${paint(color, 1, diagnostic.code)}: ${printable(diagnostic.message)}`,
  ];
  const source = options.sourceOf(diagnostic.file);
  if (source !== undefined) lines.push(...frame(diagnostic, source, color));
  if (diagnostic.help !== undefined)
    lines.push(`  ${paint(color, 36, "help:")} ${printable(diagnostic.help)}`);
  return lines.join("\n");
}

/** One block for each diagnostic and a closing line with the counts; ends with a newline. */
export function renderText(diagnostics: readonly Diagnostic[], options: TextRenderOptions): string {
  const errors = diagnostics.filter((item) => item.severity === "error").length;
  const warnings = diagnostics.length - errors;
  const blocks = diagnostics.map((item) => renderOne(item, options));
  return [...blocks, `${count(errors, "error")}, ${count(warnings, "warning")}`].join("\n") + "\n";
}

function count(amount: number, noun: string): string {
  return `${amount} ${noun}${amount === 1 ? "" : "s"}`;
}
