// Decides the calls of a plan on both sides and keeps one row for each caller, leaf and kind of change.
import { canonicalJson } from "#bundle";
import type { BundleContent, LeafAction, RequestFacts } from "#bundle";
import { createEvaluator } from "#pdp";
import type { Evaluator } from "#pdp";
import { decideCall } from "#policy-test";
import type { JsonObject } from "#std";
import type { LeafSearch } from "./leaf-searches.ts";
import { missingAttributes } from "../calls/plan-side.ts";
import type { NamedPrincipal, PlanSide } from "../calls/plan-side.ts";
import type { DecisionChange, DecisionChangeKind, PlanDecision } from "./plan-types.ts";
import { factsRead } from "../calls/request-classes.ts";
import { isResourceKind, ResourceLeaves } from "../calls/resource-calls.ts";

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

/** What the search of one leaf came to. */
export interface SearchedLeaf {
  readonly action: LeafAction;
  /** One letter for each caller, in order: see `PlanMatrix`. */
  readonly cells: string;
  /** Callers that the head allows some call of it. */
  readonly allowed: readonly string[];
}

export interface SearchFindings {
  /** Every row that changes, in order of leaf, then of caller. */
  readonly changes: readonly DecisionChange[];
  /** In the order of the leaves that were given. */
  readonly leaves: readonly SearchedLeaf[];
}

/** Decides every call of every caller on both sides. Rejects with the reason of `search.signal`. */
export async function searchLeaves(search: Sides, leaves: readonly LeafSearch[]): Promise<SearchFindings> {
  if (leaves.length === 0) return { changes: [], leaves: [] };
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
      const searched: Searched[] = [];
      for (const leaf of leaves) {
        searched.push(await searchLeaf({ ...search, evaluators, resources }, leaf));
      }
      return { changes: searched.flatMap((one) => one.changes), leaves: searched.map((one) => one.leaf) };
    } finally {
      head.dispose();
    }
  } finally {
    base.dispose();
  }
}

interface Searched {
  readonly changes: readonly DecisionChange[];
  readonly leaf: SearchedLeaf;
}

async function searchLeaf(search: Search, leaf: LeafSearch): Promise<Searched> {
  const rows = new Map<string, SearchedRow>();
  const changes: DecisionChange[] = [];
  const cells: string[] = [];
  const allowed: string[] = [];
  for (const principal of search.principals) {
    const key = callerKey(principal, leaf);
    const known = rows.get(key);
    const row = known ?? (await searchRow(search, principal, leaf));
    if (known === undefined) {
      rows.set(key, row);
      changes.push(...row.changes);
    }
    cells.push(row.cell);
    if (row.isAllowed) allowed.push(principal.name);
  }
  return { changes, leaf: { action: leaf.action, cells: cells.join(""), allowed } };
}

/** Callers that differ only in their requests are one where the leaf does not read those. */
function callerKey(principal: NamedPrincipal, leaf: LeafSearch): string {
  return canonicalJson(
    leaf.requests.reads.length > 0 ? [principal.facts, principal.request] : principal.facts,
  );
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

interface SearchedRow {
  readonly changes: readonly DecisionChange[];
  readonly cell: string;
  /** The head allows some call. */
  readonly isAllowed: boolean;
}

/** One caller and one leaf: the first call of each kind of change stands for the others. */
async function searchRow(search: Search, principal: NamedPrincipal, leaf: LeafSearch): Promise<SearchedRow> {
  const rows = new Map<DecisionChangeKind, Row>();
  let searchedCalls = 0;
  let allowedCalls = 0;
  for (const call of callsOnLeaf(search.resources, principal, leaf)) {
    searchedCalls += 1;
    const before = await decideOn(search, "base", call);
    const after = await decideOn(search, "head", call);
    if (after.effect === "allow") allowedCalls += 1;
    const kind = changeKind(before, after);
    if (kind === undefined) continue;
    const row = rows.get(kind);
    if (row === undefined) rows.set(kind, { before, after, call, calls: 1 });
    else row.calls += 1;
  }
  return {
    changes: await changesOf(search, principal, leaf, rows, searchedCalls),
    cell: cellOf(new Set(rows.keys()), searchedCalls, allowedCalls),
    isAllowed: allowedCalls > 0,
  };
}

async function changesOf(
  search: Search,
  principal: NamedPrincipal,
  leaf: LeafSearch,
  rows: ReadonlyMap<DecisionChangeKind, Row>,
  searchedCalls: number,
): Promise<readonly DecisionChange[]> {
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

/** The letter of one caller and leaf: see `PlanMatrix`. */
function cellOf(kinds: ReadonlySet<DecisionChangeKind>, searched: number, allowed: number): string {
  const isAllowed = kinds.has("newly-allowed");
  if (kinds.has("newly-denied")) return isAllowed ? "B" : "D";
  if (isAllowed) return "A";
  if (kinds.has("reasons-changed")) return "r";
  if (searched === 0) return ".";
  return allowed === 0 ? "d" : allowed === searched ? "a" : "s";
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
