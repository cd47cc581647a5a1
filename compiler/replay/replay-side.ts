// One version of the repository, deciding recorded calls.
import { annotationsOf, canonicalJson } from "#bundle";
import type {
  BundleContent,
  Digest,
  LeafAction,
  LeafEntry,
  PolicyId,
  ServerEntry,
  Slice,
  TenantId,
} from "#bundle";
import type { JudgePolicy } from "#explain";
import { createSqlReader } from "#facts";
import type { FactResources, SqlReader } from "#facts";
import {
  ENGINE_FAULT,
  UnsupportedConstruct,
  createEvaluator,
  factReads,
  principalEntity,
  tenantsOf,
  viewSchema,
} from "#pdp";
import type { Evaluator } from "#pdp";
import { compilePartialSlice } from "./partial-slice.ts";
import type { PartialCall, PartialSlice } from "./partial-slice.ts";
import { recordedCall } from "./recorded-call.ts";
import type { CallShape } from "./recorded-call.ts";
import type { RecordedDecision } from "./recorded-decision.ts";
import { AS_RECORDED, identityOf, recordedIdentity } from "./recorded-identity.ts";
import { lackedAttributes } from "./required-attributes.ts";
import { sameValidation } from "../json-schema/index.ts";

/** A version: what a bundle says, and its digest. */
export interface ReplayInput {
  readonly content: BundleContent;
  readonly digest: Digest;
}

/** What one version decides. `open`: it depends on facts that the record does not hold. */
export type SideAnswer =
  | {
      readonly kind: "decided";
      readonly effect: "allow" | "deny";
      /** As far as known. */
      readonly reasons: readonly PolicyId[];
      /** Why the call is refused without asking the policies. */
      readonly code?: string;
      /** False where other policies might be among the reasons. */
      readonly isComplete: boolean;
      /** Facts that the version reads and the record lacks, though it could be decided without them. */
      readonly unneeded: readonly string[];
    }
  | { readonly kind: "open"; readonly missing: readonly string[] };

/** Facts are missing altogether: the record was made without. */
const NO_FACTS = "facts";
/** The arguments were checked by a definition that this version does not have. */
const OTHER_DEFINITION = "definition";

/** Nothing permits it. */
const DENIED: SideAnswer = { kind: "decided", effect: "deny", reasons: [], isComplete: true, unneeded: [] };

interface SideLeaf {
  readonly leaf: LeafEntry;
  readonly server: ServerEntry;
}

interface CompiledLeaf {
  readonly shape: CallShape;
  /** Undefined where only cedar-wasm can decide it. */
  readonly partial: PartialSlice | undefined;
}

export class ReplaySide {
  readonly input: ReplayInput;
  readonly #evaluator: Evaluator;
  readonly #resources: FactResources;
  readonly #sql: SqlReader;
  readonly #leaves: ReadonlyMap<LeafAction, SideLeaf>;
  readonly #slices: ReadonlyMap<string, Slice>;
  readonly #tenants: ReadonlySet<TenantId>;
  readonly #compiled = new Map<string, CompiledLeaf | undefined>();

