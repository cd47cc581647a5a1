// Compiles Cedar: sources and generated policies → one slice for each tenant and pinned leaf, plus findings.
import type {
  AttributeMapping,
  Derivation,
  LeafAction,
  LeafEntry,
  Digest,
  PolicySection,
  ServerEntry,
  ServerId,
  ShadowFacts,
  Slice,
  SlicePolicy,
  SourcesSection,
  TenantId,
} from "#bundle";
import { pruneProjection } from "../json-schema/index.ts";
import type { ArgumentReads } from "../json-schema/index.ts";
import { contextMembersOf, ReadsTable, readOfDerivation, unionOfReads } from "./argument-reads.ts";
import {
  DerivationFindings,
  derivationsOf,
  derivedNames,
  isOnFixedPath,
  withDerivedConstants,
} from "./derived-facts.ts";
import type { SqlArgument } from "./derived-facts.ts";
import type { PolicyEst } from "./est.ts";
import { finding, sortedFindings } from "./finding.ts";
import type { CedarFinding } from "./finding.ts";
import { leafFacts } from "./fold.ts";
import type { LeafFacts } from "./fold.ts";
import { ComplaintBook } from "./complaint-book.ts";
import { checkNames, checkTenantNames, nameIndex } from "./name-checks.ts";
import type { NameIndex } from "./name-checks.ts";
import { parseGenerated, parseSource } from "./parse.ts";
import type { CedarSource, GeneratedPolicy, ParsedPolicy, ParseOutcome } from "./parse.ts";
import { ResidualValidator } from "./residual-validator.ts";
import type { LeafResidual } from "./residual-validator.ts";
import { leafSchema, METHOD_ACTIONS, OPTIONAL_MEMBERS } from "./schema.ts";
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
  /** Tenant whose policies are the platform's: they stand in the slices of every tenant. */
  readonly tenant: TenantId;
  /** The arguments that hold SQL, as the server documents declare them. */
  readonly sql?: ReadonlyMap<LeafAction, SqlArgument>;
  /** The other tenants. */
  readonly tenants?: readonly CedarTenant[];
}

/** What the policies of one tenant are checked against, and where they stand. */
export interface CedarTenant {
  readonly id: TenantId;
  /** It has slices for the leaves of these alone. */
  readonly servers: ReadonlySet<ServerId>;
  /** As in the model, of the tenant's callers. */
  readonly attributes: readonly AttributeMapping[];
  /** Declared roles, unqualified; empty = roles are not checked. */
  readonly knownRoles: readonly string[];
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
  /** Every policy that parsed, written or generated. */
  readonly parsed: readonly ParsedPolicy[];
  /** Sorted by file, line, column, code. */
  readonly findings: readonly CedarFinding[];
}

/**
 * Compiles all policies of one repository. Never throws for what an author wrote. Where any finding is an error every
 * slice is empty, which denies everything: a forbid that failed to compile must not be left out of a working slice.
 */
export function compileCedar(input: CedarInput): CedarOutput {
  const { model } = input;
  const outcomes = parseAll(input);
  const findings: CedarFinding[] = outcomes.flatMap((outcome) => outcome.findings);
  const policies = withoutDuplicates(
    outcomes.flatMap((outcome) => outcome.policies),
    findings,
  );
  const names = namesByTenant(model);
  for (const policy of policies) {
    const known = names.get(policy.tenant) ?? names.get(model.tenant);
    if (policy.authored && known !== undefined) findings.push(...checkNames(policy, known));
    findings.push(...checkTenantNames(policy, model));
  }
  const compilation = new Compilation(model, policies);
  const excess = excessOf(model, policies);
  if (excess === undefined) compilation.run();
  findings.push(...(excess === undefined ? compilation.findings(findings) : [excess]));
  const refused = findings.some((item) => item.severity === "error");
  return {
    ...(refused ? compilation.nothing() : compilation.result()),
    sources: { policies: Object.fromEntries(policies.map((policy) => [policy.id, policy.source])) },
    parsed: policies,
    findings: sortedFindings(findings),
  };
}

/** Parses until there are more policies than are compiled. */
function parseAll({ sources, generated, model }: CedarInput): readonly ParseOutcome[] {
  const outcomes: ParseOutcome[] = [];
  let count = 0;
  for (const source of sources) {
    const outcome = parseSource(source, source.tenant ?? model.tenant);
    outcomes.push(outcome);
    count += outcome.policies.length;
    if (count > MAX_POLICIES) return outcomes;
  }
  return [...outcomes, ...generated.slice(0, MAX_POLICIES + 1).map(parseGenerated)];
}

/** Most policies of a repository, written or generated. */
const MAX_POLICIES = 20_000;
/** Most pairs of a policy and a definition that it may decide, over all tenants: some seconds of work. */
const MAX_DECISIONS = 500_000;
/** What a definition costs each tenant beside its policies, in such pairs. */
const DECISIONS_PER_SLICE = 40;

