// From a named call to a decision. The gateway, policy tests, plan, explain and golden vectors all decide here.
import { annotationsOf } from "#bundle";
import type {
  BundleContent,
  LeafAction,
  LeafEntry,
  PrincipalFacts,
  RequestFacts,
  ServerId,
  ShadowFacts,
  TenantId,
  ToolAnnotations,
} from "#bundle";
import { TrustError } from "#errors";
import { createFactProgram, createSqlReader } from "#facts";
import type { DerivedFacts, DerivedOutcome, FactProgram, FactResources, Matcher, SqlReader } from "#facts";
import { compileProgram, validateAndProject } from "#schema";
import type { CompiledProgram } from "#schema";
import { Turn } from "#std";
import type { JsonObject } from "#std";
import type { createCedarPdp } from "./cedar-engine.ts";
import { bareContext, buildContext, requestVisibility, visibilityContext } from "./context.ts";
import type { BareContext } from "./context.ts";
import { createInterpretedPdp } from "./interpreted-engine.ts";
import { engineFault } from "./decisions.ts";
import type { Decision, DecisionQuery, Pdp, ShadowContext } from "./pdp.ts";
import { REQUEST_MEMBERS, requestContext } from "./request-context.ts";
import type { RequestMember } from "./request-context.ts";
import { viewSchema } from "./schema-view.ts";

/** A call that is ready to be decided, or why it cannot be. `detail` never quotes an argument value. */
export type PreparedCall =
  | { readonly ok: true; readonly query: DecisionQuery }
  | {
      readonly ok: false;
      readonly code: "ARGUMENTS_INVALID" | "ARGUMENTS_NOT_REPRESENTABLE" | "POLICY_ERROR" | "TARGET_UNKNOWN";
      readonly detail: string;
    };

/** One call as it arrived. */
export interface CallInput {
  readonly tenant: TenantId;
  readonly action: LeafAction;
  readonly arguments: JsonObject;
  readonly principal: PrincipalFacts;
  readonly request: RequestFacts;
  readonly signal: AbortSignal;
}

export interface Evaluator {
  readonly leaf: (action: LeafAction) => LeafEntry | undefined;
  /** Validates and projects the arguments and derives facts. Never throws or rejects; async only for long SQL. */
  readonly prepare: (call: CallInput) => PreparedCall | Promise<PreparedCall>;
  readonly decide: (query: DecisionQuery) => Decision;
  /** True where a call of this request could be allowed with some arguments: an over-approximation, for lists. */
  readonly visible: (
    tenant: TenantId,
    action: LeafAction,
    principal: PrincipalFacts,
    request: RequestFacts,
  ) => boolean;
  /** Releases the engine and the SQL worker; every later decision is a denial. */
  readonly dispose: () => void;
}

export interface EvaluatorOptions {
  readonly signal?: AbortSignal;
  /** Time the worker has for one long SQL statement; off the gateway's path a longer one keeps verdicts stable. */
  readonly sqlParseLimitMs?: number;
  /** Makes the engine; the interpreter, with cedar-wasm beside it, where absent. */
  readonly createPdp?: typeof createCedarPdp;
}

interface CompiledLeaf {
  readonly entry: LeafEntry;
  readonly server: ServerId;
  readonly program: CompiledProgram;
}

interface CompiledSlice {
  readonly facts: FactProgram;
  /** Absent where the slice projects what the leaf does. */
  readonly program: CompiledProgram | undefined;
  /** What the policies of the slice read of the request itself. */
  readonly request: readonly RequestMember[];
  readonly annotations: ToolAnnotations | undefined;
  readonly hasShadow: boolean;
  /** Present where policies in shadow mode read more than the enforced ones. */
  readonly shadow: ShadowSlice | undefined;
  readonly visibility: JsonObject | undefined;
  /** What is visible depends on the request itself. */
  readonly seesRequest: boolean;
}

/** What makes the context of a shadow decision. */
interface ShadowSlice {
  readonly program: CompiledProgram;
  /** Further to the facts of the slice. */
  readonly facts: FactProgram;
  readonly request: readonly RequestMember[];
  readonly annotations: ToolAnnotations | undefined;
}

/** Work between two turns of the event loop while a bundle is compiled. */
const turnBudgetMs = 4;

