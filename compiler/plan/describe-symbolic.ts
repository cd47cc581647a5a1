// What a proof came to, in words.
import type { PlanSymbolic } from "./plan-types.ts";

/** Reasons that are written out; the rest are counted. */
const MAX_REASONS = 20;

/**
 * What is proved of a pair, exactly: which callers and calls it is about. Issuers that differ are not analysed, so a proof
 * is about callers that both versions make of the same tokens.
 */
export const PROVED_SCOPE =
  "for callers that both versions map alike, and calls that both can represent and check within their limits";

/** True where all that differs was proved; only then is anything said of the plan as a whole. */
export function isAllProved({ asked, proved, found, notAnalysed }: PlanSymbolic): boolean {
  return asked > 0 && proved === asked && found === 0 && notAnalysed.length === 0;
}

/** Lines for people: a summary first, then what was not analysed. Plain text; names come from the repository. */
export function describeSymbolic(symbolic: PlanSymbolic): readonly string[] {
  const { asked, proved, found, notAnalysed } = symbolic;
  if (asked === 0) return ["Symbolic: nothing was asked: of no leaf do the policies differ, or the callers."];
  const summary =
    `Symbolic: of ${count(asked, "pair")} of caller type and leaf that differ, ` +
    `${String(proved)} proved without new permits, ${String(found)} newly allowed, ` +
    `${String(notAnalysed.length)} not analysed.` +
    (proved === 0 ? "" : ` Proved ${PROVED_SCOPE}.`);
  const shown = notAnalysed.slice(0, MAX_REASONS).map(({ action, reason }) => `${action}: ${reason}`);
  const rest = notAnalysed.length - shown.length;
  return [summary, ...shown.map((line) => `  ${line}`), ...(rest > 0 ? [`  and ${String(rest)} more`] : [])];
}

function count(number: number, noun: string): string {
  return `${String(number)} ${noun}${number === 1 ? "" : "s"}`;
}