/** What says that a repository asks for more than a compilation does. */
function excessOf(model: CedarModel, policies: readonly ParsedPolicy[]): CedarFinding | undefined {
  const [first] = policies.slice(MAX_POLICIES);
  const tooMany = (message: string, { source }: ParsedPolicy): CedarFinding =>
    finding("CEDAR_TOO_MANY", source, message);
  if (first !== undefined) return tooMany(`more than ${String(MAX_POLICIES)} policies`, first);
  const definitions = model.servers.reduce((sum, server) => sum + server.leaves.length, 0);
  const ofTenants = (model.tenants ?? []).map(({ servers }) =>
    model.servers.reduce((sum, { id, leaves }) => sum + (servers.has(id) ? leaves.length : 0), 0),
  );
  let decisions = ofTenants.reduce((sum, leaves) => sum + leaves, definitions) * DECISIONS_PER_SLICE;
  let widest: { readonly policy: ParsedPolicy; readonly leaves: number } | undefined;
  const tenants = 1 + (model.tenants?.length ?? 0);
  for (const policy of policies) {
    const { actions, servers } = policy.scoped;
    // A policy that names its definitions is done with the others at once.
    const reached = model.servers.filter(({ id }) => servers?.has(id) !== false);
    const leaves = reached.reduce((sum, server) => sum + server.leaves.length, 0);
    const isNamed =
      [...(actions ?? [])].every((action) => !METHOD_ACTIONS.includes(action)) && actions !== undefined;
    const share = (isNamed ? leaves / 50 : leaves) * (policy.tenant === model.tenant ? tenants : 1);
    decisions += share;
    if (share > (widest?.leaves ?? -1)) widest = { policy, leaves: share };
  }
  if (decisions <= MAX_DECISIONS || widest === undefined) return undefined;
  const message = `${String(policies.length)} policies ask for ${String(Math.round(decisions))} decisions about definitions, at most ${String(MAX_DECISIONS)} are compiled; this one for ${String(Math.round(widest.leaves))}`;
  return tooMany(message, widest.policy);
}