  private constructor(input: ReplayInput, evaluator: Evaluator, sql: SqlReader) {
    const { registry, policies } = input.content;
    this.input = input;
    this.#evaluator = evaluator;
    this.#sql = sql;
    this.#resources = { sql, matchers: new Map() };
    this.#leaves = new Map(
      registry.servers.flatMap((server) =>
        server.leaves.map((leaf) => [leaf.action, { leaf, server }] as const),
      ),
    );
    this.#tenants = tenantsOf(policies.slices);
    this.#slices = new Map(policies.slices.map((slice) => [key(slice.tenant, slice.action), slice]));
  }

  static async open(input: ReplayInput, signal: AbortSignal): Promise<ReplaySide> {
    const sql = await createSqlReader();
    try {
      return new ReplaySide(input, await createEvaluator(input.content, { signal }), sql);
    } catch (fault) {
      sql.dispose();
      throw fault;
    }
  }

  dispose(): void {
    this.#evaluator.dispose();
    this.#sql.dispose();
  }

  leaf(action: LeafAction): SideLeaf | undefined {
    return this.#leaves.get(action);
  }

  /** Everything that decides calls of one leaf, as one text: equal texts decide alike. */
  fingerprint(tenant: TenantId, action: LeafAction): string {
    const found = this.#leaves.get(action);
    if (found === undefined) return "none";
    const { leaf, server } = found;
    // A caller or role that is called like one of a tenant is nobody.
    const identity = [identityOf(this.input), [...this.#tenants].sort()];
    const who = [server.id, server.tier, server.labels];
    const what = [leaf.kind, leaf.name, leaf.argumentsProgram, annotationsOf(leaf)];
    return canonicalJson([who, what, this.#slices.get(key(tenant, action)) ?? null, ...identity]);
  }

  /** `other` is the version on the other side: it may be the one that checked the arguments. */
  async decide(record: RecordedDecision, other: ReplaySide, signal: AbortSignal): Promise<SideAnswer> {
    const found = this.#leaves.get(record.action);
    if (found === undefined) return refused("TARGET_UNKNOWN");
    if (record.facts === undefined) return { kind: "open", missing: [NO_FACTS] };
    if (!this.#accepts(record) && !this.#acceptsAs(record, other))
      return { kind: "open", missing: [OTHER_DEFINITION] };
    const identity = recordedIdentity(record, this.input, other.input);
    if (identity.kind === "untrusted") return refused("AUTHN_ISSUER_UNKNOWN");
    if (identity.kind === "unknown") return { kind: "open", missing: identity.names };
    const lacked = lackedAttributes(record, this.input, other.input, identity);
    if (lacked.kind === "lacks") return refused("PRINCIPAL_ATTRIBUTE_MISSING");
    if (lacked.kind === "unknown") return { kind: "open", missing: lacked.names };
    const compiled = this.#compile(record, found, other);
    if (compiled === undefined) return DENIED;
    const call = await recordedCall(record, compiled.shape, identity, signal);
    if (call === undefined) return { kind: "open", missing: [NO_FACTS] };
    return this.#decideCall(record, found, compiled, call);
  }

  /**
   * What an explanation asks of the policies: each as far as the record holds its facts. Undefined where the record
   * holds too little, and where only cedar-wasm can decide.
   */
  async judge(
    record: RecordedDecision,
    signal: AbortSignal,
  ): Promise<{ readonly slice: Slice; readonly applies: JudgePolicy } | undefined> {
    const found = this.#leaves.get(record.action);
    const compiled = found === undefined ? undefined : this.#compile(record, found, this);
    const call =
      compiled === undefined ? undefined : await recordedCall(record, compiled.shape, AS_RECORDED, signal);
    const partial = compiled?.partial;
    if (compiled === undefined || partial === undefined || call === undefined) return undefined;
    return { slice: compiled.shape.slice, applies: (policy) => partial.applies(policy, call) };
  }

  #decideCall(
    record: RecordedDecision,
    { server }: SideLeaf,
    { partial, shape }: CompiledLeaf,
    call: PartialCall,
  ): SideAnswer {
    if (principalEntity(call.principal, shape.view, this.#tenants) === undefined) return DENIED;
    const missing = [...new Set(call.missing.map(({ name }) => name))].sort();
    if (missing.length === 0) {
      const { tenant, action } = record;
      const { principal, context } = call;
      const query = { mode: "call", tenant, action, server: server.id, principal, context } as const;
      const { effect, reasons, errors } = this.#evaluator.decide(query);
      // What does not fit the schema was checked by another definition.
      if (errors.some(({ policy }) => policy === ENGINE_FAULT))
        return { kind: "open", missing: [OTHER_DEFINITION] };
      return { kind: "decided", effect, reasons, isComplete: true, unneeded: [] };
    }
    if (partial === undefined) return { kind: "open", missing };
    try {
      const { effect, reasons, isComplete, missing: needed } = partial.decide(call);
      if (effect === undefined) return { kind: "open", missing: needed };
      return { kind: "decided", effect, reasons, isComplete, unneeded: missing };
    } catch {
      // What cannot be judged is never guessed.
      return { kind: "open", missing };
    }
  }

  /** This version checked the arguments, or has the definition by which they were checked. */
  #accepts({ digest, action, facts }: RecordedDecision): boolean {
    if (digest === this.input.digest) return true;
    const definitions = this.#leaves.get(action)?.leaf.definitions ?? [];
    if (facts?.definition === undefined) return definitions.length === 0;
    return definitions.some((definition) => definition.digest === facts.definition);
  }

  #acceptsAs(record: RecordedDecision, other: ReplaySide): boolean {
    const own = this.#leaves.get(record.action);
    const theirs = other.leaf(record.action);
    if (own === undefined || theirs === undefined || !other.#accepts(record)) return false;
    return sameValidation(own.leaf.argumentsProgram, theirs.leaf.argumentsProgram);
  }

  /** Undefined where the tenant has no policies for the leaf: then nothing permits it. */
  #compile(
    record: RecordedDecision,
    { leaf, server }: SideLeaf,
    other: ReplaySide,
  ): CompiledLeaf | undefined {
    const { tenant, action, digest } = record;
    const trustsElements = [this, other].some(
      (side) => side.input.digest === digest && side.#sees(tenant, action) === this.#sees(tenant, action),
    );
    const id = `${trustsElements ? "trusted" : "open"}\0${key(tenant, action)}`;
    if (this.#compiled.has(id)) return this.#compiled.get(id);
    const slice = this.#slices.get(key(tenant, action));
    const compiled =
      slice === undefined ? undefined : this.#compileSlice(slice, leaf, server, trustsElements);
    this.#compiled.set(id, compiled);
    return compiled;
  }

  #compileSlice(
    slice: Slice,
    leaf: LeafEntry,
    server: ServerEntry,
    trustsElements: boolean,
  ): CompiledLeaf | undefined {
    const { content } = this.input;
    const schema = content.policies.schemas[slice.schema];
    if (schema === undefined) return undefined;
    const reads = factReads(content, slice, leaf, "enforced");
    const shape = {
      ...{ slice, leaf, server: server.id, reads, view: viewSchema(schema) },
      ...{ resources: this.#resources, trustsElements },
    };
    try {
      return { shape, partial: compilePartialSlice(content, slice, server) };
    } catch (fault) {
      if (!(fault instanceof UnsupportedConstruct)) throw fault;
      return { shape, partial: undefined };
    }
  }

  /** How arguments are projected, as one text. */
  #sees(tenant: TenantId, action: LeafAction): string {
    const slice = this.#slices.get(key(tenant, action));
    const program = slice?.shadowFacts?.argumentsProgram ?? slice?.argumentsProgram;
    return canonicalJson(program ?? this.#leaves.get(action)?.leaf.argumentsProgram ?? null);
  }
}

function refused(code: string): SideAnswer {
  return { kind: "decided", effect: "deny", reasons: [], code, isComplete: true, unneeded: [] };
}

function key(tenant: TenantId, action: LeafAction): string {
  return `${tenant}\0${action}`;
}
