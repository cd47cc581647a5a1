// Asks a solver, for each caller type and leaf that differs, whether the head allows a call that the base does not.
import type { AttributeMapping, LeafAction, PrincipalType } from "#bundle";
import { ResourceLeaves, isResourceKind } from "../calls/resource-calls.ts";
import { planSide } from "../calls/plan-side.ts";
import type { PlanInput, PlanSide } from "../calls/plan-side.ts";
import type { DecisionChange, PlanSymbolic, PlanWitness } from "#plan";
import { callerName } from "./caller-name.ts";
import type { EncodingTable } from "./encodings.ts";
import { literalsOf } from "../calls/policy-literals.ts";
import { factsRead } from "../calls/request-classes.ts";
import { lessonsOf } from "./lessons.ts";
import { makeQuestion } from "./question.ts";
import type { Question } from "./question.ts";
import { realise } from "./realise.ts";
import type { Realised, Realiser } from "./realise.ts";
import type { SymbolicCall } from "./replay-sides.ts";
import { SidesReplay } from "./replay-sides.ts";
import type { Solver } from "./solver.ts";
import { createSolver } from "./solver.ts";
import type { Answer } from "./solver-answer.ts";
import { PRINCIPAL_TYPES, symbolicPairs } from "./symbolic-pairs.ts";
import type { SymbolicPair } from "./symbolic-pairs.ts";
import { OutsideFragment } from "./terms.ts";

const QUERY_TIMEOUT_MS = 5_000;
const TOTAL_TIMEOUT_MS = 10 * 60_000;
/** Questions about one pair: each takes the lesson of the call that the last answer did not make. */
const MAX_ROUNDS = 8;

export interface SymbolicOptions {
  /** Rows that were found already: their callers and leaves are not asked about again. */
  readonly found?: readonly DecisionChange[];
  /** Of one question; five seconds where absent. */
  readonly queryTimeoutMs?: number;
  /** Of all of them; ten minutes where absent. What is not reached is not analysed. */
  readonly totalTimeoutMs?: number;
  readonly signal?: AbortSignal;
  /** Told of every pair that is done. */
  readonly onProgress?: (done: number, total: number) => void;
  /** A solver that is running already, and keeps running; one of its own is started where absent. */
  readonly solver?: Solver;
  /** The encodings; another table only in a test of the tests. */
  readonly table?: EncodingTable;
}

export interface SymbolicResult {
  readonly symbolic: PlanSymbolic;
  /** Rows of what was found, each replayed on both sides; in order of leaf, then of caller. */
  readonly changes: readonly DecisionChange[];
}

type Verdict =
  | { readonly kind: "proved" }
  | { readonly kind: "found"; readonly change?: DecisionChange }
  | { readonly kind: "not analysed"; readonly reason: string };

/**
 * Proves that the head allows nothing that the base denies, or finds a call. Sound, not complete: what is neither is not
 * analysed, and why is said. Throws SolverUnavailable, Error where a side does not compile, and the reason of `signal`.
 */
export async function proveNoNewPermits(
  base: PlanInput,
  head: PlanInput,
  options: SymbolicOptions = {},
): Promise<SymbolicResult> {
  const sides = { base: planSide(base, "base"), head: planSide(head, "head") };
  const pairs = symbolicPairs(sides.base, sides.head);
  if (pairs.length === 0)
    return { symbolic: { asked: 0, proved: 0, found: 0, notAnalysed: [] }, changes: [] };
  const solver = options.solver ?? (await createSolver());
  const signal = options.signal ?? new AbortController().signal;
  const replay = new SidesReplay(sides.base, sides.head, signal);
  try {
    const prover = new Prover(sides, solver, replay, options, signal);
    const verdicts: { readonly pair: SymbolicPair; readonly verdict: Verdict }[] = [];
    const total = pairs.length * PRINCIPAL_TYPES.length;
    for (const pair of pairs) {
      for (const type of PRINCIPAL_TYPES) {
        signal.throwIfAborted();
        verdicts.push({ pair, verdict: await prover.ask(pair, type) });
        options.onProgress?.(verdicts.length, total);
      }
      await replay.dispose();
    }
    return summarise(verdicts);
  } finally {
    await replay.dispose();
    if (options.solver === undefined) await solver.dispose();
  }
}

function summarise(
  verdicts: readonly { readonly pair: SymbolicPair; readonly verdict: Verdict }[],
): SymbolicResult {
  const having = (kind: Verdict["kind"]): number =>
    verdicts.filter(({ verdict }) => verdict.kind === kind).length;
  const notAnalysed = verdicts.flatMap(({ pair, verdict }) =>
    verdict.kind === "not analysed" ? [{ action: pair.action, reason: verdict.reason }] : [],
  );
  const changes = verdicts.flatMap(({ verdict }) =>
    verdict.kind === "found" && verdict.change !== undefined ? [verdict.change] : [],
  );
  const symbolic = {
    asked: verdicts.length,
    proved: having("proved"),
    found: having("found"),
    notAnalysed,
  };
  return { symbolic, changes };
}

class Prover {
  readonly #sides: { readonly base: PlanSide; readonly head: PlanSide };
  readonly #solver: Solver;
  readonly #replay: SidesReplay;
  readonly #options: SymbolicOptions;
  readonly #signal: AbortSignal;
  readonly #deadline: number;
  /** Answers by question: leaves that differ alike are asked about once. */
  readonly #answers = new Map<string, Answer>();
  /** What was found for a question, so that callers whom nothing tells apart make one row. */
  readonly #rows = new Map<string, LeafAction>();

