// Workflow commands: annotations, and log text that cannot be mistaken for a command.
import { randomUUID } from "node:crypto";

/** GitHub shows at most this many annotations of each level for a step and drops the rest without a word. */
export const MAX_ANNOTATIONS = 10;

export interface Annotation {
  readonly level: "error" | "warning" | "notice";
  readonly title: string;
  readonly message: string;
  /** Relative to the workspace. */
  readonly file?: string;
  readonly line?: number;
  readonly column?: number;
  readonly endLine?: number;
  readonly endColumn?: number;
}

/** Escapes the text of a workflow command. */
function escapeData(text: string): string {
  return text.replaceAll("%", "%25").replaceAll("\r", "%0D").replaceAll("\n", "%0A");
}

function escapeProperty(text: string): string {
  return escapeData(text).replaceAll(":", "%3A").replaceAll(",", "%2C");
}

/** One command line, with its newline. */
export function annotationLine(annotation: Annotation): string {
  const { level, title, message, file, line, column, endLine, endColumn } = annotation;
  // GitHub ignores the columns of a span over several lines, and a column without a line.
  const sameLine = endLine === undefined || endLine === line;
  const properties = [
    ...(file === undefined ? [] : [`file=${escapeProperty(file)}`]),
    ...(line === undefined ? [] : [`line=${line}`]),
    ...(endLine === undefined ? [] : [`endLine=${endLine}`]),
    ...(column === undefined || !sameLine ? [] : [`col=${column}`]),
    ...(endColumn === undefined || !sameLine ? [] : [`endColumn=${endColumn}`]),
    `title=${escapeProperty(title)}`,
  ];
  return `::${level} ${properties.join(",")}::${escapeData(message)}\n`;
}

/** The first annotations of each level, errors before warnings, and a notice that says how many are not shown. */
export function annotationLines(annotations: readonly Annotation[]): string {
  const lines: string[] = [];
  const hidden: string[] = [];
  for (const level of ["error", "warning"] as const) {
    const all = annotations.filter((annotation) => annotation.level === level);
    lines.push(...all.slice(0, MAX_ANNOTATIONS).map(annotationLine));
    const rest = all.length - MAX_ANNOTATIONS;
    if (rest > 0) hidden.push(`${rest} more ${level}${rest === 1 ? "" : "s"}`);
  }
  const notices = annotations.filter((annotation) => annotation.level === "notice");
  if (hidden.length > 0) {
    const message = `${hidden.join(" and ")} not shown here: the log and the step summary have all of them`;
    notices.unshift({ level: "notice", title: "Aegis", message });
  }
  return [...lines, ...notices.slice(0, MAX_ANNOTATIONS).map(annotationLine)].join("");
}

/**
 * Text for the log in a fold. Names in a pull request are the author's: between `stop-commands` and its token nothing
 * is read as a command.
 */
export function logBlock(title: string, text: string): string {
  const token = randomUUID();
  const body = text.endsWith("\n") ? text : `${text}\n`;
  return `::group::${escapeData(title)}\n::stop-commands::${token}\n${body}::${token}::\n::endgroup::\n`;
}
