// Checks the invariants of a repository: a proof where the policies themselves give one, else the search of a plan with
// the repository on both sides.
import { DEFAULT_TENANT } from "#bundle";
import type { BundleContent, LeafAction, Slice, TenantId } from "#bundle";
import { createEvaluator } from "#pdp";
import type { Evaluator } from "#pdp";
import { decideCall } from "#policy-test";
import type { CallVerdict } from "#policy-test";
import type { Invariant, InvariantResult, InvariantWitness } from "../model/invariant.ts";
import type { LeafSide } from "../calls/call-classes.ts";
import { indexLeaves, leafSearch } from "./leaf-searches.ts";
import type { LeafSearch } from "./leaf-searches.ts";
import { missingAttributes, planSide } from "../calls/plan-side.ts";
import type { NamedPrincipal, PlanInput, PlanSide } from "../calls/plan-side.ts";
import { literalsOf } from "../calls/policy-literals.ts";
import { principalClasses } from "../calls/principal-classes.ts";
import { factsRead } from "../calls/request-classes.ts";
import { ResourceLeaves } from "../calls/resource-calls.ts";
import { callsOnLeaf } from "./search-decisions.ts";
import { invariantCallers, knownCallers } from "./invariant-callers.ts";
import { isAlwaysDenied } from "./prove-denied.ts";

/** Calls that one caller tries on a leaf. */
const MAX_CALLS = 1_024;
const MIN_CALLS = 64;
/** Of all invariants together, as far as the least number for each leaf leaves room. */
const MAX_DECISIONS = 400_000;
const MAX_WITNESSES = 20;
const CHECK_TIMEOUT_MS = 10 * 60_000;

interface Bench {
  readonly side: PlanSide;
  readonly tenants: readonly TenantId[];
  readonly principals: readonly NamedPrincipal[];
  readonly leaves: ReadonlyMap<LeafAction, LeafSide>;
  readonly slices: ReadonlyMap<string, Slice>;
  readonly resources: ResourceLeaves;
  readonly evaluator: Evaluator;
  readonly searches: Map<LeafAction, LeafSearch>;
  readonly maxCalls: number;
  readonly signal: AbortSignal;
}

/** Checks each of the invariants, in their order. Throws Error where the input holds no bundle. */
export async function checkInvariants(
  input: PlanInput,
  invariants: readonly Invariant[],
  options: { readonly signal?: AbortSignal } = {},
): Promise<readonly InvariantResult[]> {
  if (invariants.length === 0) return [];
  const timeout = AbortSignal.timeout(CHECK_TIMEOUT_MS);
  const signal = options.signal === undefined ? timeout : AbortSignal.any([options.signal, timeout]);
  const side = planSide(input, "repository");
  const { content } = side;
  const literals = content.policies.slices.map((slice) => literalsOf(content, slice));
  const principals = principalClasses(side, side, literals);
  const evaluator = await createEvaluator(content, { signal });
  const pairs = invariants.reduce((sum, { actions }) => sum + actions.length, 0) * principals.length;
  try {
    const bench: Bench = {
      ...{ side, principals, evaluator, signal },
      tenants: [...new Set([DEFAULT_TENANT, ...content.policies.slices.map(({ tenant }) => tenant)])],
      leaves: indexLeaves(side, "all"),
      slices: new Map(content.policies.slices.map((slice) => [sliceKey(slice.tenant, slice.action), slice])),
      resources: new ResourceLeaves(content),
      searches: new Map(),
      maxCalls: Math.max(MIN_CALLS, Math.min(MAX_CALLS, Math.floor(MAX_DECISIONS / Math.max(1, pairs)))),
    };
    const results: InvariantResult[] = [];
    for (const invariant of invariants) results.push(await checkOne(bench, invariant));
    return results;
  } finally {
    evaluator.dispose();
  }
}

function sliceKey(tenant: TenantId, action: LeafAction): string {
  return JSON.stringify([tenant, action]);
}

