// From a mutant to what a gateway would decide with: the slices of the definitions that the changed policies can reach
// are linked again, by the compiler and from the same policies; all others are what they were.
import { canonicalJson } from "#bundle";
import type { BundleContent, LeafAction, PolicyId, ServerEntry, Slice, TransformEntry } from "#bundle";
import type { TestSuite } from "#compiler";
import type { JsonValue } from "#std";
import { compileCedar } from "../cedar/index.ts";
import { leafFacts } from "../cedar/fold.ts";
import { parseGenerated } from "../cedar/parse.ts";
import { specialise } from "../cedar/specialise.ts";
import { DiagnosticSink } from "../diagnostics/index.ts";
import type { PolicyShape } from "../documents/shapes.ts";
import type { Layer } from "../lower/layers.ts";
import type { GeneratedPolicy } from "../lower/policies.ts";
import { withResourceRules } from "../lower/registry.ts";
import type { ResourceRule } from "../lower/resource-patterns.ts";
import { lowerLayers } from "../lower/tenant-layers.ts";
import type { DocumentChange, Mutant, PolicyChange } from "./mutant.ts";
import type { PolicyUnits } from "./policy-units.ts";

/** What decides the calls that a mutant can bear on, before and after. */
export interface CompiledMutant {
  /** Definitions whose decisions or transforms are compiled differently. */
  readonly actions: ReadonlySet<LeafAction>;
  /** Policies that the mutant changes, adds or takes away. */
  readonly policies: ReadonlySet<PolicyId>;
  /** Holds the definitions of `actions` and those that stand for the same URIs; nothing else. */
  readonly base: BundleContent;
  readonly content: BundleContent;
  readonly suites: readonly TestSuite[];
  /** Equal for mutants that compile to the same thing. */
  readonly fingerprint: string;
}

export type MutantOutcome =
  | { readonly kind: "changed"; readonly compiled: CompiledMutant }
  /** It compiles to what the repository compiles to. */
  | { readonly kind: "same" }
  | { readonly kind: "invalid" };

interface ChangedUnits {
  readonly units: readonly GeneratedPolicy[];
  readonly rules: readonly ResourceRule[];
  /** Ids of units that differ. */
  readonly changed: ReadonlySet<PolicyId>;
}

/** Compiles mutants of one repository. */
export class MutantCompiler {
  readonly #repository: PolicyUnits;
  readonly #base: BundleContent;
  readonly #suites: readonly TestSuite[];
  readonly #slices: ReadonlyMap<LeafAction, readonly Slice[]>;

  constructor(repository: PolicyUnits, base: BundleContent, suites: readonly TestSuite[]) {
    this.#repository = repository;
    this.#base = base;
    this.#suites = suites;
    this.#slices = Map.groupBy(base.policies.slices, ({ action }) => action);
  }

