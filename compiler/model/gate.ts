// Gates: which changes of a plan pass, warn, need a label on the pull request, or stop it.
import type { SourceSpan } from "../diagnostics/index.ts";

/** What a gate is about. */
export const GATE_NAMES = [
  "newlyAllowed",
  "newlyDenied",
  "redactionRemoved",
  "serverChanged",
  "pinChanged",
  "forbidShadowed",
  "forbidRemoved",
  "identityChanged",
  "limitLoosened",
  "safeguardLoosened",
] as const;
export type GateName = (typeof GATE_NAMES)[number];

/** `require`: stops, unless the pull request carries the label. */
export type GateRule =
  { readonly effect: "allow" | "warn" | "deny" } | { readonly effect: "require"; readonly label: string };

export interface GateClause {
  readonly rule: GateRule;
  readonly at: SourceSpan;
}

export interface Gate {
  readonly name: GateName;
  readonly at: SourceSpan;
  /** For what neither a tier nor a label speaks of; absent = warn. */
  readonly default: GateClause | undefined;
  /** By tier of the server. */
  readonly tiers: ReadonlyMap<string, GateClause>;
  /** By label of the server. */
  readonly labels: ReadonlyMap<string, GateClause>;
  /** Percent of the replayed records, 0 to 100. */
  readonly maxPercentOfReplay: { readonly percent: number; readonly at: SourceSpan } | undefined;
}
