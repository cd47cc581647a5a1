// Diagnostics for people: message, place, code frame, help.
import type { Diagnostic } from "./diagnostic.ts";

export interface TextRenderOptions {
  readonly color: boolean;
  /** Source text of a file, for the code frame; undefined leaves the frame out. */
  readonly sourceOf: (file: string) => string | undefined;
  /** Columns of the terminal; 100 where absent. */
  readonly columns?: number;
}

const DEFAULT_COLUMNS = 100;
/** Of a window in a long line. */
const MIN_WINDOW = 20;

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

/** The part of a line that fits, around what is marked. `start` and `end` are columns of the printed line, from 0. */
function windowed(
  line: string,
  start: number,
  end: number,
  room: number,
): { readonly shown: string; readonly before: number; readonly width: number } {
  if (line.length <= room) return { shown: line, before: start, width: Math.max(1, end - start) };
  const marked = Math.min(end - start, room - 2);
  const first = Math.max(0, Math.min(start - Math.floor((room - marked) / 2), line.length - room));
  const last = Math.min(line.length, first + room);
  const inner = line.slice(first + (first > 0 ? 1 : 0), last - (last < line.length ? 1 : 0));
  const shown = `${first > 0 ? "…" : ""}${inner}${last < line.length ? "…" : ""}`;
  const before = start - first;
  return { shown, before, width: Math.max(1, Math.min(end - start, room - before)) };
}

function frame(diagnostic: Diagnostic, source: string, options: TextRenderOptions): string[] {
  const { color, columns = DEFAULT_COLUMNS } = options;
  const text = source.split(/\r\n|\n|\r/)[diagnostic.line - 1];
  if (text === undefined) return [];
  const gutter = String(diagnostic.line).length;
  const bar = paint(color, 36, "|");
  const start = printable(text.slice(0, diagnostic.column - 1)).length;
  const sameLine = (diagnostic.endLine ?? diagnostic.line) === diagnostic.line;
  const endColumn = sameLine ? (diagnostic.endColumn ?? diagnostic.column + 1) : text.length + 1;
  const marked = printable(text.slice(diagnostic.column - 1, endColumn - 1)).length;
  const room = Math.max(MIN_WINDOW, columns - gutter - "   | ".length);
  const { shown, before, width } = windowed(printable(text), start, start + marked, room);
  const marks = paint(color, diagnostic.severity === "error" ? 31 : 33, "^".repeat(width));
  return [
    `  ${paint(color, 36, String(diagnostic.line))} ${bar} ${shown}`,
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
  if (source !== undefined) lines.push(...frame(diagnostic, source, options));
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
