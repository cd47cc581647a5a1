// Words for changes, shared by the text and the Markdown form of a plan.
import { canonicalJson } from "#bundle";
import { isJsonObject } from "#std";
import type { JsonValue } from "#std";
import { PROVED_SCOPE, isAllProved } from "./describe-symbolic.ts";
import type {
  DecisionChange,
  Plan,
  PlanChange,
  PlanDecision,
  PlanWitness,
  StructuralChange,
} from "./plan-types.ts";

const MAX_VALUE_LENGTH = 160;
/** Definitions that are named where the search was capped. */
const MAX_CAPPED = 3;

export function isDecision(change: PlanChange): change is DecisionChange {
  return change.evidence !== "structural";
}

/** `+` newly allowed or added, `-` newly denied or removed, `~` changed. */
export function signOf(change: PlanChange): "+" | "-" | "~" {
  if (change.kind === "newly-allowed" || change.kind.endsWith("-added")) return "+";
  return change.kind === "newly-denied" || change.kind.endsWith("-removed") ? "-" : "~";
}

/** e.g. `denied: no policy permits it`, `allowed by policies/jira.yaml#/allow/tools/0`. */
export function describeDecision(decision: PlanDecision): string {
  const { effect, reasons, code } = decision;
  switch (code) {
    case undefined:
      break;
    case "TARGET_UNKNOWN":
      return "denied: there is no such definition";
    case "ARGUMENTS_INVALID":
    case "ARGUMENTS_NOT_REPRESENTABLE":
      return "denied: the pinned schema refuses the arguments";
    case "PRINCIPAL_ATTRIBUTE_MISSING":
      return "denied: the caller lacks a required attribute";
    default:
      return `denied: ${code}${reasons.length === 0 ? "" : ` (${reasons.join(", ")})`}`;
  }
  if (effect === "allow") return `allowed by ${reasons.join(", ")}`;
  return reasons.length === 0 ? "denied: no policy permits it" : `denied by ${reasons.join(", ")}`;
}

/** The call that stands for a row: its arguments, and what the policies read of the request. */
export function describeWitness({ arguments: args, read = {} }: PlanWitness): string {
  const facts = Object.entries(read).map(([name, value]) => `${name} = ${value}`);
  const text = JSON.stringify(args);
  return facts.length === 0 ? text : `${text} with ${facts.join(", ")}`;
}

/** An action as people call it: a method of a server has its name and the server's. */
export function describeAction(action: string): string {
  const server = /^(?!tools\/call|prompts\/get|resources\/read)([^:]+):([^/]+)$/u.exec(action);
  return server === null ? action : `${server[1]} of ${server[2]}`;
}

/** What is compared, in words: `transforms of tools/call:jira/jira.search`. */
export function describeSubject(change: StructuralChange): string {
  const noun = NOUNS[change.kind.slice(0, change.kind.lastIndexOf("-"))] ?? change.kind;
  return `${noun} ${change.subject}`;
}

/** One row in one line: `+ newly allowed (matrix): developer, tools/call:…`. */
export function describeRow(change: PlanChange): string {
  const what = isDecision(change)
    ? `${change.kind.replaceAll("-", " ")}: ${change.principal}, ${describeAction(change.action)}`
    : describeSubject(change);
  return `${signOf(change)} ${what} [${change.evidence}]`;
}

/** The evidence of a row that is no decision, and whether less is guarded than before. */
export function structuralLabel({ evidence, weakens }: StructuralChange): string {
  return weakens === true ? `${evidence}, guards less` : evidence;
}

const NOUNS: Readonly<Record<string, string>> = {
  derivation: "fact",
  gate: "gate",
  invariant: "invariant",
  retention: "retention of",
  tenant: "tenant",
  issuer: "issuer",
  leaf: "definition",
  limit: "limit",
  pin: "pin of",
  policy: "policy",
  "policy-mode": "mode of",
  route: "route",
  server: "server",
  transforms: "transforms of",
};

/** One line for each member that differs, e.g. `limit: 600 → 100`. */
export function describeMembers(change: StructuralChange): readonly string[] {
  const { before, after, details } = change;
  if (details !== undefined) return details;
  if (!isJsonObject(before) || !isJsonObject(after)) return [];
  const names = [...new Set([...Object.keys(before), ...Object.keys(after)])].sort();
  return names.map((name) => `${name}: ${shown(before[name])} → ${shown(after[name])}`);
}

/** What a row of transforms loses and gains, as it would be written. */
export function transformLines(before: JsonValue, after: JsonValue): readonly string[] {
  return ["request", "response"].flatMap((direction) => {
    const was = operations(before, direction);
    const is = operations(after, direction);
    return [
      ...was.filter((item) => !is.includes(item)).map((item) => `no longer: ${direction} ${item}`),
      ...is.filter((item) => !was.includes(item)).map((item) => `now: ${direction} ${item}`),
    ];
  });
}

