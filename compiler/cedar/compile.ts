// Compiles Cedar: sources and generated policies → one slice for each tenant and pinned leaf, plus findings.
import { assert } from "#std";
import type { JsonValue } from "#std";
import type {
  AttributeMapping,
  Derivation,
  LeafAction,
  LeafEntry,
  Digest,
  PolicySection,
  ServerEntry,
  ShadowFacts,
  Slice,
  SlicePolicy,
  SourcesSection,
  TenantId,
} from "#bundle";
import { pruneProjection } from "../json-schema/index.ts";
import type { ArgumentReads } from "../json-schema/index.ts";
import { contextMembersOf, ReadsTable, readOfDerivation, unionOfReads } from "./argument-reads.ts";
import { pathOf, visitExprs } from "./est.ts";
import type { PolicyEst } from "./est.ts";
import { finding, sortedFindings } from "./finding.ts";
import type { CedarFinding } from "./finding.ts";
import { leafFacts, pathKey } from "./fold.ts";
import type { LeafFacts } from "./fold.ts";
import { ComplaintBook } from "./complaint-book.ts";
import { checkNames, nameIndex } from "./name-checks.ts";
import { parseGenerated, parseSource } from "./parse.ts";
import type { CedarSource, GeneratedPolicy, ParsedPolicy } from "./parse.ts";
import { searchPattern } from "./regex-lints.ts";
import { ResidualValidator } from "./residual-validator.ts";
import type { LeafResidual } from "./residual-validator.ts";
import { leafSchema, OPTIONAL_MEMBERS } from "./schema.ts";
import type { OptionalMember } from "./schema.ts";
import { policySection, residualTable, schemaTable, sortedDerivations } from "./slices.ts";
import { specialise } from "./specialise.ts";
import type { Complaint } from "./messages.ts";
import { visibilityOf, widestVisibility } from "./visibility.ts";

/** What policies are checked against. */
export interface CedarModel {
  /** Identity mappings of all issuers of the tenant; an attribute is required where all say so. */
  readonly attributes: readonly AttributeMapping[];
  readonly servers: readonly ServerEntry[];
  /** Declared roles, unqualified; empty = roles are not checked. */
  readonly knownRoles: readonly string[];
  /** Tenant of the Cedar sources. */
  readonly tenant: TenantId;
}

export interface CedarInput {
  readonly sources: readonly CedarSource[];
  readonly generated: readonly (GeneratedPolicy & { readonly derivations: readonly Derivation[] })[];
  readonly model: CedarModel;
}

export interface CedarOutput {
  readonly policies: PolicySection;
  /** The servers of the model; the arguments programs show policies only what some slice reads. */
  readonly servers: readonly ServerEntry[];
  readonly sources: SourcesSection;
  /** Sorted by file, line, column, code. */
  readonly findings: readonly CedarFinding[];
}

/**
 * Compiles all policies of one repository. Never throws for what an author wrote. Where any finding is an error every
 * slice is empty, which denies everything: a forbid that failed to compile must not be left out of a working slice.
 */
export function compileCedar(input: CedarInput): CedarOutput {
  const { model } = input;
  const outcomes = [
    ...input.sources.map((source) => parseSource(source, model.tenant)),
    ...input.generated.map(parseGenerated),
  ];
  const findings: CedarFinding[] = outcomes.flatMap((outcome) => outcome.findings);
  const policies = withoutDuplicates(
    outcomes.flatMap((outcome) => outcome.policies),
    findings,
  );
  const names = nameIndex(model.servers, model.knownRoles);
  for (const policy of policies) if (policy.authored) findings.push(...checkNames(policy, names));
  const compilation = new Compilation(model, policies);
  compilation.run();
  findings.push(...compilation.findings(findings));
  const refused = findings.some((item) => item.severity === "error");
  return {
    ...(refused ? compilation.nothing() : compilation.result()),
    sources: { policies: Object.fromEntries(policies.map((policy) => [policy.id, policy.source])) },
    findings: sortedFindings(findings),
  };
}

