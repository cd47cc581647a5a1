// The sign, the word and the colour of each kind of change and result: never the colour alone.
import type { DecisionChangeKind, GateResult, InvariantResult } from "#plan";
import { markup } from "./markup.ts";
import type { Markup } from "./markup.ts";

export type Tone = "allowed" | "denied" | "both" | "reasons" | "good" | "bad" | "warn";

export interface Sign {
  readonly sign: string;
  readonly tone: Tone;
  readonly word: string;
}

export const KIND_SIGNS: Readonly<Record<DecisionChangeKind, Sign>> = {
  "newly-allowed": { sign: "+", tone: "allowed", word: "newly allowed" },
  "newly-denied": { sign: "−", tone: "denied", word: "newly denied" },
  "reasons-changed": { sign: "~", tone: "reasons", word: "other reasons" },
};

export const GATE_SIGNS: Readonly<Record<GateResult["result"], Sign>> = {
  "not-checked": { sign: "?", tone: "warn", word: "not checked" },
  passed: { sign: "✓", tone: "good", word: "passed" },
  warning: { sign: "!", tone: "warn", word: "warning" },
  violated: { sign: "✗", tone: "bad", word: "violated" },
};

export const INVARIANT_SIGNS: Readonly<Record<InvariantResult["status"], Sign>> = {
  held: { sign: "✓", tone: "good", word: "held" },
  proved: { sign: "✓", tone: "good", word: "proved" },
  unsearched: { sign: "?", tone: "warn", word: "not checked" },
  violated: { sign: "✗", tone: "bad", word: "violated" },
};

/** The sign in its colour; what it means stands beside it in words. */
export function mark({ sign, tone }: Sign): Markup {
  return markup`<span class="mark t-${tone}" aria-hidden="true">${sign}</span>`;
}