  constructor(
    sides: { readonly base: PlanSide; readonly head: PlanSide },
    solver: Solver,
    replay: SidesReplay,
    options: SymbolicOptions,
    signal: AbortSignal,
  ) {
    this.#sides = sides;
    this.#solver = solver;
    this.#replay = replay;
    this.#options = options;
    this.#signal = signal;
    this.#deadline = performance.now() + (options.totalTimeoutMs ?? TOTAL_TIMEOUT_MS);
  }

  async ask(pair: SymbolicPair, type: PrincipalType): Promise<Verdict> {
    const said = (reason: string): Verdict => ({
      kind: "not analysed",
      reason: `${describeCallers(pair, type)}: ${reason}`,
    });
    if (pair.hasOtherCallers && pair.base !== undefined)
      return said("identity differs: the issuers of the callers, or how their tokens are read");
    try {
      const question = makeQuestion(pair.base, pair.head, type, this.#options.table);
      const key = `${pair.action}\0${pair.tenant}\0${question.script}`;
      if (this.#isKnown(pair, type) || this.#rows.has(key)) {
        this.#rows.set(key, pair.action);
        return { kind: "found" };
      }
      const verdict = await this.#decide(question, pair, type);
      if (verdict.kind === "found") this.#rows.set(key, pair.action);
      return verdict.kind === "not analysed" ? said(verdict.reason) : verdict;
    } catch (fault) {
      if (!(fault instanceof OutsideFragment)) throw fault;
      return said(fault.construct);
    }
  }

  #isKnown({ tenant, action }: SymbolicPair, type: PrincipalType): boolean {
    return (this.#options.found ?? []).some(
      (row) =>
        row.kind === "newly-allowed" &&
        row.action === action &&
        row.witness.principal.type === type &&
        row.witness.principal.tenant === tenant,
    );
  }

  async #decide(question: Question, pair: SymbolicPair, type: PrincipalType): Promise<Verdict> {
    if (pair.hasOtherResources) return { kind: "not analysed", reason: "the resources of the server differ" };
    const realiser = this.#realiser(question, pair, type);
    let learned = "";
    for (let round = 0; round < MAX_ROUNDS; round += 1) {
      this.#signal.throwIfAborted();
      const answer = await this.#answer(question, learned);
      if (answer.kind === "unsat") return { kind: "proved" };
      if (answer.kind === "unknown")
        return { kind: "not analysed", reason: `the solver gave ${answer.reason}${leftOpen(question)}` };
      const outcome = await realise(realiser, answer.values);
      if (outcome.kind === "found") return { kind: "found", change: changeOf(outcome.realised, pair) };
      const lessons = outcome.tried === undefined ? [] : lessonsOf(question, outcome.tried);
      if (lessons.length === 0) break;
      learned += lessons.map((lesson) => `(assert ${lesson})\n`).join("");
    }
    return { kind: "not analysed", reason: `${unrealised(question)}${leftOpen(question)}` };
  }

  async #answer({ script, symbols }: Question, learned: string): Promise<Answer> {
    const text = `${script}\n${learned}`;
    const known = this.#answers.get(text);
    if (known !== undefined) return known;
    const left = this.#deadline - performance.now();
    if (left <= 0) return { kind: "unknown", reason: "no answer: the time of the whole run is used up" };
    const timeoutMs = Math.ceil(Math.min(this.#options.queryTimeoutMs ?? QUERY_TIMEOUT_MS, left));
    const answer = await this.#solver.ask(text, symbols.unknowns, timeoutMs);
    this.#answers.set(text, answer);
    return answer;
  }

  #realiser(question: Question, { head, action, base }: SymbolicPair, type: PrincipalType): Realiser {
    const leaves = [this.#sides.head, ...(base === undefined ? [] : [this.#sides.base])].map(
      ({ content }) => new ResourceLeaves(content),
    );
    const isRead = isResourceKind(head.leaf.kind);
    return {
      question,
      type,
      mappings: mappingsOf(this.#sides.head, this.#sides.base),
      replay: this.#replay,
      isOwnUri: (uri) => !isRead || leaves.every((index) => index.leafOf(head.server.id, uri) === action),
    };
  }
}

function mappingsOf(...sides: readonly PlanSide[]): readonly AttributeMapping[] {
  return sides.flatMap(({ issuers }) => issuers.flatMap(({ attributes }) => attributes));
}

function describeCallers({ tenant, head }: SymbolicPair, type: PrincipalType): string {
  const isShared = head.tenants.size > 0;
  return `${type === "User" ? "users" : "agents"}${isShared ? ` of tenant ${tenant}` : ""}`;
}

function unrealised({ oneSided }: Question): string {
  const why = oneSided.length === 0 ? "" : `: it may need ${oneSided.join(", or ")}`;
  return `witness could not be realised${why}`;
}

function leftOpen({ abstracted }: Question): string {
  const constructs = [...abstracted].sort();
  return constructs.length === 0 ? "" : ` (outside of the fragment: ${constructs.join(", ")})`;
}

function changeOf({ call, before, after }: Realised, pair: SymbolicPair): DecisionChange {
  return {
    kind: "newly-allowed",
    evidence: "symbolic",
    principal: callerName(call.principal),
    action: pair.action,
    before,
    after,
    witness: witnessOf(call, pair),
    changedCalls: 1,
    searchedCalls: 1,
  };
}

/** The facts of the request only where a policy of either side reads one. */
function witnessOf({ principal, request, arguments: args }: SymbolicCall, pair: SymbolicPair): PlanWitness {
  const sides = [pair.head, ...(pair.base === undefined ? [] : [pair.base])];
  const reads = sides.flatMap(({ content, slice }) => literalsOf(content, slice).requestReads);
  const read = [...new Set(reads)].sort();
  const asked = read.length === 0 ? {} : { request, read: factsRead(request, read) };
  return { principal, arguments: args, ...asked };
}
