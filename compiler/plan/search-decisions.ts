// Decides the calls of a plan on both sides and keeps one row for each caller, leaf and kind of change.
import { canonicalJson } from "#bundle";
import type { BundleContent, LeafAction } from "#bundle";
import { createEvaluator } from "#pdp";
import type { Evaluator } from "#pdp";
import { decideCall } from "#policy-test";
import type { JsonObject } from "#std";
import type { CallClasses } from "./call-classes.ts";
import type { LeafSearch } from "./leaf-searches.ts";
import { missingAttributes } from "./plan-side.ts";
import type { NamedPrincipal, PlanSide } from "./plan-side.ts";
import type { DecisionChange, DecisionChangeKind, PlanDecision } from "./plan-types.ts";

export interface Sides {
  readonly base: PlanSide;
  readonly head: PlanSide;
  readonly principals: readonly NamedPrincipal[];
  readonly signal: AbortSignal;
}

interface Search extends Sides {
  readonly evaluators: { readonly base: Evaluator; readonly head: Evaluator };
}

/** Every row that changes, in order of leaf, then of caller. */
export async function searchLeaves(
  search: Sides,
  leaves: readonly LeafSearch[],
): Promise<readonly DecisionChange[]> {
  if (leaves.length === 0) return [];
  const { signal } = search;
  const actions = new Set(leaves.map(({ action }) => action));
  const base = await createEvaluator(only(search.base, actions), { signal });
  try {
    const head = await createEvaluator(only(search.head, actions), { signal });
    try {
      const found: DecisionChange[] = [];
      for (const { action, calls } of leaves) {
        for (const principal of search.principals) {
          found.push(
            ...(await searchRow({ ...search, evaluators: { base, head } }, principal, action, calls)),
          );
        }
      }
      return found;
    } finally {
      head.dispose();
    }
  } finally {
    base.dispose();
  }
}

/** What decides the leaves that are searched: preparing thousands of others would take longer than the search. */
function only(
  { content }: PlanSide,
  actions: ReadonlySet<LeafAction>,
): Pick<BundleContent, "policies" | "registry"> {
  const servers = content.registry.servers.map((server) => ({
    ...server,
    leaves: server.leaves.filter(({ action }) => actions.has(action)),
  }));
  const slices = content.policies.slices.filter(({ action }) => actions.has(action));
  return { registry: { servers }, policies: { ...content.policies, slices } };
}

interface Row {
  readonly before: PlanDecision;
  readonly after: PlanDecision;
  readonly arguments: JsonObject;
  calls: number;
}

/** One caller and one leaf: the first call of each kind of change stands for the others. */
async function searchRow(
  search: Search,
  principal: NamedPrincipal,
  action: LeafAction,
  calls: CallClasses,
): Promise<readonly DecisionChange[]> {
  const rows = new Map<DecisionChangeKind, Row>();
  for (const args of calls.arguments) {
    const before = await decideOn(search, "base", principal, action, args);
    const after = await decideOn(search, "head", principal, action, args);
    const kind = changeKind(before, after);
    if (kind === undefined) continue;
    const row = rows.get(kind);
    if (row === undefined) rows.set(kind, { before, after, arguments: args, calls: 1 });
    else row.calls += 1;
  }
  const changes: DecisionChange[] = [];
  for (const [kind, row] of rows) {
    await replay(search, principal, action, row);
    changes.push({
      kind,
      evidence: "matrix",
      principal: principal.name,
      action,
      before: row.before,
      after: row.after,
      witness: { principal: principal.facts, arguments: row.arguments },
      changedCalls: row.calls,
      searchedCalls: calls.arguments.length,
    });
  }
  return changes;
}

function changeKind(before: PlanDecision, after: PlanDecision): DecisionChangeKind | undefined {
  if (before.effect !== after.effect) return after.effect === "allow" ? "newly-allowed" : "newly-denied";
  return canonicalJson(before) === canonicalJson(after) ? undefined : "reasons-changed";
}

async function decideOn(
  search: Search,
  side: "base" | "head",
  { facts }: NamedPrincipal,
  action: LeafAction,
  args: JsonObject,
): Promise<PlanDecision> {
  const caller = { facts, missingAttributes: missingAttributes(search[side], facts) };
  const verdict = await decideCall(search.evaluators[side], caller, action, args, search.signal);
  const { effect, reasons, errors, refusal } = verdict;
  const code = refusal?.code ?? (errors.length > 0 ? "POLICY_ERROR" : undefined);
  return code === undefined ? { effect, reasons } : { effect, reasons, code };
}

/** A witness is shown only where both sides decide it again as before. */
async function replay(
  search: Search,
  principal: NamedPrincipal,
  action: LeafAction,
  row: Row,
): Promise<void> {
  for (const [side, expected] of [["base", row.before] as const, ["head", row.after] as const]) {
    const again = await decideOn(search, side, principal, action, row.arguments);
    if (canonicalJson(again) !== canonicalJson(expected)) {
      throw new Error(`the ${side} decides ${action} differently when it is asked again`);
    }
  }
}