/**
 * Compiles everything a decision needs. Throws TrustError BUNDLE_INVALID where a program, pattern, slice or policy
 * cannot be compiled, and the signal's reason on abort.
 */
export async function createEvaluator(
  content: Pick<BundleContent, "registry" | "policies">,
  options: EvaluatorOptions = {},
): Promise<Evaluator> {
  const turn = new Turn(turnBudgetMs, options.signal);
  const leaves = await compileLeaves(content, turn);
  const sql = await createSqlReader(
    options.sqlParseLimitMs === undefined ? {} : { parseLimitMs: options.sqlParseLimitMs },
  );
  try {
    const slices = await compileSlices(content, leaves, sql, turn);
    const pdpOptions = options.signal === undefined ? {} : { signal: options.signal };
    const pdp = await (options.createPdp ?? createInterpretedPdp)(
      content.policies,
      content.registry,
      pdpOptions,
    );
    return evaluator(leaves, slices, pdp, sql);
  } catch (cause) {
    sql.dispose();
    throw cause;
  }
}

function evaluator(
  leaves: ReadonlyMap<LeafAction, CompiledLeaf>,
  slices: ReadonlyMap<string, CompiledSlice>,
  pdp: Pdp,
  sql: SqlReader,
): Evaluator {
  const visibility = new Visibility(leaves, slices, pdp);
  return {
    leaf: (action) => leaves.get(action)?.entry,
    prepare: (call) => {
      const leaf = leaves.get(call.action);
      if (leaf === undefined)
        return { ok: false, code: "TARGET_UNKNOWN", detail: "no such approved definition" };
      try {
        return prepareCall(leaf, slices.get(sliceKey(call.tenant, call.action)), call);
      } catch {
        return { ok: false, code: "POLICY_ERROR", detail: "the call could not be prepared for the decision" };
      }
    },
    decide: (query) => {
      const decision = pdp.decide(query);
      if (slices.get(sliceKey(query.tenant, query.action))?.hasShadow !== true) return decision;
      return { ...decision, shadow: decideShadow(pdp, query) };
    },
    visible: (tenant, action, principal, request) => {
      try {
        return visibility.visible(tenant, action, principal, request);
      } catch {
        return false;
      }
    },
    dispose: () => {
      visibility.dispose();
      pdp.dispose();
      sql.dispose();
    },
  };
}

/**
 * What a caller may see mostly depends only on the caller, and lists ask it of every leaf: such answers are kept for as
 * long as the caller's facts are, which is the life of a verified token at most.
 */
class Visibility {
  readonly #leaves: ReadonlyMap<LeafAction, CompiledLeaf>;
  readonly #slices: ReadonlyMap<string, CompiledSlice>;
  readonly #pdp: Pdp;
  #known = new WeakMap<PrincipalFacts, Map<string, boolean>>();

  constructor(
    leaves: ReadonlyMap<LeafAction, CompiledLeaf>,
    slices: ReadonlyMap<string, CompiledSlice>,
    pdp: Pdp,
  ) {
    this.#leaves = leaves;
    this.#slices = slices;
    this.#pdp = pdp;
  }

  visible(tenant: TenantId, action: LeafAction, principal: PrincipalFacts, request: RequestFacts): boolean {
    const key = sliceKey(tenant, action);
    const leaf = this.#leaves.get(action);
    const slice = this.#slices.get(key);
    if (leaf === undefined || slice?.visibility === undefined) return false;
    const { server } = leaf;
    if (slice.seesRequest) {
      const context = requestVisibility(slice.visibility, slice.request, request);
      const query = { mode: "visibility", tenant, action, server, principal, context } as const;
      return this.#pdp.decide(query).effect === "allow";
    }
    const context = slice.visibility;
    const known = this.#known.get(principal) ?? new Map<string, boolean>();
    const before = known.get(key);
    if (before !== undefined) return before;
    const query = { mode: "visibility", tenant, action, server, principal, context } as const;
    const decision = this.#pdp.decide(query);
    const answer = decision.effect === "allow";
    if (decision.errors.length > 0) return answer;
    known.set(key, answer);
    this.#known.set(principal, known);
    return answer;
  }

  dispose(): void {
    this.#known = new WeakMap();
  }
}

