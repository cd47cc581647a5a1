// Test cells → golden decision vectors: what every gateway must reproduce before it activates the bundle.
import { canonicalJson } from "#bundle";
import type { BundleContent, DecisionVector, LeafAction, TenantId, VectorsSection } from "#bundle";
import { createCedarPdp, createEvaluator } from "#pdp";
import type { Evaluator } from "#pdp";
import { layerOf } from "../documents/layer.ts";
import type { TestCall, TestPrincipal, TestSuite } from "../model/test-suite.ts";

/** Replayed on every activation; a suite may be larger. */
const MAX_VECTORS = 2_000;
const CELL_TIMEOUT_MS = 5_000;

type Evaluable = Pick<BundleContent, "registry" | "policies">;

interface Cell {
  readonly name: string;
  /** Tenant of the layer whose tests ask for the cell. */
  readonly layer: TenantId;
  readonly principal: TestPrincipal;
  readonly call: TestCall;
}

function cellsOf(suite: TestSuite): readonly Cell[] {
  const { tenant: layer } = layerOf(suite.file);
  return suite.tests.flatMap((test) => {
    if (test.skip !== undefined) return [];
    if (test.kind === "transform") {
      return [{ name: `${suite.file}: ${test.name}`, layer, principal: test.principal, call: test.call }];
    }
    return test.principals.flatMap((principal) =>
      test.calls.map((call) => ({
        name: `${suite.file}: ${test.name}: ${principal.name} ${call.name}`,
        ...{ layer, principal, call },
      })),
    );
  });
}

/** Tests of one name may decide different calls; equal cells need be replayed once. */
function meaningOf({ name, principal, call }: Cell): string {
  return canonicalJson([name, principal.facts, principal.request, call.action, call.arguments]);
}

/** Every cell that is decided, under a name of its own. */
function distinctCells(suites: readonly TestSuite[]): readonly Cell[] {
  const byMeaning = new Map<string, Cell>();
  for (const cell of suites.flatMap(cellsOf).filter(isDecided)) {
    const meaning = meaningOf(cell);
    if (!byMeaning.has(meaning)) byMeaning.set(meaning, cell);
  }
  const uses = new Map<string, number>();
  return [...byMeaning.values()].map((cell) => {
    const use = (uses.get(cell.name) ?? 0) + 1;
    uses.set(cell.name, use);
    return use === 1 ? cell : { ...cell, name: `${cell.name} (${use})` };
  });
}

/**
 * At most `max` cells, shared equally by the layers, so that the tests of one tenant displace none of another: the first
 * of every leaf of a layer, then the second of every leaf, and so on.
 */
function spread(cells: readonly Cell[], max: number): readonly Cell[] {
  if (cells.length <= max) return cells;
  const byLayer = [...Map.groupBy(cells, ({ layer }) => layer).values()];
  return inTurns(
    byLayer.map((list) => inTurns([...Map.groupBy(list, ({ call }) => call.action).values()])),
  ).slice(0, max);
}

/** The first of every list, then the second of every list, and so on. */
function inTurns<T>(lists: readonly (readonly T[])[]): readonly T[] {
  const most = lists.reduce((longest, list) => Math.max(longest, list.length), 0);
  return Array.from({ length: most }, (_none, turn) =>
    lists.flatMap((list) => list.slice(turn, turn + 1)),
  ).flat();
}

/** A cell is a vector only where the decision is the policy's: not where facts or arguments are meant to be refused. */
function isDecided(cell: Cell): boolean {
  return !cell.call.invalid && cell.principal.missingAttributes.length === 0;
}

/** Undefined where the arguments are refused before any policy is asked: that would be no decision of a policy. */
async function decide(evaluator: Evaluator, cell: Cell): Promise<DecisionVector | undefined> {
  const { name, principal, call } = cell;
  const { facts } = principal;
  const signal = AbortSignal.timeout(CELL_TIMEOUT_MS);
  const { action, arguments: args } = call;
  const { request } = principal;
  const input = { tenant: facts.tenant, action, arguments: args, principal: facts, request, signal };
  const prepared = await evaluator.prepare(input);
  if (!prepared.ok) return undefined;
  const decision = evaluator.decide(prepared.query);
  return {
    name,
    action,
    principal: facts,
    request,
    arguments: args,
    expect: { effect: decision.effect, reasons: [...decision.reasons].sort() },
  };
}

/** The part of the content that decides calls of `actions`; the rest need not be prepared. */
function withActions(content: Evaluable, actions: ReadonlySet<LeafAction>): Evaluable {
  const servers = content.registry.servers.map((server) => ({
    ...server,
    leaves: server.leaves.filter((leaf) => actions.has(leaf.action)),
  }));
  const slices = content.policies.slices.filter((slice) => actions.has(slice.action));
  return { registry: { servers }, policies: { ...content.policies, slices } };
}

/**
 * Decides the cells with the gateway's own evaluator; where there are more than `MAX_VECTORS`, as many of each layer and leaf as fit.
 * Rejects where the content cannot be evaluated.
 */
export async function buildVectors(
  content: Evaluable,
  suites: readonly TestSuite[],
): Promise<VectorsSection> {
  const cells = spread(distinctCells(suites), MAX_VECTORS);
  if (cells.length === 0) return { vectors: [] };
  const asked = withActions(content, new Set(cells.map((cell) => cell.call.action)));
  // The reference engine: a gateway replays the vectors on its own, and a difference refuses the bundle.
  const evaluator = await createEvaluator(asked, { createPdp: createCedarPdp });
  try {
    const vectors: DecisionVector[] = [];
    for (const cell of cells) {
      const vector = await decide(evaluator, cell);
      if (vector !== undefined) vectors.push(vector);
    }
    return { vectors: vectors.sort((a, b) => (a.name < b.name ? -1 : 1)) };
  } finally {
    evaluator.dispose();
  }
}
