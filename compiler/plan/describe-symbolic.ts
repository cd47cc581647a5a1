// What a proof came to, in words.
import type { PlanSymbolic } from "./plan-types.ts";

/** Reasons that are written out; the rest are counted. */
const MAX_REASONS = 20;

/** Lines for people: a summary first, then what was not analysed. Plain text; names come from the repository. */
export function describeSymbolic(symbolic: PlanSymbolic): readonly string[] {
  const { asked, proved, found, notAnalysed } = symbolic;
  if (asked === 0) return ["Symbolic: nothing to prove: no decision of a leaf differs."];
  const summary =
    `Symbolic: of ${count(asked, "pair")} of caller type and leaf that differ, ` +
    `${String(proved)} proved without new permits, ${String(found)} newly allowed, ` +
    `${String(notAnalysed.length)} not analysed.`;
  const shown = notAnalysed.slice(0, MAX_REASONS).map(({ action, reason }) => `${action}: ${reason}`);
  const rest = notAnalysed.length - shown.length;
  return [summary, ...shown.map((line) => `  ${line}`), ...(rest > 0 ? [`  and ${String(rest)} more`] : [])];
}

function count(number: number, noun: string): string {
  return `${String(number)} ${noun}${number === 1 ? "" : "s"}`;
}