function prepareCall(
  leaf: CompiledLeaf,
  slice: CompiledSlice | undefined,
  call: CallInput,
): PreparedCall | Promise<PreparedCall> {
  const projection = validateAndProject(slice?.program ?? leaf.program, call.arguments);
  if (!projection.ok) {
    const { code, path, message } = projection;
    return { ok: false, code, detail: path === "" ? message : `${path} ${message}` };
  }
  const bare = bareContext(leaf.entry, leaf.server, projection);
  const request = {
    ...requestContext(slice?.request ?? [], call.request),
    ...(slice?.annotations === undefined ? {} : { annotations: { ...slice.annotations } }),
  };
  const none: DerivedOutcome = { ok: true, facts: { _m: {}, _d: {} } };
  const derived = slice === undefined ? none : slice.facts.derive(bare, call.principal, call.signal);
  const known = { leaf, call, bare, request, shadow: slice?.shadow };
  if (!(derived instanceof Promise)) return withFacts(known, derived);
  return derived.then((outcome) => withFacts(known, outcome));
}

/** A call whose arguments are projected. */
interface BareCall {
  readonly leaf: CompiledLeaf;
  readonly call: CallInput;
  readonly bare: BareContext;
  readonly request: JsonObject;
  readonly shadow: ShadowSlice | undefined;
}

function withFacts(known: BareCall, derived: DerivedOutcome): PreparedCall | Promise<PreparedCall> {
  const { leaf, call, shadow } = known;
  if (!derived.ok) return { ok: false, code: "ARGUMENTS_NOT_REPRESENTABLE", detail: derived.detail };
  const { tenant, principal } = call;
  const context = buildContext(known.bare, known.request, derived.facts);
  const query = {
    mode: "call",
    tenant,
    action: leaf.entry.action,
    server: leaf.server,
    principal,
    context,
  } as const;
  if (shadow === undefined) return { ok: true, query };
  const later = shadowContext(known, shadow, derived.facts);
  if (!(later instanceof Promise)) return { ok: true, query: { ...query, shadow: later } };
  return later.then((ready) => ({ ok: true, query: { ...query, shadow: ready } }));
}

/** Never throws or rejects: what only a policy in shadow mode reads must not refuse a call. */
function shadowContext(
  { call, bare, request }: BareCall,
  shadow: ShadowSlice,
  facts: DerivedFacts,
): ShadowContext | Promise<ShadowContext> {
  const failed = (): ShadowContext => ({ ok: false, detail: "the facts could not be computed" });
  try {
    const projection = validateAndProject(shadow.program, call.arguments);
    if (!projection.ok) return { ok: false, detail: `${projection.path} ${projection.message}`.trim() };
    const seen = { ...bare, arguments: projection.projected };
    const members = {
      ...request,
      ...requestContext(shadow.request, call.request),
      ...(shadow.annotations === undefined ? {} : { annotations: { ...shadow.annotations } }),
    };
    const finish = (more: DerivedOutcome): ShadowContext => {
      if (!more.ok) return more;
      const all = { _m: { ...facts._m, ...more.facts._m }, _d: { ...facts._d, ...more.facts._d } };
      return { ok: true, context: buildContext(seen, members, all) };
    };
    const derived = shadow.facts.derive(seen, call.principal, call.signal);
    return derived instanceof Promise ? derived.then(finish).catch(failed) : finish(derived);
  } catch {
    return failed();
  }
}

/** What enforcing the policies in shadow mode would decide. Without their facts the call would be refused. */
function decideShadow(pdp: Pdp, { shadow, ...query }: DecisionQuery): Decision {
  if (shadow === undefined) return pdp.decide({ ...query, mode: "shadow" });
  if (!shadow.ok) return engineFault(`a policy in shadow mode lacks a fact: ${shadow.detail}`);
  return pdp.decide({ ...query, mode: "shadow", context: shadow.context });
}

