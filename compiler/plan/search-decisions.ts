// Decides the calls of a plan on both sides and keeps one row for each caller, leaf and kind of change.
import { canonicalJson } from "#bundle";
import type { BundleContent, LeafAction, RequestFacts } from "#bundle";
import { createEvaluator } from "#pdp";
import type { Evaluator } from "#pdp";
import { decideCall } from "#policy-test";
import type { JsonObject } from "#std";
import type { LeafSearch } from "./leaf-searches.ts";
import { missingAttributes } from "./plan-side.ts";
import type { NamedPrincipal, PlanSide } from "./plan-side.ts";
import type { DecisionChange, DecisionChangeKind, PlanDecision } from "./plan-types.ts";
import { factsRead } from "./request-classes.ts";
import { isResourceKind, ResourceLeaves } from "./resource-calls.ts";

export interface Sides {
  readonly base: PlanSide;
  readonly head: PlanSide;
  readonly principals: readonly NamedPrincipal[];
  readonly signal: AbortSignal;
}

interface Search extends Sides {
  readonly evaluators: { readonly base: Evaluator; readonly head: Evaluator };
  readonly resources: { readonly base: ResourceLeaves; readonly head: ResourceLeaves };
}

/** Every row that changes, in order of leaf, then of caller. */
export async function searchLeaves(
  search: Sides,
  leaves: readonly LeafSearch[],
): Promise<readonly DecisionChange[]> {
  if (leaves.length === 0) return [];
  const { signal } = search;
  const base = await createEvaluator(only(search.base, leaves), { signal });
  try {
    const head = await createEvaluator(only(search.head, leaves), { signal });
    const evaluators = { base, head };
    const resources = {
      base: new ResourceLeaves(search.base.content),
      head: new ResourceLeaves(search.head.content),
    };
    try {
      const found: DecisionChange[] = [];
      for (const leaf of leaves) {
        for (const principal of callersOf(search.principals, leaf)) {
          found.push(...(await searchRow({ ...search, evaluators, resources }, principal, leaf)));
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

/** Callers that differ only in their requests are one where the leaf does not read those. */
function callersOf(principals: readonly NamedPrincipal[], leaf: LeafSearch): readonly NamedPrincipal[] {
  if (leaf.requests.reads.length > 0) return principals;
  const byFacts = new Map<string, NamedPrincipal>();
  for (const principal of principals) {
    const key = canonicalJson(principal.facts);
    if (!byFacts.has(key)) byFacts.set(key, principal);
  }
  return [...byFacts.values()];
}

/** What decides the leaves that are searched: preparing thousands of others would take longer than the search. */
function only(
  { content }: PlanSide,
  leaves: readonly LeafSearch[],
): Pick<BundleContent, "policies" | "registry"> {
  const actions = new Set(leaves.map(({ action }) => action));
  const readServers = new Set(leaves.map(({ resourcesOf }) => resourcesOf));
  const servers = content.registry.servers.map((server) => ({
    ...server,
    leaves: server.leaves.filter(
      ({ action, kind }) => actions.has(action) || (isResourceKind(kind) && readServers.has(server.id)),
    ),
  }));
  const kept = new Set(servers.flatMap((server) => server.leaves.map(({ action }) => action)));
  const slices = content.policies.slices.filter(({ action }) => kept.has(action));
  return { registry: { servers }, policies: { ...content.policies, slices } };
}

/** One call of one caller, and the leaf that decides it on each side. */
export interface Call {
  readonly facts: NamedPrincipal["facts"];
  readonly request: RequestFacts;
  readonly arguments: JsonObject;
  readonly base: LeafAction | undefined;
  readonly head: LeafAction | undefined;
}

interface Row {
  readonly before: PlanDecision;
  readonly after: PlanDecision;
  readonly call: Call;
  calls: number;
}

/** One caller and one leaf: the first call of each kind of change stands for the others. */
async function searchRow(
  search: Search,
  principal: NamedPrincipal,
  leaf: LeafSearch,
): Promise<readonly DecisionChange[]> {
  const rows = new Map<DecisionChangeKind, Row>();
  let searchedCalls = 0;
  for (const call of callsOnLeaf(search.resources, principal, leaf)) {
    searchedCalls += 1;
    const before = await decideOn(search, "base", call);
    const after = await decideOn(search, "head", call);
    const kind = changeKind(before, after);
    if (kind === undefined) continue;
    const row = rows.get(kind);
    if (row === undefined) rows.set(kind, { before, after, call, calls: 1 });
    else row.calls += 1;
  }
  const { reads } = leaf.requests;
  const changes: DecisionChange[] = [];
  for (const [kind, { before, after, call, calls }] of rows) {
    await replay(search, call, before, after);
    const { facts, request, arguments: args } = call;
    const read = reads.length === 0 ? {} : { request, read: factsRead(request, reads) };
    changes.push({
      kind,
      evidence: "matrix",
      principal: principal.name,
      action: leaf.action,
      before,
      after,
      witness: { principal: facts, arguments: args, ...read },
      changedCalls: calls,
      searchedCalls,
    });
  }
  return changes;
}

/** What the caller tries, without reads of a URI that another leaf of the head stands for. */
export function* callsOnLeaf(
  resources: Search["resources"],
  principal: NamedPrincipal,
  leaf: LeafSearch,
): Generator<Call> {
  const { facts } = principal;
  const { action, calls, requests, resourcesOf } = leaf;
  const asked = [
    ...new Map(
      requests.changes.map((change) => {
        const request = change(principal.request);
        return [canonicalJson(request), request];
      }),
    ).values(),
  ];
  for (const request of asked) {
    for (const args of calls.arguments) {
      const { uri } = args;
      if (resourcesOf === undefined || typeof uri !== "string") {
        yield { facts, request, arguments: args, base: action, head: action };
        continue;
      }
      const base = resources.base.leafOf(resourcesOf, uri);
      const head = resources.head.leafOf(resourcesOf, uri);
      if ((head ?? base) === action) yield { facts, request, arguments: args, base, head };
    }
  }
}

function changeKind(before: PlanDecision, after: PlanDecision): DecisionChangeKind | undefined {
  if (before.effect !== after.effect) return after.effect === "allow" ? "newly-allowed" : "newly-denied";
  return canonicalJson(before) === canonicalJson(after) ? undefined : "reasons-changed";
}

async function decideOn(search: Search, side: "base" | "head", call: Call): Promise<PlanDecision> {
  const { facts, request, arguments: args } = call;
  const action = call[side];
  if (action === undefined) return { effect: "deny", reasons: [], code: "TARGET_UNKNOWN" };
  const caller = { facts, request, missingAttributes: missingAttributes(search[side], facts) };
  const verdict = await decideCall(search.evaluators[side], caller, action, args, search.signal);
  const { effect, reasons, errors, refusal } = verdict;
  const code = refusal?.code ?? (errors.length > 0 ? "POLICY_ERROR" : undefined);
  return code === undefined ? { effect, reasons } : { effect, reasons, code };
}

/** A witness is shown only where both sides decide it again as before. */
async function replay(search: Search, call: Call, before: PlanDecision, after: PlanDecision): Promise<void> {
  for (const [side, expected] of [["base", before] as const, ["head", after] as const]) {
    const again = await decideOn(search, side, call);
    if (canonicalJson(again) !== canonicalJson(expected)) {
      throw new Error(`the ${side} decides ${String(call[side])} differently when it is asked again`);
    }
  }
}