  compile({ change }: Pick<Mutant, "change">): MutantOutcome {
    const units = this.#changedUnits(change);
    if (units === undefined) return { kind: "invalid" };
    const rest = this.#rest(change, units);
    if (rest === undefined) return { kind: "invalid" };
    const servers = withResourceRules(this.#repository.registry, units.rules);
    const transformed = changedTransforms(this.#base.transforms.transforms, rest.transforms);
    const reached = this.#reached(units, servers, transformed);
    if (reached === undefined) return { kind: "invalid" };
    const policies = this.#policies(units, servers, reached);
    if (policies === undefined) return { kind: "invalid" };
    const before = restricted(this.#base, reached);
    const after: BundleContent = { ...before, ...policies, transforms: { transforms: rest.transforms } };
    const differences = differencesOf({ ...before, transforms: this.#base.transforms }, after);
    if (differences.size === 0) return { kind: "same" };
    const compiled: CompiledMutant = {
      actions: new Set([...differences.values()].map(({ action }) => action)),
      policies: units.changed,
      base: before,
      content: after,
      suites: rest.suites,
      fingerprint: canonicalJson([...differences].map(([key, { after: now }]) => [key, now ?? null])),
    };
    return { kind: "changed", compiled };
  }

  #changedUnits(change: Mutant["change"]): ChangedUnits | undefined {
    const { units, rules } = this.#repository;
    return change.kind === "policy" ? changedPolicy(units, rules, change) : this.#changedDocument(change);
  }

  #changedDocument(change: DocumentChange): ChangedUnits | undefined {
    const { yaml, lowerDocument, units, rules } = this.#repository;
    const { file, shape, removed } = change;
    const entry = yaml.get(file);
    const lowered = lowerDocument(file, shape);
    if (entry === undefined || !lowered.isValid) return undefined;
    const before = lowerDocument(file, entry.document.shape);
    const known = new Map(before.units.map((unit) => [unit.id, unit]));
    const after = lowered.units.map((unit) => {
      const id = removed === undefined ? unit.id : idBefore(unit.id, file, removed);
      return { ...unit, id, source: known.get(id)?.source ?? unit.source };
    });
    const now = new Map(after.map((unit) => [unit.id, unit]));
    const ids = new Set([...known.keys(), ...now.keys()]);
    const changed = [...ids].filter(
      (id) => canonicalJson(meaning(known.get(id))) !== canonicalJson(meaning(now.get(id))),
    );
    const isOwn = ({ id }: GeneratedPolicy): boolean => known.has(id);
    const at = units.findIndex(isOwn);
    const others = units.filter((unit) => !isOwn(unit));
    const position = at === -1 ? others.length : at;
    const otherRules = [...rules];
    for (const rule of before.rules) {
      const index = otherRules.findIndex((item) => canonicalJson(item) === canonicalJson(rule));
      if (index !== -1) otherRules.splice(index, 1);
    }
    return {
      units: [...others.slice(0, position), ...after, ...others.slice(position)],
      rules: before.rules.length + lowered.rules.length === 0 ? rules : [...otherRules, ...lowered.rules],
      changed: new Set(changed),
    };
  }

  /** The definitions that a changed policy bears on, in either version, and those that came or went. */
  #reached(
    { units, changed }: ChangedUnits,
    servers: readonly ServerEntry[],
    transformed: Iterable<LeafAction>,
  ): ReadonlySet<LeafAction> | undefined {
    const reached = new Set<LeafAction>(transformed);
    for (const [action, slices] of this.#slices) {
      if (slices.some((slice) => [...slice.call, ...slice.shadow].some(({ id }) => changed.has(id))))
        reached.add(action);
    }
    const facts = servers.flatMap((server) => server.leaves.map((leaf) => leafFacts(server, leaf)));
    for (const unit of units.filter(({ id }) => changed.has(id))) {
      const [policy] = parseGenerated(unit).policies;
      if (policy === undefined) return undefined;
      for (const item of facts) {
        if (specialise(policy.scoped, item) !== undefined) reached.add(item.leaf.action);
      }
    }
    const actions = new Set(facts.map(({ leaf }) => leaf.action));
    for (const action of this.#slices.keys()) if (!actions.has(action)) reached.add(action);
    for (const action of actions) if (!this.#slices.has(action)) reached.add(action);
    for (const { leaves } of servers) {
      // A URI may belong to any of a server's resources.
      const resources = leaves.filter(({ kind }) => kind.startsWith("resource"));
      if (!resources.some(({ action }) => reached.has(action))) continue;
      for (const { action } of resources) reached.add(action);
    }
    return reached;
  }

  /** Undefined where the compiler has something against it. */
  #policies(
    { units, changed }: ChangedUnits,
    servers: readonly ServerEntry[],
    reached: ReadonlySet<LeafAction>,
  ): Pick<BundleContent, "policies" | "registry" | "sources"> | undefined {
    if (reached.size === 0) {
      const { policies, registry, sources } = restricted(this.#base, reached);
      return { policies, registry, sources };
    }
    const beside = new Set<PolicyId>(changed);
    for (const action of reached) {
      for (const slice of this.#slices.get(action) ?? []) {
        for (const { id } of [...slice.call, ...slice.shadow]) beside.add(id);
      }
    }
    const isNew = [...reached].some((action) => !this.#slices.has(action));
    const output = compileCedar({
      sources: [],
      generated: isNew ? units : units.filter(({ id }) => beside.has(id)),
      model: this.#repository.model(withLeaves(servers, reached)),
    });
    if (output.findings.some(({ severity }) => severity === "error")) return undefined;
    const sources = { policies: { ...this.#base.sources.policies, ...output.sources.policies } };
    return { policies: output.policies, registry: { servers: output.servers }, sources };
  }

  /** Transforms, and the suites as they resolve; undefined where a transform has an error. */
  #rest(
    change: Mutant["change"],
    { rules }: ChangedUnits,
  ): { readonly transforms: readonly TransformEntry[]; readonly suites: readonly TestSuite[] } | undefined {
    const same = { transforms: this.#base.transforms.transforms, suites: this.#suites };
    if (change.kind === "policy") return same;
    const { yaml, layers, identity, rules: rulesBefore } = this.#repository;
    const entry = yaml.get(change.file);
    const isMoved = rules !== rulesBefore && canonicalJson(rules) !== canonicalJson(rulesBefore);
    const hasTransforms = (entry?.document.shape.transforms ?? change.shape.transforms) !== undefined;
    if (!hasTransforms && !isMoved) return same;
    const sink = new DiagnosticSink();
    const changed = layers.all.map((layer) => withShape(layer, change.file, change.shape, isMoved));
    const [platform = layers.platform] = changed;
    const lowered = lowerLayers({ ...layers, platform, all: changed }, identity, sink);
    if (!isMoved && sink.hasErrors) return undefined;
    return { transforms: lowered.transforms.transforms, suites: isMoved ? lowered.suites : this.#suites };
  }
}

function changedPolicy(
  units: readonly GeneratedPolicy[],
  rules: readonly ResourceRule[],
  { id, text, shadow, flip }: PolicyChange,
): ChangedUnits | undefined {
  if (!units.some((unit) => unit.id === id)) return undefined;
  const after = units.flatMap((unit): readonly GeneratedPolicy[] => {
    if (unit.id !== id) return [unit];
    if (text === undefined && flip === undefined) return [];
    const written = flip === undefined ? (text ?? unit.text) : flipped(unit.text);
    const { shadow: before, ...rest } = unit;
    const isShadow = shadow ?? before ?? false;
    return [{ ...rest, text: written, ...(isShadow ? { shadow: true } : {}) }];
  });
  return { units: after, rules, changed: new Set([id]) };
}

function flipped(text: string): string {
  return text.startsWith("permit") ? text.replace("permit", "forbid") : text.replace("forbid", "permit");
}

/** What makes a unit another policy; where it stands does not. */
function meaning(unit: GeneratedPolicy | undefined): unknown {
  if (unit === undefined) return null;
  const { text, tenant, shadow = false, derivations } = unit;
  return { text, tenant, shadow, derivations };
}

/** The id that an entry had before another one was taken out of its list. */
function idBefore(
  id: PolicyId,
  file: string,
  { list, index }: NonNullable<DocumentChange["removed"]>,
): PolicyId {
  const prefix = `${file}#/${list.join("/")}/`;
  const [, position, rest] = /^(\d+)(.*)$/u.exec(id.startsWith(prefix) ? id.slice(prefix.length) : "") ?? [];
  if (position === undefined || Number(position) < index) return id;
  return `${prefix}${Number(position) + 1}${rest ?? ""}`;
}

function withShape(layer: Layer, file: string, shape: PolicyShape, hasSuites: boolean): Layer {
  const policies = layer.documents.policies
    .map((document) => (document.source.file === file ? { ...document, shape } : document))
    .filter((document) => hasSuites || document.shape.transforms !== undefined);
  const { testSuites, testData } = layer.documents;
  const tests = hasSuites ? { testSuites, testData } : { testSuites: [], testData: [] };
  return { ...layer, documents: { ...layer.documents, policies, ...tests, limits: [] } };
}

function withLeaves(
  servers: readonly ServerEntry[],
  actions: ReadonlySet<LeafAction>,
): readonly ServerEntry[] {
  return servers.map((server) => ({
    ...server,
    leaves: server.leaves.filter(({ action }) => actions.has(action)),
  }));
}

/** The content as far as it decides `actions`. */
export function restricted(content: BundleContent, actions: ReadonlySet<LeafAction>): BundleContent {
  const { registry, policies } = content;
  return {
    ...content,
    registry: { servers: withLeaves(registry.servers, actions) },
    policies: { ...policies, slices: policies.slices.filter(({ action }) => actions.has(action)) },
  };
}

interface Difference {
  readonly action: LeafAction;
  readonly before: unknown;
  readonly after: unknown;
}

/** What is compiled differently, by tenant and definition. */
function differencesOf(before: BundleContent, after: BundleContent): ReadonlyMap<string, Difference> {
  const differences = new Map<string, Difference>();
  const compare = (name: string, of: (content: BundleContent) => readonly Keyed[]): void => {
    const was = new Map(of(before).map((item) => [item.key, item]));
    const is = new Map(of(after).map((item) => [item.key, item]));
    for (const key of [...new Set([...was.keys(), ...is.keys()])].sort()) {
      const [old, now] = [was.get(key), is.get(key)];
      if (canonicalJson(old?.value ?? null) === canonicalJson(now?.value ?? null)) continue;
      const action = now?.action ?? old?.action ?? "";
      differences.set(`${name} ${key}`, { action, before: old?.value, after: now?.value });
    }
  };
  compare("slice", ({ policies }) =>
    policies.slices.map(({ tenant, action, ...slice }) => ({
      key: `${tenant} ${action}`,
      action,
      value: slice,
    })),
  );
  compare("transforms", ({ transforms }) =>
    transforms.transforms.map((entry) => ({
      key: `${entry.tenant} ${entry.action}`,
      action: entry.action,
      value: { request: entry.request.map(withoutPolicy), response: entry.response.map(withoutPolicy) },
    })),
  );
  return differences;
}

/** Definitions of which results or arguments are transformed differently. */
function changedTransforms(
  before: readonly TransformEntry[],
  after: readonly TransformEntry[],
): readonly LeafAction[] {
  if (before === after) return [];
  const [was, is] = [new Set(before.map(entryMeaning)), new Set(after.map(entryMeaning))];
  const differing = [
    ...before.filter((entry) => !is.has(entryMeaning(entry))),
    ...after.filter((entry) => !was.has(entryMeaning(entry))),
  ];
  return differing.map(({ action }) => action);
}

function entryMeaning({ tenant, action, request, response }: TransformEntry): string {
  return canonicalJson([tenant, action, request.map(withoutPolicy), response.map(withoutPolicy)]);
}

interface Keyed {
  readonly key: string;
  readonly action: LeafAction;
  readonly value: unknown;
}

/** The line that an operation stands in is not what it does. */
function withoutPolicy({ policy: _policy, ...operation }: TransformEntry["request"][number]): JsonValue {
  return operation;
}