async function compileLeaves(
  content: Pick<BundleContent, "registry">,
  turn: Turn,
): Promise<ReadonlyMap<LeafAction, CompiledLeaf>> {
  const leaves = new Map<LeafAction, CompiledLeaf>();
  for (const server of content.registry.servers) {
    for (const entry of server.leaves) {
      if (leaves.has(entry.action))
        throw new TrustError("BUNDLE_INVALID", `two definitions of ${entry.action}`);
      const program = compiledOrInvalid(`arguments of ${entry.action}`, () =>
        compileProgram(entry.argumentsProgram),
      );
      leaves.set(entry.action, { entry, server: server.id, program });
      await turn.pause();
    }
  }
  return leaves;
}

async function compileSlices(
  content: Pick<BundleContent, "policies">,
  leaves: ReadonlyMap<LeafAction, CompiledLeaf>,
  sql: SqlReader,
  turn: Turn,
): Promise<ReadonlyMap<string, CompiledSlice>> {
  const matchers = new Map<string, Matcher>();
  const slices = new Map<string, CompiledSlice>();
  const readers = contextReaders(content.policies);
  for (const slice of content.policies.slices) {
    const { tenant, action, schema, shadow, shadowFacts, derivations, argumentsProgram } = slice;
    const leaf = leaves.get(action);
    const schemaJson = Object.hasOwn(content.policies.schemas, schema)
      ? content.policies.schemas[schema]
      : undefined;
    const facts = compiledOrInvalid(`derivations of ${action}`, () =>
      createFactProgram(derivations, { sql, matchers }),
    );
    const view = schemaJson === undefined ? undefined : viewSchema(schemaJson);
    const members = membersOf(view, action, leaf);
    const witness = view?.witnessContext(action);
    const visibility =
      leaf === undefined || witness === undefined
        ? undefined
        : visibilityContext(leaf.entry, leaf.server, witness);
    const program =
      argumentsProgram === undefined
        ? undefined
        : compiledOrInvalid(`arguments of ${tenant} ${action}`, () => compileProgram(argumentsProgram));
    slices.set(sliceKey(tenant, action), {
      facts,
      program,
      ...members,
      hasShadow: shadow.length > 0,
      shadow:
        shadowFacts === undefined || leaf === undefined
          ? undefined
          : shadowSlice(content, { ...leaf, program: program ?? leaf.program }, shadowFacts, {
              sql,
              matchers,
            }),
      visibility,
      seesRequest: slice.visibility.some(({ residual }) => readers.has(residual)),
    });
    await turn.pause();
  }
  return slices;
}

/** Residuals that read the context, which for visibility is the request itself. A literal has its quotes escaped. */
function contextReaders({ residuals, slices }: BundleContent["policies"]): ReadonlySet<string> {
  const asked = new Set(slices.flatMap(({ visibility }) => visibility.map(({ residual }) => residual)));
  return new Set(
    [...asked].filter((digest) => JSON.stringify(residuals[digest])?.includes('"Var":"context"')),
  );
}

function membersOf(
  view: ReturnType<typeof viewSchema> | undefined,
  action: LeafAction,
  leaf: CompiledLeaf | undefined,
): Pick<CompiledSlice, "request" | "annotations"> {
  const declared = view?.contextMembers(action) ?? new Set<string>();
  return {
    request: REQUEST_MEMBERS.filter((name) => declared.has(name)),
    annotations: declared.has("annotations") && leaf !== undefined ? annotationsOf(leaf.entry) : undefined,
  };
}

function shadowSlice(
  { policies }: Pick<BundleContent, "policies">,
  leaf: CompiledLeaf,
  { schema, derivations, argumentsProgram }: ShadowFacts,
  resources: FactResources,
): ShadowSlice {
  const { action } = leaf.entry;
  const json = Object.hasOwn(policies.schemas, schema) ? policies.schemas[schema] : undefined;
  return compiledOrInvalid(`shadow facts of ${action}`, () => ({
    program: argumentsProgram === undefined ? leaf.program : compileProgram(argumentsProgram),
    facts: createFactProgram(derivations, resources),
    ...membersOf(json === undefined ? undefined : viewSchema(json), action, leaf),
  }));
}

function compiledOrInvalid<T>(what: string, compile: () => T): T {
  try {
    return compile();
  } catch (cause) {
    throw new TrustError("BUNDLE_INVALID", `${what} cannot be compiled`, { cause });
  }
}

function sliceKey(tenant: TenantId, action: LeafAction): string {
  return `${tenant}\0${action}`;
}
