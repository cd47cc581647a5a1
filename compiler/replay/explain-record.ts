// Why a recorded decision was made as it was: the record, explained by a bundle, with the facts that the record holds.
import type { Digest } from "#bundle";
import { judgePolicies } from "#explain";
import type { ExplainedPolicy } from "#explain";
import type { JsonObject } from "#std";
import type { RecordedDecision } from "./recorded-decision.ts";
import type { RecordedEnd } from "./recorded-end.ts";
import { ReplaySide } from "./replay-side.ts";
import type { ReplayInput, SideAnswer } from "./replay-side.ts";

export interface RecordExplanation {
  readonly record: Omit<RecordedDecision, "facts">;
  /** How the call ended; null where it was denied before it was sent. */
  readonly end: RecordedEnd | null;
  /** As recorded; null where the record has none. */
  readonly facts: JsonObject | null;
  /** The bundle that explains, and whether it is the one that decided. */
  readonly bundle: { readonly digest: Digest; readonly decided: boolean };
  /** What the policies say of the facts; null where the record has none. */
  readonly explained: SideAnswer | null;
  /** Whether the policies say what the record says; null where it cannot be told. */
  readonly agrees: boolean | null;
  /** Policies that can apply to the call; empty where they cannot be asked. */
  readonly policies: readonly ExplainedPolicy[];
}

/** Stages after the decision: what was denied there the policies had allowed. */
const AFTER_DECISION: ReadonlySet<string> = new Set(["throttle", "transform", "record", "dispatch"]);

/** What the policies had said when the record was made. */
function effectOfPolicies({ effect, stage }: RecordedDecision): "allow" | "deny" {
  return effect === "allow" || AFTER_DECISION.has(stage ?? "") ? "allow" : "deny";
}

/** @throws Error where the bundle cannot be evaluated, and the reason of `signal` */
export async function explainRecord(
  record: RecordedDecision,
  end: RecordedEnd | null,
  input: ReplayInput,
  signal: AbortSignal,
): Promise<RecordExplanation> {
  const { facts, ...known } = record;
  const bundle = { digest: input.digest, decided: input.digest === record.digest };
  const base = { record: known, end, facts: facts?.json ?? null, bundle };
  if (facts === undefined) return { ...base, explained: null, agrees: null, policies: [] };
  const side = await ReplaySide.open(input, signal);
  try {
    const explained = await side.decide(record, side, signal);
    const isAsked = explained.kind === "open" || explained.code === undefined;
    const judged = isAsked ? await side.judge(record, signal) : undefined;
    const named = new Set(explained.kind === "decided" ? explained.reasons : []);
    const policies =
      judged === undefined ? [] : await judgePolicies(input.content, judged.slice, judged.applies, named);
    return { ...base, explained, agrees: agreement(record, explained), policies };
  } finally {
    side.dispose();
  }
}

function agreement(record: RecordedDecision, explained: SideAnswer): boolean | null {
  if (explained.kind === "open") return null;
  if (explained.effect !== effectOfPolicies(record)) return false;
  // A denial after the decision names no policies, and neither does one for an attribute.
  if (!explained.isComplete || explained.effect !== record.effect) return true;
  return JSON.stringify(explained.reasons) === JSON.stringify([...record.policies].sort());
}
