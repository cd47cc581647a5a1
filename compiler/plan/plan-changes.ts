// Compares two versions of a repository by deciding the same calls on both.
import type { LeafAction, ServerId } from "#bundle";
import { callsOf, leafSearches } from "./leaf-searches.ts";
import { planSide } from "../calls/plan-side.ts";
import { planSources } from "./plan-sources.ts";
import type { NamedPrincipal, PlanInput, PlanSide } from "../calls/plan-side.ts";
import type {
  DecisionChange,
  DecisionChangeKind,
  Plan,
  PlanBase,
  PlanChange,
  PlanMatrix,
  PlanReplay,
  PlanSearch,
  StructuralChange,
} from "./plan-types.ts";
import { notedPolicies } from "./policy-changes.ts";
import { literalsOf } from "../calls/policy-literals.ts";
import { principalClasses } from "../calls/principal-classes.ts";
import { searchLeaves } from "./search-decisions.ts";
import type { SearchedLeaf } from "./search-decisions.ts";
import { structuralChanges } from "./structural-changes.ts";
import type { AllowedCallers } from "./transform-changes.ts";

/** Of the whole search. */
const PLAN_TIMEOUT_MS = 10 * 60_000;

export interface PlanOptions {
  readonly base?: Pick<PlanBase, "kind" | "ref">;
  /** `skip`: leaves that nothing distinguishes are never searched. `auto` (default): only in a large search. */
  readonly identicalLeaves?: "auto" | "skip";
  readonly signal?: AbortSignal;
  /** What replaying audit logs on the same two versions came to: its rows stand among the others. */
  readonly replayed?: { readonly replay: PlanReplay; readonly changes: readonly DecisionChange[] };
}

/**
 * Searches for calls that the two versions decide differently, and lists what else differs. Finding none proves
 * nothing. Throws Error where a side does not compile, and the reason of `signal`.
 */
export async function planChanges(
  base: PlanInput,
  head: PlanInput,
  options: PlanOptions = {},
): Promise<Plan> {
  const sides = { base: planSide(base, "base"), head: planSide(head, "head") };
  const timeout = AbortSignal.timeout(PLAN_TIMEOUT_MS);
  const signal = options.signal === undefined ? timeout : AbortSignal.any([options.signal, timeout]);
  const principals = principalClasses(sides.base, sides.head, allLiterals(sides.base, sides.head));
  const { leaves, identicalLeaves } = leafSearches(
    sides.base,
    sides.head,
    principals.length,
    options.identicalLeaves ?? "auto",
  );
  const found = await searchLeaves({ ...sides, principals, signal }, leaves);
  const calls = leaves.reduce((sum, leaf) => sum + callsOf(leaf), 0) * principals.length;
  const cut = leaves
    .filter(({ calls: own, requests }) => own.truncated || requests.truncated)
    .map(({ action }) => action)
    .sort();
  const searched: PlanSearch = {
    principals: principals.length,
    leaves: leaves.length,
    identicalLeaves,
    calls,
    decisions: calls * 2,
    truncated: cut.length > 0,
    ...(cut.length === 0 ? {} : { truncatedLeaves: cut }),
  };
  const structural = structuralChanges(sides.base, sides.head, allowedCallers(principals, found.leaves));
  const decisions = [...found.changes, ...(options.replayed?.changes ?? [])];
  const changes = sorted(decisions, structural);
  const plan: Plan = {
    base: { kind: options.base?.kind ?? "compiled", ref: options.base?.ref ?? "", digest: sides.base.digest },
    head: { digest: sides.head.digest },
    searched,
    summary: summarise(decisions, structural),
    changes,
    matrix: matrixOf(sides, principals, found.leaves),
    sources: planSources(sides, changes),
    ...(options.replayed === undefined ? {} : { replay: options.replayed.replay }),
  };
  return notedPolicies(plan);
}

function allowedCallers(
  principals: readonly NamedPrincipal[],
  leaves: readonly SearchedLeaf[],
): AllowedCallers {
  const tenantOf = new Map(principals.map(({ name, facts }) => [name, facts.tenant]));
  const byAction = new Map(leaves.map(({ action, allowed }) => [action, allowed]));
  return (tenant, action) => byAction.get(action)?.filter((name) => tenantOf.get(name) === tenant);
}

function matrixOf(
  { base, head }: { readonly base: PlanSide; readonly head: PlanSide },
  principals: readonly NamedPrincipal[],
  leaves: readonly SearchedLeaf[],
): PlanMatrix {
  const servers = new Map(
    [base, head].flatMap(({ content }) =>
      content.registry.servers.flatMap(({ id, leaves: own }) =>
        own.map(({ action }): [LeafAction, ServerId] => [action, id]),
      ),
    ),
  );
  return {
    principals: principals.map(({ name }) => name),
    leaves: leaves.map(({ action, cells }) => ({ action, server: servers.get(action) ?? "", cells })),
  };
}

function summarise(
  decisions: readonly DecisionChange[],
  structural: readonly StructuralChange[],
): Plan["summary"] {
  const having = (kind: DecisionChangeKind): number =>
    decisions.filter((change) => change.kind === kind).length;
  const transforms = structural.filter((change) => change.kind === "transforms-changed").length;
  return {
    newlyAllowed: having("newly-allowed"),
    newlyDenied: having("newly-denied"),
    reasonsChanged: having("reasons-changed"),
    transformsChanged: transforms,
    structural: structural.length - transforms,
  };
}

const DECISION_ORDER: readonly DecisionChangeKind[] = ["newly-allowed", "newly-denied", "reasons-changed"];

function sorted(
  decisions: readonly DecisionChange[],
  structural: readonly StructuralChange[],
): readonly PlanChange[] {
  const byKind = DECISION_ORDER.flatMap((kind) => decisions.filter((change) => change.kind === kind));
  const isTransform = (change: StructuralChange): boolean => change.kind === "transforms-changed";
  return [
    ...byKind,
    ...structural.filter(isTransform),
    ...structural.filter((change) => !isTransform(change)),
  ];
}

function allLiterals(base: PlanSide, head: PlanSide): ReturnType<typeof literalsOf>[] {
  return [base, head].flatMap(({ content }) =>
    content.policies.slices.map((slice) => literalsOf(content, slice)),
  );
}

/** The decisions that differ: what `aegis dev` says after a save. Leaves that are the same are not searched. */
export async function decisionDelta(
  base: PlanInput,
  head: PlanInput,
  options: Pick<PlanOptions, "signal"> = {},
): Promise<readonly DecisionChange[]> {
  const plan = await planChanges(base, head, { ...options, identicalLeaves: "skip" });
  return plan.changes.filter(
    (change) => change.evidence !== "structural" && change.kind !== "reasons-changed",
  ) as readonly DecisionChange[];
}
