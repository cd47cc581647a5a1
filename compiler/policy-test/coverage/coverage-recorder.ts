// Collects what tests decide and transform, and counts afterwards what of the policies that reached.
import { DEFAULT_TENANT } from "#bundle";
import type { BundleContent, PolicyId, Slice, TransformEntry, TransformOperation } from "#bundle";
import { IMPLIED_PERMIT } from "#compiler";
import type { ProjectModel, SourceSpan } from "#compiler";
import { isAegisError } from "#errors";
import type { DecisionQuery } from "#pdp";
import type { JsonObject } from "#std";
import { applyRequest, applyResponse, compileTransform } from "#transform";
import type { TransformOptions } from "#transform";
import type { ParsedPolicy } from "../../cedar/index.ts";
import type { CallVerdict } from "../decide-call.ts";
import { shareOf, sumOf } from "./coverage-report.ts";
import type {
  ClauseCoverage,
  CoverageReport,
  FileCoverage,
  LeafCoverage,
  PolicyCoverage,
  Seen,
  TransformCoverage,
} from "./coverage-report.ts";
import { isDefinition, openLeaves } from "./leaf-openness.ts";
import { positionOfPointer } from "./pointer-positions.ts";
import { linePath, termGroups } from "./policy-terms.ts";
import type { PolicyTerm, TermGroup } from "./policy-terms.ts";
import { SliceProbes } from "./slice-probes.ts";
import type { ProbeAnswers, ProbedPolicy, ProbedSlice } from "./slice-probes.ts";

/** What a run of tests tells the coverage. */
export interface CoverageObserver {
  readonly decided: (verdict: CallVerdict) => void;
  readonly transformed: (
    entry: TransformEntry,
    direction: "request" | "response",
    payload: JsonObject,
    options: TransformOptions,
  ) => void;
}

interface TermCount {
  whenTrue: number;
  whenFalse: number;
  errors: number;
  /** Some slice leaves it open. */
  isOpen: boolean;
}

interface PolicyCount {
  readonly policy: ParsedPolicy;
  readonly groups: readonly TermGroup[];
  readonly terms: ReadonlyMap<PolicyTerm, TermCount>;
  /** It stands in a slice. */
  isUsed: boolean;
  satisfied: number;
  notSatisfied: number;
  errored: number;
}

/** Counts coverage over one run. Deterministic: the order of the calls does not matter. */
export class CoverageRecorder implements CoverageObserver {
  readonly #model: ProjectModel;
  readonly #content: BundleContent;
  readonly #queries: { readonly query: DecisionQuery; readonly effect: "allow" | "deny" }[] = [];
  readonly #applied = new Map<string, number>();
  readonly #counts: ReadonlyMap<PolicyId, PolicyCount>;