/** What a policy of each tenant may name. */
function namesByTenant(model: CedarModel): ReadonlyMap<TenantId, NameIndex> {
  const { servers, knownRoles, tenants = [] } = model;
  return new Map([
    [model.tenant, nameIndex(servers, knownRoles)] as const,
    ...tenants.map((tenant) => {
      const own = servers.filter((server) => tenant.servers.has(server.id));
      return [tenant.id, nameIndex(own, tenant.knownRoles)] as const;
    }),
  ]);
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
  /** What the enforced policies read of the arguments; none for the platform, whose reads every slice shares. */
  readonly ownReads: readonly ArgumentReads[];
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
  readonly #derivations: DerivationFindings;
  readonly #tenants: ReadonlyMap<TenantId, CedarTenant>;
  readonly #validators = new Map<string, ResidualValidator>();
  readonly #members = new WeakMap<PolicyEst, ReadonlySet<OptionalMember>>();
  readonly #derivedNames = new WeakMap<PolicyEst, ReadonlySet<string>>();
  readonly #reads = new ReadsTable();
  readonly #visibility = new WeakMap<PolicyEst, { readonly residual: PolicyEst | undefined }>();

  constructor(model: CedarModel, policies: readonly ParsedPolicy[]) {
    this.#model = model;
    this.#policies = policies;
    this.#tenants = new Map((model.tenants ?? []).map((tenant) => [tenant.id, tenant]));
    this.#book = new ComplaintBook();
    this.#derivations = new DerivationFindings(model.sql ?? new Map());
  }

  run(): void {
    const { tenant: platform } = this.#model;
    const tenants = [
      ...new Set([platform, ...this.#tenants.keys(), ...this.#policies.map((policy) => policy.tenant)]),
    ].sort();
    for (const tenant of tenants) {
      const own = new Set([platform, tenant]);
      const policies = this.#policies.filter((policy) => own.has(policy.tenant));
      const derivations = derivationsOf(policies);
      const decidable = [...derivations.values()].filter(isOnFixedPath);
      const servers = this.#tenants.get(tenant)?.servers;
      for (const server of this.#model.servers.filter(({ id }) => servers?.has(id) !== false)) {
        const reaching = policies.filter((policy) => policy.scoped.servers?.has(server.id) !== false);
        for (const leaf of server.leaves) {
          const facts = withDerivedConstants(leafFacts(server, leaf), decidable);
          this.#compileLeaf(tenant, reaching, derivations, facts);
        }
      }
    }
  }

  findings(earlier: readonly CedarFinding[]): readonly CedarFinding[] {
    return [...this.#book.findings(this.#policies, earlier), ...this.#derivations.findings()];
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
      ...{ call: [], visibility: [], shadow: [], derivations: [], members: [], ownReads: [] },
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
      const shared = leaves.get(slice.action);
      if (shared === undefined) return [];
      const { members, ownReads, shadowReads: _shadowReads, ...rest } = slice;
      const leaf = this.#asTenantReads(shared, ownReads);
      const attributes = this.#attributesOf(slice.tenant);
      const schema = schemas.keep(leafSchema(leaf, attributes, slice.derivations, members));
      const shadowFacts = this.#shadowFacts(slice, leaf, schema, schemas);
      return [
        {
          ...{ ...rest, schema },
          ...(leaf === shared ? {} : { argumentsProgram: leaf.argumentsProgram }),
          ...(shadowFacts === undefined ? {} : { shadowFacts }),
        },
      ];
    });
    return policySection(residuals, schemas, slices);
  }

  #withWhatIsRead(leaf: LeafEntry): LeafEntry {
    const reads = unionOfReads(this.#argumentReads.get(leaf.action) ?? []);
    return { ...leaf, argumentsProgram: pruneProjection(leaf.argumentsProgram, reads) };
  }

  /** The leaf with what a tenant's own policies read as well; what others' calls are projected to stays as it is. */
  #asTenantReads(shared: LeafEntry, ownReads: readonly ArgumentReads[]): LeafEntry {
    const whole = this.#leaves.get(shared.action);
    if (ownReads.length === 0 || whole === undefined) return shared;
    const reads = unionOfReads([...(this.#argumentReads.get(shared.action) ?? []), ...ownReads]);
    const argumentsProgram = pruneProjection(whole.argumentsProgram, reads);
    const isShared = JSON.stringify(argumentsProgram) === JSON.stringify(shared.argumentsProgram);
    return isShared ? shared : { ...shared, argumentsProgram };
  }

  #attributesOf(tenant: TenantId): readonly AttributeMapping[] {
    return this.#tenants.get(tenant)?.attributes ?? this.#model.attributes;
  }

  /** One for tenants whose callers have the same attributes. */
  #validatorOf(attributes: readonly AttributeMapping[]): ResidualValidator {
    const key = JSON.stringify(attributes);
    const known = this.#validators.get(key);
    if (known !== undefined) return known;
    const validator = new ResidualValidator(attributes, (residual) => this.#residuals.digest(residual));
    this.#validators.set(key, validator);
    return validator;
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
    const reads = unionOfReads([
      ...(this.#argumentReads.get(slice.action) ?? []),
      ...slice.ownReads,
      ...extra.arguments,
    ]);
    const argumentsProgram = pruneProjection(whole.argumentsProgram, reads);
    const own = JSON.stringify(argumentsProgram) !== JSON.stringify(pruned.argumentsProgram);
    const leaf = own ? { ...pruned, argumentsProgram } : pruned;
    const derivations = [...slice.derivations, ...extra.derivations];
    const members = OPTIONAL_MEMBERS.filter((name) => [slice, extra].some((of) => of.members.includes(name)));
    const shadowSchema = schemas.keep(
      leafSchema(leaf, this.#attributesOf(slice.tenant), sortedDerivations(derivations), members),
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
    this.#derivations.note(
      server,
      leaf,
      applying.map(({ policy, call }) => ({ policy, names: this.#namesOf(call) })),
    );
    const shadowReads = this.#shadowReads(applying, needed, derivations);
    const attributes = this.#attributesOf(tenant);
    const schema = leafSchema(leaf, attributes, [...needed, ...shadowReads.derivations]);
    const complaints = this.#validatorOf(attributes).validate(leaf, schema, applying);
    const call: SlicePolicy[] = [];
    const visibility: SlicePolicy[] = [];
    const shadow: SlicePolicy[] = [];
    for (const { policy, call: residual, visibility: visible } of applying) {
      const digest = this.#residuals.keep(residual);
      (policy.shadow ? shadow : call).push({ id: policy.id, residual: digest });
      this.#book.enter(policy, { server, leaf, schema, attributes }, complaints.get(digest) ?? []);
      if (visible === undefined) continue;
      const failed = (complaints.get(this.#residuals.digest(visible)) ?? []).some(isFault);
      const shown = failed ? widestVisibility(visible) : visible;
      if (shown !== undefined) visibility.push({ id: policy.id, residual: this.#residuals.keep(shown) });
    }
    this.#leaves.set(leaf.action, leaf);
    const members = this.#membersOfAll(enforced);
    const reads = [...enforced.map((item) => item.reads), ...needed.map(readOfDerivation)];
    const isPlatform = tenant === this.#model.tenant;
    const derived = { derivations: needed, members, ownReads: isPlatform ? [] : reads, shadowReads };
    this.#slices.push({ tenant, action: leaf.action, call, visibility, shadow, ...derived });
    if (isPlatform) this.#argumentReads.set(leaf.action, new Set(reads));
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

  #neededDerivations(
    applying: readonly LeafPolicy[],
    derivations: ReadonlyMap<string, Derivation>,
  ): readonly Derivation[] {
    const needed = new Map<string, Derivation>();
    if (derivations.size === 0) return [];
    for (const { call } of applying) {
      for (const name of this.#namesOf(call)) {
        const derivation = derivations.get(name);
        if (derivation !== undefined) needed.set(name, derivation);
      }
    }
    return sortedDerivations(needed.values());
  }

  #namesOf(residual: PolicyEst): ReadonlySet<string> {
    const known = this.#derivedNames.get(residual) ?? derivedNames(residual);
    this.#derivedNames.set(residual, known);
    return known;
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