function withoutDuplicates(
  policies: readonly ParsedPolicy[],
  findings: CedarFinding[],
): readonly ParsedPolicy[] {
  const known = new Map<string, ParsedPolicy>();
  for (const policy of policies) {
    const { file, line, column } = policy.source;
    if (known.has(policy.id)) {
      findings.push(
        finding("CEDAR_DUPLICATE_ID", { file, line, column }, `the policy id ${policy.id} occurs twice`),
      );
    } else known.set(policy.id, policy);
  }
  return [...known.values()];
}

interface LeafPolicy extends LeafResidual {
  readonly policy: ParsedPolicy;
}

/** A slice before it is known what the slices of the other tenants read of the same leaf. */
type OpenSlice = Omit<Slice, "schema" | "shadowFacts"> & {
  readonly members: readonly OptionalMember[];
  readonly shadowReads: ShadowReads;
};

/** What the policies in shadow mode of a slice read further to the enforced ones. */
interface ShadowReads {
  readonly members: readonly OptionalMember[];
  readonly derivations: readonly Derivation[];
  readonly arguments: readonly ArgumentReads[];
}

const NO_SHADOW_READS: ShadowReads = { members: [], derivations: [], arguments: [] };

/** The tables of one run. */
class Compilation {
  readonly #model: CedarModel;
  readonly #policies: readonly ParsedPolicy[];
  readonly #residuals = residualTable();
  readonly #slices: OpenSlice[] = [];
  readonly #leaves = new Map<LeafAction, LeafEntry>();
  readonly #argumentReads = new Map<LeafAction, Set<ArgumentReads>>();
  readonly #book: ComplaintBook;
  readonly #validator: ResidualValidator;
  readonly #members = new WeakMap<PolicyEst, ReadonlySet<OptionalMember>>();
  readonly #derivedNames = new WeakMap<PolicyEst, ReadonlySet<string>>();
  readonly #reads = new ReadsTable();
  readonly #visibility = new WeakMap<PolicyEst, { readonly residual: PolicyEst | undefined }>();

  constructor(model: CedarModel, policies: readonly ParsedPolicy[]) {
    this.#model = model;
    this.#policies = policies;
    this.#validator = new ResidualValidator(model.attributes, (residual) => this.#residuals.digest(residual));
    this.#book = new ComplaintBook(model.attributes);
  }

