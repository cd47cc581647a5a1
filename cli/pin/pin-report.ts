// What `aegis pin` says: one line for each server, its differences with the rules that read them, and what looks like
// an attack. Everything a server wrote is shown with its hidden characters by number.
import { showCodePoints } from "#registry";
import type { PinChange, PinFinding, PinImpact, PinReader } from "#registry";
import { paint, plural } from "../output/io.ts";
import type { Style } from "../output/io.ts";

export interface ReportedChange extends PinChange {
  readonly readBy: readonly PinReader[];
}

export interface ServerOutcome {
  readonly server: string;
  /** What stands in the way; nothing was written then. */
  readonly error?: string;
  readonly help?: string;
  /** The server had no pins before. */
  readonly isFirst?: true;
  readonly status: "as pinned" | "pinned" | "differs" | "refused" | "failed";
  readonly definitions: Readonly<Record<string, number>>;
  readonly changes: readonly ReportedChange[];
  readonly findings: readonly PinFinding[];
}

const WIDTH = 80;
const MARKS = { added: "+", removed: "-", renamed: ">", changed: "~" } as const;
const STYLES: Readonly<Record<PinImpact, Style>> = {
  breaks: "red",
  widens: "yellow",
  narrows: "blue",
  text: "dim",
};
const FINDING_WORDS: Readonly<Record<PinFinding["severity"], string>> = {
  hidden: "hidden",
  secret: "secret",
  high: "suspicious",
  low: "look at",
};
const MAX_READERS = 6;
/** Changes of one server that a person reads; the first pins of a large server are hundreds. */
const MAX_CHANGES = 60;

/** How serious a change is, in a word or two. */
function impactText({ impact, readBy }: ReportedChange): string {
  if (readBy.length > 0 && impact !== "text")
    return impact === "breaks" ? "breaks policies" : `${impact}, read by policies`;
  return impact === "text" ? "text only" : impact;
}

function readerText({ rule, arguments: paths }: PinReader): string {
  const shown = paths.filter((path) => path !== "");
  return shown.length === 0 ? rule : `${rule} (${shown.join(", ")})`;
}

/** Lines of at most the terminal's width; words longer than that stay whole. */
function wrap(text: string, indent: string): string {
  const lines: string[] = [];
  let line = "";
  for (const word of text.split(" ")) {
    if (line !== "" && indent.length + line.length + 1 + word.length > WIDTH) {
      lines.push(indent + line);
      line = word;
    } else line = line === "" ? word : `${line} ${word}`;
  }
  return [...lines, indent + line].join("\n");
}

function changeText(change: ReportedChange, color: boolean): string {
  const leaf =
    change.leaf === undefined ? "server" : `${change.leaf.kind} ${showCodePoints(change.leaf.name)}`;
  const eras = change.eras.length === 1 ? `, ${change.eras[0] ?? ""} only` : "";
  const impact = paint(color, STYLES[change.impact], impactText(change));
  // What was added to a definition is a change of that definition.
  const isWhole = change.leaf === undefined || change.aspect === "leaf";
  const mark = isWhole ? MARKS[change.what] : MARKS.changed;
  const lines = [`  ${mark} ${leaf}  ${impact}${eras}`, wrap(change.message, "      ")];
  if (change.readBy.length > 0) {
    const more = change.readBy.length - MAX_READERS;
    const readers = change.readBy.slice(0, MAX_READERS).map(readerText);
    lines.push(wrap(`read by ${readers.join(", ")}${more > 0 ? ` and ${String(more)} more` : ""}`, "      "));
  }
  return `${lines.join("\n")}\n`;
}

function changesText(changes: readonly ReportedChange[], color: boolean): string {
  const lines = changes.slice(0, MAX_CHANGES).map((change) => changeText(change, color));
  const more = changes.length - MAX_CHANGES;
  if (more > 0) lines.push(`  … and ${plural(more, "more change")}; --format json shows all\n`);
  return lines.join("");
}

