// The fewest facts that, were they otherwise, would turn a decision: found by deciding calls, never by guessing.
import type { BundleContent, LeafAction, Slice } from "#bundle";
import { createEvaluator } from "#pdp";
import type { Evaluator } from "#pdp";
import { decideCall } from "#policy-test";
import type { CallVerdict, Caller } from "#policy-test";
import type { JsonObject } from "#std";
import { ALL, asJson, bodyOf, childrenOf, open, policyEst, scopeEntities } from "../cedar/est.ts";
import type { Expr, PolicyEst } from "../cedar/est.ts";
import { factChanges, factualCall } from "../calls/fact-changes.ts";
import type { FactChange, FactualCall } from "../calls/fact-changes.ts";
import { missingAttributes, planSide } from "../calls/plan-side.ts";
import type { WhyNot, WhyNotAnswer } from "./explanation.ts";

/** Facts that are changed together at most. */
const MAX_FACTS = 4;
/** Answers that are shown: all need the same number of facts. */
const MAX_ANSWERS = 5;
/** Of each of the two searches. */
const MAX_DECISIONS = 20_000;

export interface WhyNotRequest {
  readonly caller: Caller;
  readonly action: LeafAction;
  readonly arguments: JsonObject;
  readonly signal?: AbortSignal;
}

/** What would turn the decision on one call. Throws Error where the caller's tenant has no policies for the action. */
export async function whyNot(content: BundleContent, request: WhyNotRequest): Promise<WhyNot> {
  const { action, caller, signal } = request;
  const slice = content.policies.slices.find(
    (candidate) => candidate.action === action && candidate.tenant === caller.facts.tenant,
  );
  if (slice === undefined) throw new Error(`no policies of ${caller.facts.tenant} for ${action}`);
  const options = signal === undefined ? {} : { signal };
  const evaluator = await createEvaluator(
    only(content, slice, slice.call, content.policies.residuals),
    options,
  );
  try {
    const { entries, residuals } = atomProbes(content, slice);
    const atoms = await createEvaluator(only(content, slice, entries, residuals), options);
    try {
      return await new Search(content, slice, { evaluator, atoms }, request).run();
    } finally {
      atoms.dispose();
    }
  } finally {
    evaluator.dispose();
  }
}

function only(
  content: BundleContent,
  slice: Slice,
  call: Slice["call"],
  residuals: BundleContent["policies"]["residuals"],
): Pick<BundleContent, "policies" | "registry"> {
  const { shadowFacts: _facts, ...rest } = slice;
  const policies = {
    ...content.policies,
    residuals,
    slices: [{ ...rest, call, visibility: [], shadow: [] }],
  };
  return { registry: content.registry, policies };
}

/** A forbid for every scope and every smallest condition: which are satisfied says all that policies can tell. */
function atomProbes(
  content: BundleContent,
  slice: Slice,
): { readonly entries: Slice["call"]; readonly residuals: BundleContent["policies"]["residuals"] } {
  const found = new Map<string, PolicyEst>();
  const add = (probe: PolicyEst): void => void found.set(JSON.stringify(probe), probe);
  for (const { residual } of slice.call) {
    const est = policyEst(content.policies.residuals[residual]);
    if (est === undefined) continue;
    if (scopeEntities(est.principal).length > 0 || est.principal["op"] !== "All")
      add({ ...est, effect: "forbid", action: ALL, resource: ALL, conditions: [] });
    for (const { body } of est.conditions) {
      for (const atom of atomsOf(body)) {
        const conditions = [{ kind: "when" as const, body: atom }];
        add({ effect: "forbid", principal: ALL, action: ALL, resource: ALL, conditions });
      }
    }
  }
  const probes = [...found.values()].map((probe, index) => [`atom${String(index)}`, asJson(probe)] as const);
  return {
    entries: probes.map(([name]) => ({ id: name, residual: name })),
    residuals: Object.fromEntries(probes),
  };
}

const CONNECTIVES: ReadonlySet<string> = new Set(["&&", "||", "!", "if-then-else"]);

function atomsOf(expr: Expr): readonly Expr[] {
  const [operator] = open(expr);
  if (!CONNECTIVES.has(operator)) return [expr];
  if (operator !== "if-then-else") return childrenOf(expr).flatMap(atomsOf);
  const { if: test, then, else: otherwise } = bodyOf(expr);
  return [test, then, otherwise].flatMap((part) => atomsOf(part as Expr));
}

function unconditionalForbids(content: BundleContent, slice: Slice): readonly string[] {
  return slice.call.flatMap(({ id, residual }) => {
    const est = policyEst(content.policies.residuals[residual]);
    const isBare = est?.effect === "forbid" && est.conditions.length === 0 && est.principal["op"] === "All";
    return isBare ? [id] : [];
  });
}

interface Engines {
  readonly evaluator: Evaluator;
  readonly atoms: Evaluator;
}

interface Fewest {
  readonly answers: readonly WhyNotAnswer[];
  /** Facts that were changed at once when the answers were found, or at last. */
  readonly count: number;
  /** So many facts at once gave nothing, whatever the values. */
  readonly exhausted: number;
}

class Search {
  readonly #slice: Slice;
  readonly #engines: Engines;
  readonly #call: FactualCall;
  readonly #facts: readonly (readonly FactChange[])[];
  readonly #missing: (call: FactualCall) => readonly string[];
  readonly #signal: AbortSignal | undefined;
  readonly #blockedBy: readonly string[];
  #telling: readonly (readonly FactChange[])[] = [];
  #decisions = 0;