async function checkOne(bench: Bench, invariant: Invariant): Promise<InvariantResult> {
  const callers = invariantCallers(invariant, bench.principals, bench.tenants);
  const open = invariant.actions.filter((action) => !isProved(bench, invariant, action));
  const witnesses: InvariantWitness[] = [];
  let calls = 0;
  let violations = 0;
  for (const action of open) {
    const leaf = searchOf(bench, action);
    if (leaf === undefined) continue;
    for (const caller of callers) {
      const row = await searchRow(bench, invariant, caller, leaf);
      calls += row.calls;
      violations += row.violations;
      if (row.witness !== undefined && witnesses.length < MAX_WITNESSES) witnesses.push(row.witness);
    }
  }
  const { name, reason, expect, at, actions } = invariant;
  const why = reason === undefined ? {} : { reason };
  const status =
    violations > 0 ? "violated" : open.length === 0 ? "proved" : calls === 0 ? "unsearched" : "held";
  const provedLeaves = actions.length - open.length;
  return {
    ...{ name, ...why, expect, at, status, calls, violations },
    leaves: actions.length,
    provedLeaves,
    witnesses,
  };
}

function isProved(bench: Bench, invariant: Invariant, action: LeafAction): boolean {
  if (invariant.expect !== "denied") return false;
  const { content } = bench.side;
  return knownCallers(invariant, bench.tenants).every((caller) =>
    isAlwaysDenied(content, bench.slices.get(sliceKey(caller.tenant, action)), caller),
  );
}

function searchOf(bench: Bench, action: LeafAction): LeafSearch | undefined {
  const known = bench.searches.get(action);
  const side = bench.leaves.get(action);
  if (known !== undefined || side === undefined) return known;
  const search = leafSearch(action, [side], bench.side.calls, bench.maxCalls);
  bench.searches.set(action, search);
  return search;
}

interface SearchedRow {
  readonly calls: number;
  readonly violations: number;
  readonly witness: InvariantWitness | undefined;
}

async function searchRow(
  bench: Bench,
  invariant: Invariant,
  caller: NamedPrincipal,
  leaf: LeafSearch,
): Promise<SearchedRow> {
  const { facts } = caller;
  const lacking = missingAttributes(bench.side, facts);
  // Such a caller is denied everything, which says nothing about what must be allowed.
  if (invariant.expect === "allowed" && lacking.length > 0)
    return { calls: 0, violations: 0, witness: undefined };
  const resources = { base: bench.resources, head: bench.resources };
  let calls = 0;
  let violations = 0;
  let witness: InvariantWitness | undefined;
  for (const { request, arguments: args } of callsOnLeaf(resources, caller, leaf)) {
    const asked = { facts, request, missingAttributes: lacking };
    const decide = (): Promise<CallVerdict> =>
      decideCall(bench.evaluator, asked, leaf.action, args, bench.signal);
    const verdict = await decide();
    if (invariant.expect === "allowed" && isRefusedBySchema(verdict)) continue;
    calls += 1;
    if ((verdict.effect === "allow") === (invariant.expect === "allowed")) continue;
    violations += 1;
    if (witness !== undefined) continue;
    const again = await decide();
    if (again.effect !== verdict.effect)
      throw new Error(`${leaf.action} is decided differently when asked again`);
    const { content } = bench.side;
    witness = {
      caller: caller.name,
      principal: facts,
      action: leaf.action,
      arguments: args,
      request,
      read: factsRead(request, leaf.requests.reads),
      effect: verdict.effect,
      ...(verdict.refusal === undefined ? {} : { code: verdict.refusal.code }),
      policies: decidingPolicies(content, verdict),
    };
  }
  return { calls, violations, witness };
}

function isRefusedBySchema({ refusal }: CallVerdict): boolean {
  return refusal?.code === "ARGUMENTS_INVALID" || refusal?.code === "ARGUMENTS_NOT_REPRESENTABLE";
}

function decidingPolicies(content: BundleContent, verdict: CallVerdict): InvariantWitness["policies"] {
  const ids = new Set([...verdict.reasons, ...verdict.errors.map(({ policy }) => policy)]);
  return [...ids].map((id) => {
    const source = Object.hasOwn(content.sources.policies, id) ? content.sources.policies[id] : undefined;
    return source === undefined
      ? { id }
      : { id, file: source.file, line: source.line, column: source.column };
  });
}