  constructor(model: ProjectModel, content: BundleContent) {
    this.#model = model;
    this.#content = content;
    this.#counts = new Map(
      model.policies
        .filter(({ id }) => id !== IMPLIED_PERMIT)
        .map((policy) => [policy.id, newCount(policy)] as const),
    );
  }

  decided({ query, effect, refusal }: CallVerdict): void {
    if (query !== undefined && refusal === undefined) this.#queries.push({ query, effect });
  }

  /** Each line of `transforms` is looked at alone, after those before it: it counts where it changes something. */
  transformed(
    entry: TransformEntry,
    direction: "request" | "response",
    payload: JsonObject,
    options: TransformOptions,
  ): void {
    let before = JSON.stringify(payload);
    for (const [index, operation] of entry[direction].entries()) {
      const part = { ...entry, [direction]: entry[direction].slice(0, index + 1) };
      const after = transformedText(part, direction, payload, options);
      if (after === undefined) return;
      const key = operationKey(operation);
      if (after !== before) this.#applied.set(key, (this.#applied.get(key) ?? 0) + 1);
      before = after;
    }
  }

  async report(): Promise<CoverageReport> {
    const groups = new Map([...this.#counts].map(([id, count]) => [id, count.groups] as const));
    const probes = new SliceProbes(this.#content, this.#model.policies, groups, DEFAULT_TENANT);
    const slices = new Map(this.#content.policies.slices.map((slice) => [sliceKey(slice), slice] as const));
    this.#noteOpenTerms(probes);
    const asked = new Map<Slice, ProbedSlice>();
    for (const { query } of this.#queries) {
      const slice = slices.get(sliceKey(query));
      if (slice !== undefined && !asked.has(slice)) asked.set(slice, probes.probed(slice));
    }
    const engine = await probes.engine(asked);
    try {
      for (const { query } of this.#queries) {
        const slice = slices.get(sliceKey(query));
        const probed = slice === undefined ? undefined : asked.get(slice);
        if (slice === undefined || probed === undefined) continue;
        const { shadow, ...enforced } = query;
        this.#count(probed.call, engine.ask(enforced));
        if (slice.shadow.length === 0 || shadow?.ok === false) continue;
        const context = shadow?.context ?? query.context;
        this.#count(probed.shadow, engine.ask({ ...enforced, mode: "shadow", context }));
      }
    } finally {
      engine.dispose();
    }
    return this.#summary();
  }

  /** What every pinned definition fixes is no choice of a caller: it is not demanded. */
  #noteOpenTerms(probes: SliceProbes): void {
    for (const slice of this.#content.policies.slices) {
      for (const { id } of [...slice.call, ...slice.shadow]) {
        const count = this.#counts.get(id);
        if (count === undefined) continue;
        count.isUsed = true;
        if ([...count.terms.values()].every(({ isOpen }) => isOpen)) continue;
        const { groups } = probes.policy(slice, id);
        for (const { group, probes: ofTerms } of groups) {
          for (const [index, term] of group.terms.entries()) {
            const counted = count.terms.get(term);
            if (counted !== undefined && typeof ofTerms[index] === "string") counted.isOpen = true;
          }
        }
      }
    }
  }

  #count(policies: readonly ProbedPolicy[], answers: ProbeAnswers | undefined): void {
    if (answers === undefined) return;
    for (const { id, groups } of policies) {
      const count = this.#counts.get(id);
      if (count === undefined) continue;
      const outcome = countPolicy(groups, answers, count.terms);
      if (outcome === "error") count.errored += 1;
      else if (outcome) count.satisfied += 1;
      else count.notSatisfied += 1;
    }
  }

  #summary(): CoverageReport {
    const used = [...this.#counts.values()].filter(({ isUsed }) => isUsed);
    const byPolicy = used.map(policyCoverage).sort(byPlace);
    const byLeaf = this.#leaves();
    const byTransform = this.#transforms();
    const outcomes = sumOf(byPolicy.map(outcomesOf));
    return {
      outcomes,
      policies: policiesOf(byPolicy),
      leafSides: sumOf(byLeaf.map(({ allowed, denied }) => shareOf([allowed, denied]))),
      transformLines: shareOf(byTransform.map(({ applied }) => applied)),
      files: filesOf(byPolicy),
      ...{ byPolicy, byLeaf, byTransform },
    };
  }

  #leaves(): readonly LeafCoverage[] {
    const seen = new Map<string, { allowed: number; denied: number }>();
    for (const { query, effect } of this.#queries) {
      const counts = seen.get(query.action) ?? { allowed: 0, denied: 0 };
      counts[effect === "allow" ? "allowed" : "denied"] += 1;
      seen.set(query.action, counts);
    }
    const open = openLeaves(this.#content);
    return this.#content.registry.servers.flatMap((server) =>
      server.leaves.filter(isDefinition).map(({ action, kind, name }): LeafCoverage => {
        const { allowed = 0, denied = 0 } = seen.get(action) ?? {};
        const { canAllow, canDeny } = open.get(action) ?? { canAllow: false, canDeny: true };
        return {
          ...{ action, server: server.id, kind, name },
          allowed: canAllow || allowed > 0 ? allowed : undefined,
          denied: canDeny || denied > 0 ? denied : undefined,
        };
      }),
    );
  }

  #transforms(): readonly TransformCoverage[] {
    const lines = new Map<string, TransformOperation>();
    for (const { request, response } of this.#content.transforms.transforms) {
      for (const operation of [...request, ...response]) lines.set(operationKey(operation), operation);
    }
    return [...lines]
      .map(([key, { policy, verb }]): TransformCoverage => ({
        ...{ policy, verb },
        at: positionOfPointer(policy, this.#model.textOf),
        applied: this.#applied.get(key) ?? 0,
      }))
      .sort(byPlace);
  }
}

