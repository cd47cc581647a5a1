// A plan as Markdown for a pull-request comment or a step summary. Names and arguments come from the pull request
// itself: they stand in code spans, where nothing in them is markup, a link or a mention.
import { describeGate, rowLines } from "../gates/render-gates.ts";
import { describeEvidence, violationLines } from "../invariants/render-invariants.ts";
import {
  describeAction,
  describeDecision,
  describeMembers,
  describeSubject,
  describeWitness,
  isDecision,
  isImplied,
  nothingFound,
  plural,
  reasonsLine,
  searchLine,
  sidesLine,
  signOf,
  structuralLabel,
  summaryLine,
} from "./describe-change.ts";
import { describeSymbolic } from "./describe-symbolic.ts";
import { describeReplay } from "./describe-replay.ts";
import type { DecisionChange, Plan, StructuralChange } from "./plan-types.ts";

/** GitHub refuses comments above 65,536 characters. */
const MAX_MARKDOWN_LENGTH = 60_000;
const MAX_CELL_LENGTH = 300;
/** Kept free for the closing lines. */
const CLOSING_LENGTH = 1_000;

interface Section {
  readonly head: readonly string[];
  readonly rows: readonly string[];
}

/** At most `maxLength` characters (60,000 by default); says how many rows are hidden. */
export function renderPlanMarkdown(plan: Plan, maxLength: number = MAX_MARKDOWN_LENGTH): string {
  const opening = [
    `### Policy plan: ${summaryLine(plan)}`,
    "",
    `${code(sidesLine(plan))} ${searchLine(plan)}`,
  ];
  if (plan.replay !== undefined) opening.push("", `Also ${code(describeReplay(plan.replay))}.`);
  if (plan.symbolic !== undefined) {
    const [summary = "", ...left] = describeSymbolic(plan.symbolic);
    opening.push(
      "",
      summary,
      ...(left.length === 0 ? [] : ["", ...left.map((line) => `- ${code(line.trim())}`)]),
    );
  }
  const reasons = reasonsLine(plan);
  if (reasons !== undefined) opening.push("", reasons);
  if (plan.summary.newlyAllowed + plan.summary.newlyDenied === 0) opening.push("", nothingFound(plan));
  const lines = [...opening];
  let length = lines.join("\n").length + CLOSING_LENGTH;
  let hidden = 0;
  for (const { head, rows } of sectionsOf(plan)) {
    let isHeadWritten = false;
    for (const row of rows) {
      const added = isHeadWritten ? [row] : [...head, row];
      const size = added.reduce((sum, line) => sum + line.length + 1, 0);
      if (hidden > 0 || length + size > maxLength) {
        hidden += 1;
        continue;
      }
      lines.push(...added);
      length += size;
      isHeadWritten = true;
    }
  }
  if (hidden > 0)
    lines.push("", `**${plural(hidden, "more row")} not shown here:** the JSON plan has all of them.`);
  return `${lines.join("\n")}\n`;
}

function sectionsOf(plan: Plan): readonly Section[] {
  const decisions = plan.changes.filter(isDecision);
  const structural = plan.changes
    .filter((change) => !isDecision(change))
    .filter((change) => !isImplied(change, plan));
  const table = (title: string, kind: DecisionChange["kind"]): Section => ({
    head: [
      "",
      `#### ${title}`,
      "",
      "| caller | call | for example | before | after | evidence |",
      "|---|---|---|---|---|---|",
    ],
    rows: decisions.filter((change) => change.kind === kind).map(decisionRow),
  });
  return [
    gateSection(plan),
    invariantSection(plan),
    table("Newly allowed", "newly-allowed"),
    table("Newly denied", "newly-denied"),
    { head: ["", "#### Other changes", ""], rows: structural.map(structuralRow) },
  ];
}

function invariantSection({ invariants = [] }: Plan): Section {
  const sign = { held: "✓", proved: "✓", unsearched: "-", violated: "✗" } as const;
  const rows = invariants.map((result) => {
    const { name, status } = result;
    const details = status === "violated" ? violationLines(result) : [describeEvidence(result)];
    return `- ${sign[status]} ${code(name)}${details.map((line) => `\n  - ${code(line.trim())}`).join("")}`;
  });
  return { head: ["", "#### Invariants", ""], rows };
}

function gateSection(plan: Plan): Section {
  const sign = { "not-checked": "?", passed: "✓", violated: "✗", warning: "!" } as const;
  const rows = (plan.gates ?? []).map((gate) => {
    const about = gate.result === "passed" ? [] : rowLines(plan, gate);
    return `- ${sign[gate.result]} ${code(describeGate(gate))}${about.map((line) => `\n  - ${code(line.trim())}`).join("")}`;
  });
  return { head: ["", "#### Gates", ""], rows };
}

function decisionRow(change: DecisionChange): string {
  const count = `${change.changedCalls} of ${change.searchedCalls}`;
  const cells = [
    code(change.principal),
    `${code(describeAction(change.action))} (${count})`,
    code(describeWitness(change.witness)),
    code(describeDecision(change.before)),
    code(describeDecision(change.after)),
    change.evidence,
  ];
  return `| ${signOf(change)} ${cells.join(" | ")} |`;
}

function structuralRow(change: StructuralChange): string {
  const members = describeMembers(change).map((line) => `\n  - ${code(line)}`);
  return `- ${signOf(change)} ${code(describeSubject(change))} (${structuralLabel(change)})${members.join("")}`;
}

/** A code span that also survives in a table cell. */
function code(text: string): string {
  const line = text.toWellFormed().replace(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu, " ");
  const short = line.length <= MAX_CELL_LENGTH ? line : `${line.slice(0, MAX_CELL_LENGTH)}…`;
  const longest = Math.max(0, ...[...short.matchAll(/`+/gu)].map(([ticks]) => ticks.length));
  const fence = "`".repeat(longest + 1);
  const pad = short.startsWith("`") || short.endsWith("`") ? " " : "";
  return `${fence}${pad}${short.replaceAll("|", "\\|")}${pad}${fence}`;
}
