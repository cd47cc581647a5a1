// The step summary: what check, test and plan found, as Markdown that GitHub accepts.
import type { Diagnostic } from "#compiler";
import type { SuiteReport } from "#policy-test";

/** GitHub refuses a summary over 1 MiB as a whole; some room is left for the note about the cut. */
export const MAX_SUMMARY_BYTES = 1_000_000;
/** Rows of one table. */
const MAX_ROWS = 200;

/** Text as it is, in Markdown and inside a table: none of it is markup, a link or a mention. */
export function escapeMarkdown(text: string): string {
  return text
    .replace(/[\r\n\t]+/gu, " ")
    .replace(/[\p{Cc}\p{Cf}]/gu, "\ufffd")
    .replaceAll("&", "&amp;")
    .replaceAll("<", "&lt;")
    .replaceAll(">", "&gt;")
    .replace(/[\\`*_{}[\]()#|~]/gu, "\\$&")
    .replaceAll("@", "&#64;");
}

export function checkSection(diagnostics: readonly Diagnostic[], digest: string | undefined): string {
  const errors = diagnostics.filter((item) => item.severity === "error").length;
  const warnings = diagnostics.length - errors;
  const counts = `${count(errors, "error")}, ${count(warnings, "warning")}`;
  const lines = [`### Check: ${errors === 0 ? "passed" : "failed"} (${counts})`, ""];
  if (digest !== undefined) lines.push(`Bundle \`${digest}\``, "");
  if (diagnostics.length === 0) return lines.join("\n");
  // Errors first: a long list of warnings must not push them out.
  const ordered = [...diagnostics].sort(
    (a, b) => Number(b.severity === "error") - Number(a.severity === "error"),
  );
  return table(
    lines,
    ["", "Code", "Place", "Finding"],
    ordered.map((item) => [
      item.severity,
      escapeMarkdown(item.code),
      escapeMarkdown(`${item.file}:${item.line}:${item.column}`),
      escapeMarkdown(item.help === undefined ? item.message : `${item.message} (${item.help})`),
    ]),
  );
}

export function testSection(report: SuiteReport): string {
  const { passed, failed, skipped, cells } = report;
  const lines = [
    `### Test: ${failed === 0 ? "passed" : "failed"} (${passed} passed, ${failed} failed, ${skipped} skipped, ${count(cells, "call")} decided)`,
    "",
  ];
  const rows = report.suites.flatMap((suite) =>
    suite.tests.map((test) => [
      test.status,
      escapeMarkdown(suite.name === suite.file ? suite.file : `${suite.file}: ${suite.name}`),
      escapeMarkdown(test.name),
      escapeMarkdown(
        test.failures
          .map(({ subject, expected, actual }) => `${subject}: expected ${expected}, decided ${actual}`)
          .join("; ") ||
          (test.skip ?? ""),
      ),
    ]),
  );
  rows.sort((a, b) => Number(b[0] === "failed") - Number(a[0] === "failed"));
  return table(lines, ["", "Suite", "Test", "Finding"], rows);
}

function table(
  lead: readonly string[],
  heads: readonly string[],
  rows: readonly (readonly string[])[],
): string {
  const line = (cells: readonly string[]): string => `| ${cells.join(" | ")} |`;
  const shown = rows.slice(0, MAX_ROWS).map(line);
  const hidden = rows.length - shown.length;
  return [
    ...lead,
    line(heads),
    line(heads.map(() => "---")),
    ...shown,
    ...(hidden > 0 ? ["", `${hidden} more in the log.`] : []),
    "",
  ].join("\n");
}

function count(amount: number, noun: string): string {
  return `${amount} ${noun}${amount === 1 ? "" : "s"}`;
}

/** At most `maxBytes` of UTF-8, cut at the end of a line, with folds and code blocks closed and a note. */
export function cutMarkdown(text: string, maxBytes: number): string {
  const bytes = Buffer.from(text, "utf8");
  if (bytes.length <= maxBytes) return text;
  const kept = bytes.subarray(0, maxBytes);
  const lineEnd = kept.lastIndexOf(10);
  const head = kept.subarray(0, lineEnd + 1).toString("utf8");
  const fences = head.split("\n").filter((line) => line.startsWith("```")).length;
  const opened = head.split("<details").length - head.split("</details>").length;
  return [
    head,
    ...(fences % 2 === 1 ? ["```\n"] : []),
    "\n</details>\n".repeat(Math.max(0, opened)),
    "\n_Cut here: the rest does not fit into a step summary. The log and the output files have all of it._\n",
  ].join("");
}