function newCount(policy: ParsedPolicy): PolicyCount {
  const groups = termGroups(policy);
  const terms = groups.flatMap((group) => group.terms);
  return {
    policy,
    groups,
    terms: new Map(terms.map((term) => [term, { whenTrue: 0, whenFalse: 0, errors: 0, isOpen: false }])),
    isUsed: false,
    ...{ satisfied: 0, notSatisfied: 0, errored: 0 },
  };
}

/** Counts the terms that evaluation reaches, and says whether the policy is satisfied. */
function countPolicy(
  groups: ProbedPolicy["groups"],
  answers: ProbeAnswers,
  terms: ReadonlyMap<PolicyTerm, TermCount>,
): boolean | "error" {
  for (const { group, probes } of groups) {
    const decisive = group.combine === "any";
    let value = !decisive;
    for (const [index, term] of group.terms.entries()) {
      const probe = probes[index] ?? false;
      const count = terms.get(term);
      if (typeof probe === "string" && answers.errors.has(probe)) {
        if (count !== undefined) count.errors += 1;
        return "error";
      }
      const outcome = typeof probe === "string" ? answers.satisfied.has(probe) : probe;
      if (count !== undefined) count[outcome ? "whenTrue" : "whenFalse"] += 1;
      if (outcome !== decisive) continue;
      value = decisive;
      break;
    }
    if (value === (group.kind === "unless")) return false;
  }
  return true;
}

function policyCoverage({ policy, groups, terms, ...counts }: PolicyCount): PolicyCoverage {
  const { id, authored, shadow, source } = policy;
  const { satisfied, notSatisfied, errored } = counts;
  const { file, line, column } = source;
  const at: SourceSpan = { file, line, column, endLine: line, endColumn: column };
  const clauses = groups.flatMap(({ kind, terms: own }) =>
    own.flatMap((term): readonly ClauseCoverage[] => {
      const count = terms.get(term);
      if (count?.isOpen !== true) return [];
      const { whenTrue, whenFalse, errors } = count;
      return [{ kind, text: term.text, at: term.at, whenTrue, whenFalse, errors }];
    }),
  );
  const always: ClauseCoverage = {
    ...{
      kind: "always",
      text: authored ? source.effect : linePath(id),
      at,
      whenTrue: satisfied,
      whenFalse: undefined,
      errors: 0,
    },
  };
  return {
    ...{ id, effect: source.effect, mode: shadow ? "shadow" : "enforce", authored, at },
    ...{ satisfied, notSatisfied, errored },
    clauses: clauses.length === 0 ? [always] : clauses,
  };
}

function outcomesOf({ clauses }: PolicyCoverage): ReturnType<typeof shareOf> {
  return shareOf(clauses.flatMap(({ whenTrue, whenFalse }): readonly Seen[] => [whenTrue, whenFalse]));
}

function policiesOf(policies: readonly PolicyCoverage[]): ReturnType<typeof shareOf> {
  return shareOf(policies.map(({ satisfied }) => satisfied));
}

function filesOf(policies: readonly PolicyCoverage[]): readonly FileCoverage[] {
  const files = [...new Set(policies.map(({ at }) => at.file))].sort();
  return files.map((file) => {
    const own = policies.filter(({ at }) => at.file === file);
    return { file, policies: policiesOf(own), outcomes: sumOf(own.map(outcomesOf)) };
  });
}

interface Placed {
  readonly at: SourceSpan;
}

function byPlace(a: Placed, b: Placed): number {
  if (a.at.file !== b.at.file) return a.at.file < b.at.file ? -1 : 1;
  return a.at.line - b.at.line || a.at.column - b.at.column;
}

function sliceKey({ tenant, action }: Pick<Slice, "action" | "tenant">): string {
  return `${tenant}\0${action}`;
}

function operationKey({ policy, verb }: TransformOperation): string {
  return `${policy}\0${verb}`;
}

function transformedText(
  entry: TransformEntry,
  direction: "request" | "response",
  payload: JsonObject,
  options: TransformOptions,
): string | undefined {
  const compiled = compileTransform(entry);
  try {
    if (direction === "request") return JSON.stringify(applyRequest(compiled, payload, options));
    const outcome = applyResponse(compiled, payload, options);
    return outcome.ok ? JSON.stringify(outcome.value) : undefined;
  } catch (fault) {
    if (!isAegisError(fault)) throw fault;
    return undefined;
  }
}