  run(): void {
    const tenants = [
      ...new Set([this.#model.tenant, ...this.#policies.map((policy) => policy.tenant)]),
    ].sort();
    for (const tenant of tenants) {
      const policies = this.#policies.filter((policy) => policy.tenant === tenant);
      const derivations = derivationsOf(policies);
      const decidable = [...derivations.values()].filter(isOnFixedPath);
      for (const server of this.#model.servers) {
        const reaching = policies.filter((policy) => policy.scoped.servers?.has(server.id) !== false);
        for (const leaf of server.leaves) {
          const facts = withDerivedConstants(leafFacts(server, leaf), decidable);
          this.#compileLeaf(tenant, reaching, derivations, facts);
        }
      }
    }
  }

  findings(earlier: readonly CedarFinding[]): readonly CedarFinding[] {
    return this.#book.findings(this.#policies, earlier);
  }

  /** The slices, each with the schema of its leaf as far as policies read it. */
  result(): Pick<CedarOutput, "policies" | "servers"> {
    const servers = this.#model.servers.map((server) => ({
      ...server,
      leaves: server.leaves.map((leaf) => this.#withWhatIsRead(leaf)),
    }));
    return { policies: this.#section(this.#residuals, this.#slices, servers), servers };
  }

  /** Slices without policies: they deny every call. */
  nothing(): Pick<CedarOutput, "policies" | "servers"> {
    const { servers } = this.#model;
    const denied = this.#slices.map((slice) => ({
      ...slice,
      ...{ call: [], visibility: [], shadow: [], derivations: [], members: [] },
      shadowReads: NO_SHADOW_READS,
    }));
    return { policies: this.#section(residualTable(), denied, servers), servers };
  }

  #section(
    residuals: ReturnType<typeof residualTable>,
    open: readonly OpenSlice[],
    servers: readonly ServerEntry[],
  ): PolicySection {
    const leaves = new Map(
      servers.flatMap((server) => server.leaves).map((leaf) => [leaf.action, leaf] as const),
    );
    const schemas = schemaTable();
    const slices = open.flatMap((slice): readonly Slice[] => {
      const leaf = leaves.get(slice.action);
      if (leaf === undefined) return [];
      const { members, shadowReads: _shadowReads, ...rest } = slice;
      const schema = schemas.keep(leafSchema(leaf, this.#model.attributes, slice.derivations, members));
      const shadowFacts = this.#shadowFacts(slice, leaf, schema, schemas);
      return [{ ...rest, schema, ...(shadowFacts === undefined ? {} : { shadowFacts }) }];
    });
    return policySection(residuals, schemas, slices);
  }

  #withWhatIsRead(leaf: LeafEntry): LeafEntry {
    const reads = unionOfReads(this.#argumentReads.get(leaf.action) ?? []);
    return { ...leaf, argumentsProgram: pruneProjection(leaf.argumentsProgram, reads) };
  }

  /** Undefined where the shadow decision has the context of the enforced one. */
  #shadowFacts(
    slice: OpenSlice,
    pruned: LeafEntry,
    schema: Digest,
    schemas: ReturnType<typeof schemaTable>,
  ): ShadowFacts | undefined {
    const { shadowReads: extra } = slice;
    const whole = this.#leaves.get(slice.action);
    if (slice.shadow.length === 0 || whole === undefined) return undefined;
    const reads = unionOfReads([...(this.#argumentReads.get(slice.action) ?? []), ...extra.arguments]);
    const argumentsProgram = pruneProjection(whole.argumentsProgram, reads);
    const own = JSON.stringify(argumentsProgram) !== JSON.stringify(pruned.argumentsProgram);
    const leaf = own ? { ...pruned, argumentsProgram } : pruned;
    const derivations = [...slice.derivations, ...extra.derivations];
    const members = OPTIONAL_MEMBERS.filter((name) => [slice, extra].some((of) => of.members.includes(name)));
    const shadowSchema = schemas.keep(
      leafSchema(leaf, this.#model.attributes, sortedDerivations(derivations), members),
    );
    if (!own && shadowSchema === schema) return undefined;
    return {
      schema: shadowSchema,
      derivations: extra.derivations,
      ...(own ? { argumentsProgram } : {}),
    };
  }

  #compileLeaf(
    tenant: TenantId,
    policies: readonly ParsedPolicy[],
    derivations: ReadonlyMap<string, Derivation>,
    facts: LeafFacts,
  ): void {
    const { server, leaf } = facts;
    const applying = policies.flatMap((policy): readonly LeafPolicy[] => {
      const call = specialise(policy.scoped, facts);
      if (call === undefined) return [];
      const visibility = policy.shadow ? undefined : this.#visibilityOf(call);
      return [{ policy, call, visibility, reads: this.#reads.readsOf(call) }];
    });
    const enforced = applying.filter((item) => !item.policy.shadow);
    const needed = this.#neededDerivations(enforced, derivations);
    const shadowReads = this.#shadowReads(applying, needed, derivations);
    const schema = leafSchema(leaf, this.#model.attributes, [...needed, ...shadowReads.derivations]);
    const complaints = this.#validator.validate(leaf, schema, applying);
    const call: SlicePolicy[] = [];
    const visibility: SlicePolicy[] = [];
    const shadow: SlicePolicy[] = [];
    for (const { policy, call: residual, visibility: visible } of applying) {
      const digest = this.#residuals.keep(residual);
      (policy.shadow ? shadow : call).push({ id: policy.id, residual: digest });
      this.#book.enter(policy, { server, leaf, schema }, complaints.get(digest) ?? []);
      if (visible === undefined) continue;
      const failed = (complaints.get(this.#residuals.digest(visible)) ?? []).some(isFault);
      const shown = failed ? widestVisibility(visible) : visible;
      if (shown !== undefined) visibility.push({ id: policy.id, residual: this.#residuals.keep(shown) });
    }
    this.#leaves.set(leaf.action, leaf);
    const members = this.#membersOfAll(enforced);
    const derived = { derivations: needed, members, shadowReads };
    this.#slices.push({ tenant, action: leaf.action, call, visibility, shadow, ...derived });
    this.#noteReads(leaf.action, enforced, needed);
  }

  /** `needed`: the derivations that enforced policies read. */
  #shadowReads(
    applying: readonly LeafPolicy[],
    needed: readonly Derivation[],
    derivations: ReadonlyMap<string, Derivation>,
  ): ShadowReads {
    const shadow = applying.filter((item) => item.policy.shadow);
    if (shadow.length === 0) return NO_SHADOW_READS;
    const further = this.#neededDerivations(shadow, derivations).filter((item) => !needed.includes(item));
    return {
      members: this.#membersOfAll(shadow),
      derivations: further,
      arguments: [...shadow.map((item) => item.reads), ...further.map(readOfDerivation)],
    };
  }

  #membersOfAll(policies: readonly LeafPolicy[]): readonly OptionalMember[] {
    return OPTIONAL_MEMBERS.filter((name) => policies.some((item) => this.#membersOf(item.call).has(name)));
  }

  #noteReads(action: LeafAction, applying: readonly LeafPolicy[], derivations: readonly Derivation[]): void {
    const reads = this.#argumentReads.get(action) ?? new Set();
    this.#argumentReads.set(action, reads);
    for (const item of applying) reads.add(item.reads);
    for (const derivation of derivations) reads.add(readOfDerivation(derivation));
  }

  #neededDerivations(
    applying: readonly LeafPolicy[],
    derivations: ReadonlyMap<string, Derivation>,
  ): readonly Derivation[] {
    const needed = new Map<string, Derivation>();
    if (derivations.size === 0) return [];
    for (const { call } of applying) {
      const names = this.#derivedNames.get(call) ?? derivedNames(call);
      this.#derivedNames.set(call, names);
      for (const name of names) {
        const derivation = derivations.get(name);
        if (derivation !== undefined) needed.set(name, derivation);
      }
    }
    return sortedDerivations(needed.values());
  }

  #membersOf(residual: PolicyEst): ReadonlySet<OptionalMember> {
    const known = this.#members.get(residual) ?? contextMembersOf(residual, OPTIONAL_MEMBERS);
    this.#members.set(residual, known);
    return known;
  }

  #visibilityOf(call: PolicyEst): PolicyEst | undefined {
    const known = this.#visibility.get(call);
    if (known !== undefined) return known.residual;
    const residual = visibilityOf(call);
    this.#visibility.set(call, { residual });
    return residual;
  }
}

function isFault(complaint: Complaint): boolean {
  return complaint.code !== "CEDAR_NEVER_APPLIES";
}

function derivationsOf(policies: readonly ParsedPolicy[]): ReadonlyMap<string, Derivation> {
  const derivations = new Map<string, Derivation>();
  for (const derivation of policies.flatMap((policy) => policy.derivations)) {
    const known = derivations.get(derivation.name);
    const same = known === undefined || JSON.stringify(known) === JSON.stringify(derivation);
    assert(same, `derivation ${derivation.name} has one meaning`);
    derivations.set(derivation.name, derivation);
  }
  return derivations;
}

/** True for a pattern on what a leaf may fix, which is then decided here: the gateway derives nothing for it. */
function isOnFixedPath(derivation: Derivation): boolean {
  if (derivation.kind !== "matches") return false;
  const [root, name] = derivation.path;
  return root === "resource" || derivation.path.length === 1 || (root === "arguments" && name === "uri");
}

function withDerivedConstants(facts: LeafFacts, derivations: readonly Derivation[]): LeafFacts {
  if (derivations.length === 0) return facts;
  const derived = new Map<string, boolean>();
  for (const derivation of derivations) {
    if (derivation.kind !== "matches") continue;
    const path = derivation.path[0] === "resource" ? derivation.path : ["context", ...derivation.path];
    const value: JsonValue | undefined = facts.constants.get(pathKey(path));
    if (typeof value === "string") derived.set(derivation.name, searchPattern(derivation.pattern, value));
  }
  return { ...facts, derived };
}

/** Names under `context._m` and `context._d` that a residual reads. */
function derivedNames(residual: PolicyEst): ReadonlySet<string> {
  const names = new Set<string>();
  visitExprs(residual, (expr) => {
    const path = pathOf(expr);
    if (path?.length === 3 && path[0] === "context" && (path[1] === "_m" || path[1] === "_d"))
      names.add(path[2] ?? "");
  });
  return names;
}