function operations(view: JsonValue, direction: string): readonly string[] {
  const list = isJsonObject(view) && Object.hasOwn(view, direction) ? view[direction] : undefined;
  return Array.isArray(list) ? list.filter((item): item is string => typeof item === "string") : [];
}

function shown(value: JsonValue | undefined): string {
  if (value === undefined) return "nothing";
  const text = typeof value === "string" ? JSON.stringify(value) : canonicalJson(value);
  return text.length <= MAX_VALUE_LENGTH ? text : `${text.slice(0, MAX_VALUE_LENGTH)}…`;
}

/** The line that closes a plan. */
export function summaryLine(plan: Plan): string {
  const { newlyAllowed, newlyDenied, reasonsChanged, transformsChanged, structural } = plan.summary;
  const stopped = (plan.gates ?? []).filter(({ result }) => result === "violated").length;
  const broken = (plan.invariants ?? []).filter(({ status }) => status === "violated").length;
  const parts = [
    `${newlyAllowed} newly allowed`,
    `${newlyDenied} newly denied`,
    `${transformsChanged} ${transformsChanged === 1 ? "transform" : "transforms"} changed`,
    ...(structural === 0 ? [] : [`${structural} other ${structural === 1 ? "change" : "changes"}`]),
    ...(broken === 0 ? [] : [`${plural(broken, "invariant")} violated`]),
    ...(stopped === 0 ? [] : [`${plural(stopped, "gate")} violated`]),
    ...(reasonsChanged === 0 ? [] : [`${reasonsChanged} decided by other policies`]),
  ];
  return parts.join(", ");
}

/** What the search covered. */
export function searchLine(plan: Plan): string {
  const { principals, leaves, identicalLeaves, calls, truncated } = plan.searched;
  const where = `on ${plural(leaves, "definition")}`;
  const perCaller = principals === 0 ? 0 : calls / principals;
  const searched = `Searched ${plural(calls, "call")}: ${plural(principals, "caller")} × ${plural(perCaller, "call")} ${where}.`;
  const skipped =
    identicalLeaves === 0 ? "" : ` ${plural(identicalLeaves, "definition")} with equal policies left out.`;
  const cut = truncated
    ? ` The search was capped: ${cappedText(plan)} more combinations of values than were tried.`
    : "";
  return `${searched}${skipped}${cut}`;
}

/** e.g. `2 definitions (tools/call:jira/jira.search, tools/call:jira/jira.create) have`. */
function cappedText({ searched: { truncatedLeaves = [] } }: Plan): string {
  if (truncatedLeaves.length === 0) return "some definitions have";
  const shown = truncatedLeaves.slice(0, MAX_CAPPED).join(", ");
  const more = truncatedLeaves.length > MAX_CAPPED ? ", …" : "";
  const verb = truncatedLeaves.length === 1 ? "has" : "have";
  return `${plural(truncatedLeaves.length, "definition")} (${shown}${more}) ${verb}`;
}

/** e.g. `Base main (bundle 3f2a…), head (bundle 9c41…).` */
export function sidesLine({ base, head }: Plan): string {
  const name = base.ref === "" ? "Base" : `Base ${base.ref}`;
  return `${name} (bundle ${base.digest.slice(0, 12)}), head (bundle ${head.digest.slice(0, 12)}).`;
}

/** Says what finding nothing means. */
export function nothingFound(plan: Plan): string {
  const { base, head, changes, symbolic } = plan;
  if (base.digest === head.digest)
    return changes.length === 0
      ? "No change: both sides compile to the same bundle."
      : "No decision changes: both sides compile to the same bundle.";
  const found =
    changes.length === 0 ? "No change was found." : "No call was found that is newly allowed or denied.";
  const isProved = symbolic !== undefined && isAllProved(symbolic);
  return isProved
    ? `${found} A solver proved that no policy newly allows a call, ${PROVED_SCOPE}; of what is newly denied the search proves nothing.`
    : `${found} That is a search, not a proof: a call that was not tried may be decided differently.`;
}

/** Rows that decide alike, by other policies. */
export function reasonsLine(plan: Plan): string | undefined {
  const { reasonsChanged } = plan.summary;
  if (reasonsChanged === 0) return undefined;
  const pairs = plural(reasonsChanged, "pair");
  return `${pairs} of caller and definition decided as before, but by other policies: the JSON plan lists them.`;
}

export function plural(amount: number, noun: string): string {
  return `${amount} ${noun}${amount === 1 ? "" : "s"}`;
}

/** Leaves of a server that came or went as a whole say nothing more than the server does. */
export function isImplied(change: PlanChange, plan: Plan): boolean {
  if (change.kind !== "leaf-added" && change.kind !== "leaf-removed") return false;
  const kind = change.kind === "leaf-added" ? "server-added" : "server-removed";
  const server = /^[^:]*:([^/]*)\//u.exec(change.subject)?.[1];
  return plan.changes.some((other) => other.kind === kind && !isDecision(other) && other.subject === server);
}
