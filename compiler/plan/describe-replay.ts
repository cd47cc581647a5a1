// A replay in one sentence.
import type { PlanReplay } from "./plan-types.ts";

const MAX_FACTS = 3;

/** e.g. `replayed 12,480 decisions of 2026-11-01 … 2026-11-20: 12,455 alike, 13 changed, 12 indeterminate (arguments.sql 12)`. */
export function describeReplay(replay: PlanReplay): string {
  const { records, unchanged, changed, indeterminate, skipped, missingFacts, from, to } = replay;
  if (records === 0) return "replayed no decisions: the log has none";
  const parts = [
    `${grouped(unchanged)} alike`,
    `${grouped(changed)} changed`,
    `${grouped(indeterminate)} indeterminate${indeterminate === 0 ? "" : ` (${factsText(missingFacts)})`}`,
    ...(skipped === 0 ? [] : [`${grouped(skipped)} not asked of the policies of either side`]),
  ];
  return `replayed ${grouped(records)} ${records === 1 ? "decision" : "decisions"}${days(from, to)}: ${parts.join(", ")}`;
}

function factsText(facts: PlanReplay["missingFacts"]): string {
  const shown = facts.slice(0, MAX_FACTS).map(({ fact, records }) => `${factText(fact)} ${grouped(records)}`);
  return [...shown, ...(facts.length > MAX_FACTS ? ["…"] : [])].join(", ");
}

function factText(fact: string): string {
  if (fact === "facts") return "no facts recorded";
  return fact === "definition" ? "another pinned definition" : fact;
}

function days(from: string | undefined, to: string | undefined): string {
  if (from === undefined || to === undefined) return "";
  const [first, last] = [from.slice(0, 10), to.slice(0, 10)];
  return first === last ? ` of ${first}` : ` of ${first} … ${last}`;
}

function grouped(count: number): string {
  return count.toLocaleString("en-US");
}
