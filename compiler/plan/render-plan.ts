// A plan as JSON and as text for a terminal.
import { canonicalJson, sha256Hex } from "#bundle";
import type { Digest } from "#bundle";
import { gateLines } from "../gates/render-gates.ts";
import { invariantLines } from "../invariants/render-invariants.ts";
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

export const PLAN_FORMAT_VERSION = 1;

/**
 * The plan as canonical JSON (RFC 8785), `{formatVersion, base, head, searched, summary, changes}`, without a final
 * newline: the sha-256 of these bytes is the digest of the plan, and `sha256sum` of the file agrees.
 */
export function renderPlanJson(plan: Plan): string {
  return canonicalJson({ formatVersion: PLAN_FORMAT_VERSION, ...plan });
}

/** What a release statement records as the plan that was reviewed. */
export function planDigest(plan: Plan): Digest {
  return sha256Hex(renderPlanJson(plan));
}

export interface PlanTextOptions {
  readonly color: boolean;
  /** Makes text safe for a terminal. */
  readonly printable: (text: string) => string;
}

const STYLE_CODES = { bold: 1, dim: 2, red: 31, green: 32, yellow: 33 } as const;
type Style = keyof typeof STYLE_CODES;

interface Pen {
  readonly paint: (style: Style, text: string) => string;
  readonly safe: (text: string) => string;
}

const SIGN_STYLE: Readonly<Record<"+" | "-" | "~", Style>> = { "+": "green", "-": "red", "~": "yellow" };
const MAX_NAME_WIDTH = 44;
const MAX_WITNESS_LENGTH = 240;

/** The plan as lines of text, ending with a newline: decisions by leaf, then everything else. */
export function renderPlanText(plan: Plan, options: PlanTextOptions): string {
  const pen: Pen = {
    paint: (style, text) => (options.color ? `\u001b[${STYLE_CODES[style]}m${text}\u001b[0m` : text),
    safe: options.printable,
  };
  const decisions = plan.changes.filter(isDecision).filter(({ kind }) => kind !== "reasons-changed");
  const structural = plan.changes
    .filter((change) => !isDecision(change))
    .filter((change) => !isImplied(change, plan));
  const blocks = [
    ...byAction(decisions).map(([action, rows]) => actionBlock(action, rows, pen)),
    ...(structural.length === 0 ? [] : [structural.flatMap((change) => structuralLines(change, pen))]),
    ...invariantBlock(plan, pen),
    ...gateBlock(plan, pen),
    closing(plan, decisions.length, pen),
  ];
  return `${blocks.map((lines) => lines.join("\n")).join("\n\n")}\n`;
}

function byAction(
  decisions: readonly DecisionChange[],
): readonly (readonly [string, readonly DecisionChange[]])[] {
  return [...Map.groupBy(decisions, ({ action }) => action)].sort(([a], [b]) => (a < b ? -1 : 1));
}

function actionBlock(action: string, rows: readonly DecisionChange[], pen: Pen): readonly string[] {
  const width = Math.min(MAX_NAME_WIDTH, Math.max(...rows.map(({ principal }) => principal.length)));
  const lines = rows.flatMap((row, index) => {
    const next = rows[index + 1];
    // Rows that tell the same are told once, below the last of them.
    const isTold = next !== undefined && sameStory(row, next);
    return [rowLine(row, width, pen), ...(isTold ? [] : storyLines(row, pen))];
  });
  return [pen.paint("bold", pen.safe(describeAction(action))), ...lines];
}

function rowLine(row: DecisionChange, width: number, pen: Pen): string {
  const sign = signOf(row);
  const verdict = sign === "+" ? "allow" : "deny ";
  const count = `${row.changedCalls} of ${plural(row.searchedCalls, "call")}`;
  const name = pen.safe(row.principal.padEnd(width));
  const told = pen.paint("dim", `${count}  [${row.evidence}]`);
  return `  ${pen.paint(SIGN_STYLE[sign], `${sign} ${verdict}`)}  ${name}  ${told}`;
}

function storyLines(row: DecisionChange, pen: Pen): readonly string[] {
  const witness = describeWitness(row.witness);
  const shortened =
    witness.length <= MAX_WITNESS_LENGTH ? witness : `${witness.slice(0, MAX_WITNESS_LENGTH)}…`;
  const { recorded } = row.witness;
  return [
    pen.safe(`      ${describeDecision(row.before)} → ${describeDecision(row.after)}`),
    ...(recorded === undefined ? [] : [pen.safe(`      recorded ${recorded.at} as ${recorded.id}`)]),
    pen.safe(`      e.g. ${shortened}`),
  ];
}

function sameStory(one: DecisionChange, other: DecisionChange): boolean {
  const story = ({ kind, before, after, witness }: DecisionChange): string =>
    canonicalJson([kind, before, after, describeWitness(witness)]);
  return story(one) === story(other);
}

function structuralLines(change: StructuralChange, pen: Pen): readonly string[] {
  const sign = signOf(change);
  const label = pen.paint("dim", `[${structuralLabel(change)}]`);
  return [
    `${pen.paint(SIGN_STYLE[sign], sign)} ${pen.safe(describeSubject(change))}  ${label}`,
    ...describeMembers(change).map((line) => pen.safe(`    ${line}`)),
  ];
}

function invariantBlock({ invariants = [] }: Plan, pen: Pen): readonly (readonly string[])[] {
  if (invariants.length === 0) return [];
  return [[pen.paint("bold", "Invariants"), ...invariantLines(invariants, pen.paint)]];
}

function gateBlock(plan: Plan, pen: Pen): readonly (readonly string[])[] {
  const lines = gateLines(plan, pen.paint);
  return lines.length === 0 ? [] : [[pen.paint("bold", "Gates"), ...lines]];
}

function closing(plan: Plan, decisions: number, pen: Pen): readonly string[] {
  const reasons = reasonsLine(plan);
  return [
    ...(decisions === 0 ? [nothingFound(plan)] : []),
    ...(reasons === undefined ? [] : [reasons]),
    pen.paint("dim", pen.safe(sidesLine(plan))),
    pen.paint("dim", searchLine(plan)),
    ...(plan.replay === undefined ? [] : [pen.safe(`${describeReplay(plan.replay)}.`)]),
    ...(plan.symbolic === undefined ? [] : describeSymbolic(plan.symbolic).map(pen.safe)),
    `${pen.paint("bold", "Plan:")} ${summaryLine(plan)}`,
  ];
}
