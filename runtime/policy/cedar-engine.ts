// The PDP on cedar-wasm, one instance per bundle generation. Allow ⇔ Cedar says allow ∧ no policy errored ∧ a permit
// is named; every other outcome, a throw included, is a denial.
import { createHash } from "node:crypto";
import type {
  Digest,
  LeafAction,
  PolicySection,
  RegistrySection,
  Slice,
  SlicePolicy,
  TenantId,
} from "#bundle";
import { TrustError } from "#errors";
import { Turn } from "#std";
import type { JsonObject } from "#std";
import { isCedarSafe, principalEntity, serverEntity, tenantsOf } from "./cedar-request.ts";
import type { CedarEntity } from "./cedar-request.ts";
import { createCedarInstance, prepareCedar } from "./cedar-instance.ts";
import type { CedarInstance } from "./cedar-instance.ts";
import { checkPolicies, checkSchemas } from "./cedar-validation.ts";
import type { NamedJson } from "./cedar-validation.ts";
import { denial, engineFault, readableCause } from "./decisions.ts";
import type { Decision, DecisionMode, DecisionQuery, Pdp } from "./pdp.ts";
import { viewSchema } from "./schema-view.ts";
import type { SchemaView } from "./schema-view.ts";

/** A throwing call leaks wasm stack; an instance dies after some 1,400 of them. */
const maxThrowsPerInstance = 64;
/** Work between two turns of the event loop while a generation is prepared. */
const turnBudgetMs = 4;

export interface CedarPdpOptions {
  readonly signal?: AbortSignal;
  /**
   * True for a slice that another engine decides: its schema and policies are checked now, and parsed by themselves at the
   * first decision that is asked of this one.
   */
  readonly isSpare?: (slice: Slice) => boolean;
  readonly createInstance?: () => CedarInstance;
}

interface PreparedSlice {
  readonly action: LeafAction;
  readonly schemas: Readonly<Record<DecisionMode, Digest>>;
  readonly schema: SchemaView;
  readonly server: CedarEntity;
  readonly sets: Readonly<Record<DecisionMode, PolicySet>>;
  readonly isSpare: boolean;
}

interface PolicySet {
  /** Content address, so that slices with equal policies share one parsed set. */
  readonly id: string;
  readonly policies: readonly SlicePolicy[];
}

/** An instance and what it holds parsed. */
interface Engine {
  readonly cedar: CedarInstance;
  readonly parsed: Set<string>;
  throws: number;
}

/**
 * Prepares every slice, yielding to the event loop, and returns the PDP of this bundle generation.
 * Throws TrustError BUNDLE_INVALID where a slice, schema or residual cannot be used, and the signal's reason on abort.
 */
export async function createCedarPdp(
  policies: PolicySection,
  registry: RegistrySection,
  options: CedarPdpOptions = {},
): Promise<Pdp> {
  await prepareCedar();
  const createInstance = options.createInstance ?? createCedarInstance;
  const turn = new Turn(turnBudgetMs, options.signal);
  const slices = await indexSlices(policies, registry, options.isSpare ?? (() => false), turn);
  const pdp = new CedarPdp(policies, slices, createInstance);
  const spare: PreparedSlice[] = [];
  for (const slice of slices.values()) {
    if (slice.isSpare) spare.push(slice);
    else {
      for (const mode of modesOf(slice)) {
        await turn.pause();
        pdp.prepare(slice, mode);
      }
    }
  }
  if (spare.length > 0) await checkSlices(policies, spare, createInstance(), turn);
  return { decide: (query) => pdp.decide(query), dispose: () => pdp.dispose() };
}

function modesOf(slice: PreparedSlice): readonly DecisionMode[] {
  return slice.sets.shadow.policies.length === 0 ? ["call", "visibility"] : ["call", "visibility", "shadow"];
}

/** Every schema and policy of the slices, each once. Throws TrustError BUNDLE_INVALID. */
async function checkSlices(
  policies: PolicySection,
  slices: readonly PreparedSlice[],
  cedar: CedarInstance,
  turn: Turn,
): Promise<void> {
  const schemas = new Map<Digest, NamedJson>();
  const residuals = new Map<Digest, NamedJson>();
  for (const slice of slices) {
    await turn.pause();
    for (const mode of modesOf(slice)) {
      const digest = slice.schemas[mode];
      if (!schemas.has(digest)) {
        schemas.set(digest, { what: `schema of ${slice.action}`, json: ownEntry(policies.schemas, digest) });
      }
      for (const { residual } of slice.sets[mode].policies) {
        if (residuals.has(residual)) continue;
        const json = ownEntry(policies.residuals, residual);
        residuals.set(residual, { what: `policies of ${slice.action}`, json });
      }
    }
  }
  await checkSchemas(cedar, schemas.values(), turn);
  await checkPolicies(cedar, [...residuals.values()], turn);
}