/** A first pin has nothing to be compared with: one line for each definition. */
function firstPinText(changes: readonly ReportedChange[], color: boolean): string {
  const leaves = changes.flatMap(({ leaf }) =>
    leaf === undefined ? [] : [`  + ${leaf.kind} ${showCodePoints(leaf.name)}`],
  );
  const distinct = [...new Set(leaves)];
  const lines = distinct.slice(0, MAX_CHANGES).map((line) => `${paint(color, "yellow", line)}\n`);
  const more = distinct.length - MAX_CHANGES;
  if (more > 0) lines.push(`  … and ${plural(more, "more definition")}; --format json shows all\n`);
  return lines.join("");
}

function findingText(finding: PinFinding, color: boolean): string {
  const word = FINDING_WORDS[finding.severity];
  const style = finding.severity === "low" ? "yellow" : "red";
  const subject = showCodePoints(finding.subject);
  return `  ${paint(color, style, `! ${word}`)}  ${subject}\n${wrap(`${showCodePoints(finding.message)}: ${finding.excerpt}`, "      ")}\n      id ${finding.id}\n`;
}

function countsText(definitions: Readonly<Record<string, number>>): string {
  return Object.entries(definitions)
    .filter(([, amount]) => amount > 0)
    .map(([kind, amount]) => plural(amount, kind))
    .join(", ");
}

function statusText(outcome: ServerOutcome): string {
  const { status, changes, error } = outcome;
  if (error !== undefined) return `${status.toUpperCase()}: ${showCodePoints(error)}`;
  const counts = countsText(outcome.definitions);
  const tail = counts === "" ? "no definitions" : counts;
  return status === "as pinned"
    ? `as pinned (${tail})`
    : `${status}, ${plural(changes.length, "change")} (${tail})`;
}

/** The report of all servers; failures are part of it, so that one screen shows everything. */
export function renderPinText(
  outcomes: readonly ServerOutcome[],
  options: { readonly color: boolean },
): string {
  const { color } = options;
  const parts = outcomes.map((outcome) => {
    const style = outcome.error !== undefined ? "red" : outcome.status === "as pinned" ? "green" : "yellow";
    const lines = [`${paint(color, style, outcome.server)}: ${statusText(outcome)}\n`];
    if (outcome.help !== undefined) lines.push(`${wrap(`help: ${outcome.help}`, "      ")}\n`);
    lines.push(
      outcome.isFirst === true ? firstPinText(outcome.changes, color) : changesText(outcome.changes, color),
    );
    lines.push(...outcome.findings.map((finding) => findingText(finding, color)));
    return lines.join("");
  });
  return parts.join("");
}

function cell(text: string): string {
  return showCodePoints(text)
    .replaceAll("|", "\\|")
    .replace(/[<>]/g, (sign) => (sign === "<" ? "&lt;" : "&gt;"));
}

/** The same as a comment on a pull request. */
export function renderPinMarkdown(outcomes: readonly ServerOutcome[]): string {
  const lines: string[] = ["## Drift of pinned servers", ""];
  for (const outcome of outcomes) {
    lines.push(`### ${cell(outcome.server)}`, "", `${cell(statusText(outcome))}.`, "");
    if (outcome.changes.length > 0) {
      lines.push("| definition | change | weight | read by |", "| --- | --- | --- | --- |");
      for (const change of outcome.changes) {
        const leaf = change.leaf === undefined ? "server" : `${change.leaf.kind} ${change.leaf.name}`;
        const readers = change.readBy.map(readerText).join(", ");
        lines.push(`| ${cell(leaf)} | ${cell(change.message)} | ${impactText(change)} | ${cell(readers)} |`);
      }
      lines.push("");
    }
    for (const finding of outcome.findings)
      lines.push(
        `- **${finding.severity}** ${cell(finding.subject)}: ${cell(finding.message)}: ${cell(finding.excerpt)} (${finding.id})`,
      );
    if (outcome.findings.length > 0) lines.push("");
  }
  return lines.join("\n");
}