  constructor(content: BundleContent, slice: Slice, engines: Engines, request: WhyNotRequest) {
    this.#slice = slice;
    this.#engines = engines;
    this.#call = factualCall(request.caller, request.arguments);
    this.#facts = factChanges(content, slice, this.#call);
    this.#signal = request.signal;
    this.#blockedBy = unconditionalForbids(content, slice);
    const side = planSide({ bundle: { content, digest: "" } }, "call");
    this.#missing = ({ principal }) => missingAttributes(side, principal);
  }

  async run(): Promise<WhyNot> {
    const now = await this.#decide(this.#call, "evaluator");
    const wanted = now.effect === "allow" ? "deny" : "allow";
    if (wanted === "allow" && this.#blockedBy.length > 0) return this.#outcome(wanted, [], 0);
    this.#telling = await this.#tellingChanges();
    const quick = await this.#fewest(this.#telling, 1, MAX_FACTS, wanted);
    // A condition on several facts may turn only where all of them change, so fewer are ruled out with every value.
    const most = quick.answers.length > 0 ? quick.count - 1 : MAX_FACTS;
    const thorough = await this.#fewest(this.#facts, 1, most, wanted);
    const found = thorough.answers.length > 0 ? thorough : quick;
    const exhausted = Math.min(thorough.exhausted, this.#facts.length);
    return this.#outcome(wanted, found.answers, exhausted);
  }

  /** The first answers, trying `from` facts at once, then one more, up to `to`. */
  async #fewest(
    facts: readonly (readonly FactChange[])[],
    from: number,
    to: number,
    wanted: WhyNot["wanted"],
  ): Promise<Fewest> {
    const bound = this.#decisions + MAX_DECISIONS;
    for (let count = from; count <= to; count += 1) {
      // One answer for each choice of facts: other values of the same facts tell nothing new.
      const answers = new Map<string, WhyNotAnswer>();
      for (const changes of combinations(facts, count)) {
        if (this.#decisions >= bound) return { answers: [...answers.values()], count, exhausted: count - 1 };
        const chosen = changes.map(({ fact }) => fact).join("\0");
        if (answers.has(chosen)) continue;
        const answer = await this.#tryOut(changes, wanted);
        if (answer !== undefined) answers.set(chosen, answer);
        if (answers.size > MAX_ANSWERS) break;
      }
      if (answers.size > 0) return { answers: [...answers.values()], count, exhausted: count - 1 };
    }
    return { answers: [], count: to, exhausted: to };
  }

  #outcome(wanted: WhyNot["wanted"], answers: readonly WhyNotAnswer[], exhaustedFacts: number): WhyNot {
    const shown = answers.slice(0, MAX_ANSWERS);
    const hasMore = answers.length > shown.length;
    const facts = this.#facts.flatMap(([change]) => change?.fact ?? []);
    const blockedBy = wanted === "allow" ? this.#blockedBy : [];
    return { wanted, answers: shown, hasMore, facts, blockedBy, exhaustedFacts, decisions: this.#decisions };
  }

  /** For each fact one value of each kind that the conditions tell apart, and none that they cannot tell from today's. */
  async #tellingChanges(): Promise<readonly (readonly FactChange[])[]> {
    const today = await this.#signature(this.#call);
    const facts: (readonly FactChange[])[] = [];
    for (const changes of this.#facts) {
      const kinds = new Map<string, FactChange>();
      for (const change of changes) {
        const call = change.apply(this.#call);
        const signature = call === undefined ? undefined : await this.#signature(call);
        if (signature !== undefined && signature !== today && !kinds.has(signature))
          kinds.set(signature, change);
      }
      if (kinds.size > 0) facts.push([...kinds.values()]);
    }
    return facts;
  }

  async #signature(call: FactualCall): Promise<string> {
    const { reasons, errors, refusal } = await this.#decide(call, "atoms");
    return JSON.stringify([reasons, errors.map(({ policy }) => policy), refusal?.code]);
  }

  async #tryOut(changes: readonly FactChange[], wanted: WhyNot["wanted"]): Promise<WhyNotAnswer | undefined> {
    let call: FactualCall | undefined = this.#call;
    for (const change of changes) call = call === undefined ? undefined : change.apply(call);
    if (call === undefined) return undefined;
    const { effect, reasons, refusal } = await this.#decide(call, "evaluator");
    // Arguments that the pinned schema refuses turn every permit, and explain nothing.
    if (effect !== wanted || refusal !== undefined) return undefined;
    return { changes: changes.map(({ fact, from, to }) => ({ fact, from, to })), reasons };
  }

  #decide(call: FactualCall, engine: keyof Engines): Promise<CallVerdict> {
    this.#decisions += 1;
    const caller = { facts: call.principal, missingAttributes: this.#missing(call), request: call.request };
    return decideCall(this.#engines[engine], caller, this.#slice.action, call.arguments, this.#signal);
  }
}

/** Every choice of `count` facts with one value each. */
function* combinations(
  facts: readonly (readonly FactChange[])[],
  count: number,
): Generator<readonly FactChange[]> {
  if (count === 0) {
    yield [];
    return;
  }
  for (const [index, values] of facts.entries()) {
    const rest = facts.slice(index + 1);
    for (const value of values) for (const more of combinations(rest, count - 1)) yield [value, ...more];
  }
}