class CedarPdp {
  readonly #policies: PolicySection;
  readonly #tenants: ReadonlySet<TenantId>;
  readonly #slices: ReadonlyMap<string, PreparedSlice>;
  readonly #createInstance: () => CedarInstance;
  readonly #decidesAlone: boolean;
  #engine: Engine | undefined;
  #spare: Engine | undefined;

  constructor(
    policies: PolicySection,
    slices: ReadonlyMap<string, PreparedSlice>,
    createInstance: () => CedarInstance,
  ) {
    this.#policies = policies;
    this.#tenants = tenantsOf(policies.slices);
    this.#slices = slices;
    this.#createInstance = createInstance;
    this.#engine = newEngine(createInstance);
    this.#decidesAlone = [...slices.values()].some(({ isSpare }) => !isSpare);
    this.#spare = this.#anotherEngine();
  }

  /** Throws TrustError BUNDLE_INVALID. */
  prepare(slice: PreparedSlice, mode: DecisionMode): void {
    if (this.#engine !== undefined) parseInto(this.#engine, this.#policies, slice, mode);
  }

  decide(query: DecisionQuery): Decision {
    const engine = this.#engine;
    if (engine === undefined) return engineFault("the policy engine is disposed");
    try {
      return this.#ask(engine, query);
    } catch (cause) {
      this.#recover(engine, cause);
      return engineFault(`the policy engine failed: ${readableCause(cause)}`);
    }
  }

  dispose(): void {
    this.#engine = undefined;
    this.#spare = undefined;
  }

  #ask(engine: Engine, query: DecisionQuery): Decision {
    if (query.tenant !== query.principal.tenant)
      return engineFault("the principal belongs to another tenant");
    const slice = this.#slices.get(sliceKey(query.tenant, query.action));
    if (slice === undefined) return denial([]);
    if (slice.server.uid.id !== query.server) return engineFault("the server does not offer this action");
    const principal = principalEntity(query.principal, slice.schema, this.#tenants);
    if (principal === undefined || !isCedarSafe(principal) || !isCedarSafe(query.context)) {
      return engineFault("the request cannot be represented for the policy engine");
    }
    parseInto(engine, this.#policies, slice, query.mode);
    const answer = engine.cedar.statefulIsAuthorized({
      principal: principal.uid,
      action: { type: "Action", id: query.action },
      resource: slice.server.uid,
      context: query.context as never,
      preparsedSchemaName: slice.schemas[query.mode],
      preparsedPolicySetId: slice.sets[query.mode].id,
      validateRequest: true,
      entities: [principal, slice.server] as never,
    });
    return readAnswer(answer);
  }

  // A trap leaves the instance's memory in an unknown state, and every later call on it traps too.
  #recover(engine: Engine, cause: unknown): void {
    engine.throws += 1;
    const trapped = cause instanceof Error && cause.name === "RuntimeError";
    if (this.#engine !== engine || (!trapped && engine.throws < maxThrowsPerInstance)) return;
    try {
      this.#engine = this.#spare ?? newEngine(this.#createInstance);
      this.#spare = undefined;
      this.#spare = this.#anotherEngine();
    } catch {
      // Without a spare the next fault makes an instance on demand; without any instance the engine denies.
    }
  }

  /** Where another engine decides and this one only checks, a fault can wait for an instance made on demand. */
  #anotherEngine(): Engine | undefined {
    return this.#decidesAlone ? newEngine(this.#createInstance) : undefined;
  }
}

function newEngine(createInstance: () => CedarInstance): Engine {
  return { cedar: createInstance(), parsed: new Set(), throws: 0 };
}

function parseInto(engine: Engine, policies: PolicySection, slice: PreparedSlice, mode: DecisionMode): void {
  const set = slice.sets[mode];
  const digest = slice.schemas[mode];
  if (!engine.parsed.has(digest)) {
    const schema = ownEntry(policies.schemas, digest);
    expectParsed(engine.cedar.preparseSchema(digest, schema as never), `schema of ${slice.action}`);
    engine.parsed.add(digest);
  }
  if (!engine.parsed.has(set.id)) {
    const entries = set.policies.map(
      ({ id, residual }) => [id, ownEntry(policies.residuals, residual)] as const,
    );
    const staticPolicies = Object.fromEntries(entries);
    expectParsed(
      engine.cedar.preparsePolicySet(set.id, { staticPolicies } as never),
      `policies of ${slice.action}`,
    );
    engine.parsed.add(set.id);
  }
}

function expectParsed(answer: ReturnType<CedarInstance["preparseSchema"]>, what: string): void {
  if (answer.type === "success") return;
  const first = answer.errors[0]?.message ?? "no message";
  throw new TrustError("BUNDLE_INVALID", `${what} cannot be parsed: ${first}`);
}

function readAnswer(answer: ReturnType<CedarInstance["statefulIsAuthorized"]>): Decision {
  if (answer.type !== "success") {
    return engineFault(`the policy engine refused the request: ${readableCause(answer.errors[0])}`);
  }
  const { decision, diagnostics } = answer.response;
  const reasons = [...diagnostics.reason].sort();
  if (diagnostics.errors.length > 0) {
    const errors = diagnostics.errors.map(({ policyId, error }) => ({
      policy: policyId,
      message: readableCause(error),
    }));
    errors.sort((a, b) => (a.policy < b.policy ? -1 : 1));
    return { effect: "deny", reasons: decision === "deny" ? reasons : [], errors };
  }
  if (decision === "allow" && reasons.length > 0) return { effect: "allow", reasons, errors: [] };
  return denial(decision === "deny" ? reasons : []);
}

async function indexSlices(
  policies: PolicySection,
  registry: RegistrySection,
  isSpare: (slice: Slice) => boolean,
  turn: Turn,
): Promise<ReadonlyMap<string, PreparedSlice>> {
  const serverOf = new Map(
    registry.servers.flatMap((server) => server.leaves.map((leaf) => [leaf.action, server])),
  );
  const views = new Map<Digest, SchemaView>();
  const slices = new Map<string, PreparedSlice>();
  for (const slice of policies.slices) {
    await turn.pause();
    const key = sliceKey(slice.tenant, slice.action);
    const server = serverOf.get(slice.action);
    if (server === undefined)
      throw new TrustError("BUNDLE_INVALID", `slice of an unknown action ${slice.action}`);
    if (slices.has(key))
      throw new TrustError("BUNDLE_INVALID", `two slices for ${slice.tenant} ${slice.action}`);
    const schema = views.get(slice.schema) ?? viewSchema(ownEntry(policies.schemas, slice.schema));
    views.set(slice.schema, schema);
    slices.set(key, {
      action: slice.action,
      schemas: {
        call: slice.schema,
        visibility: slice.schema,
        shadow: slice.shadowFacts?.schema ?? slice.schema,
      },
      schema,
      server: serverEntity(server, schema),
      sets: policySets(slice),
      isSpare: isSpare(slice),
    });
  }
  return slices;
}

function policySets(slice: Slice): PreparedSlice["sets"] {
  return {
    call: policySet(slice.call),
    visibility: policySet(slice.visibility),
    shadow: policySet(slice.shadow.length === 0 ? [] : [...slice.call, ...slice.shadow]),
  };
}

function policySet(policies: readonly SlicePolicy[]): PolicySet {
  const hash = createHash("sha256");
  for (const { id, residual } of policies) hash.update(`${residual} ${id}\n`);
  if (new Set(policies.map(({ id }) => id)).size !== policies.length) {
    throw new TrustError("BUNDLE_INVALID", "a slice names one policy twice");
  }
  return { id: `set:${hash.digest("hex")}`, policies };
}

function ownEntry(table: Readonly<Record<Digest, JsonObject>>, digest: Digest): JsonObject {
  const entry = Object.hasOwn(table, digest) ? table[digest] : undefined;
  if (entry === undefined)
    throw new TrustError("BUNDLE_INVALID", `a slice refers to ${digest}, which is absent`);
  return entry;
}

function sliceKey(tenant: TenantId, action: LeafAction): string {
  return `${tenant}\0${action}`;
}
