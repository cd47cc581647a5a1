// The PDP on the closure interpreter, with cedar-wasm beside it: for slices with a construct the interpreter does not
// have, and as the reference that a sample of live decisions is checked against. A difference denies, is reported, and
// leaves the slice to cedar-wasm from then on.
import type { PolicySection, RegistrySection, TenantId } from "#bundle";
import { Turn, isJsonObject } from "#std";
import type { JsonObject } from "#std";
import { createCedarPdp } from "./cedar-engine.ts";
import type { CedarPdpOptions } from "./cedar-engine.ts";
import { principalEntity, serverEntity, tenantsOf } from "./cedar-request.ts";
import { engineFault } from "./decisions.ts";
import { Callers } from "./interpreter/callers.ts";
import { compileSlice } from "./interpreter/compile-slice.ts";
import type { CompiledSlice } from "./interpreter/compile-slice.ts";
import { OPERATORS } from "./interpreter/operators.ts";
import { compileEntityTypes, entityTypesText } from "./interpreter/request-types.ts";
import { ReferenceOnly, UnsupportedConstruct } from "./interpreter/unsupported.ts";
import type { Decision, DecisionQuery, Pdp } from "./pdp.ts";
import { viewSchema } from "./schema-view.ts";

/** What a cross-check found; no argument values in it. */
export interface DecisionDifference {
  readonly action: string;
  readonly mode: string;
  readonly interpreted: Pick<Decision, "effect" | "reasons">;
  readonly reference: Pick<Decision, "effect" | "reasons">;
}

export interface InterpretedPdpOptions extends CedarPdpOptions {
  /** One decision in this many is decided by cedar-wasm too; 1 checks all, 0 none. Default 256. */
  readonly crossCheckEvery?: number;
  /** Must not throw. */
  readonly onDifference?: (difference: DecisionDifference) => void;
}

export interface InterpretedPdp extends Pdp {
  /** Slices decided by the interpreter and by cedar-wasm, for status and tests. */
  readonly coverage: () => { readonly interpreted: number; readonly reference: number };
}

const CROSS_CHECK_EVERY = 256;
/** Work between two turns of the event loop while the slices are compiled. */
const turnBudgetMs = 4;

/** As `createCedarPdp`; throws what it throws. */
export async function createInterpretedPdp(
  policies: PolicySection,
  registry: RegistrySection,
  options: InterpretedPdpOptions = {},
): Promise<InterpretedPdp> {
  const slices = await compileSlices(policies, registry, new Turn(turnBudgetMs, options.signal));
  const reference = await createCedarPdp(policies, registry, {
    ...options,
    isSpare: ({ tenant, action }) => slices.has(sliceKey(tenant, action)),
  });
  const total = policies.slices.length;
  const crossCheckEvery = options.crossCheckEvery ?? CROSS_CHECK_EVERY;
  let disposed = false;
  let countdown = crossCheckEvery;
  return {
    decide: (query) => {
      if (disposed) return engineFault("the policy engine is disposed");
      const key = sliceKey(query.tenant, query.action);
      const slice = slices.get(key);
      if (slice === undefined) return reference.decide(query);
      const decision = interpret(slice, query);
      if (decision === undefined) return reference.decide(query);
      countdown -= 1;
      if (countdown !== 0) return decision;
      countdown = crossCheckEvery;
      const expected = reference.decide(query);
      if (isSame(decision, expected)) return decision;
      slices.delete(key);
      options.onDifference?.(describeDifference(query, decision, expected));
      return engineFault("the policy engines disagree");
    },
    dispose: () => {
      disposed = true;
      reference.dispose();
    },
    coverage: () => ({ interpreted: slices.size, reference: total - slices.size }),
  };
}

async function compileSlices(
  policies: PolicySection,
  registry: RegistrySection,
  turn: Turn,
): Promise<Map<string, CompiledSlice>> {
  const servers = new Map(
    registry.servers.flatMap((server) => server.leaves.map((leaf) => [leaf.action, server])),
  );
  const slices = new Map<string, CompiledSlice>();
  const callersOf = sharedCallers(tenantsOf(policies.slices));
  for (const slice of policies.slices) {
    await turn.pause();
    const server = servers.get(slice.action);
    const schema = policies.schemas[slice.schema];
    if (server === undefined || !isJsonObject(schema)) continue;
    const compiled = unlessUnsupported(() =>
      compileSlice(slice, policies, schema, {
        server: serverEntity(server, viewSchema(schema)),
        callers: callersOf(schema),
      }),
    );
    if (compiled !== undefined) slices.set(sliceKey(slice.tenant, slice.action), compiled);
  }
  return slices;
}

/** One for all schemas with the same entity types; it throws UnsupportedConstruct. */
function sharedCallers(tenants: ReadonlySet<TenantId>): (schema: JsonObject) => Callers {
  const shared = new Map<string, Callers>();
  return (schema) => {
    const text = entityTypesText(schema);
    const known = shared.get(text);
    if (known !== undefined) return known;
    const view = viewSchema(schema);
    const callers = new Callers(compileEntityTypes(schema, OPERATORS), (facts) =>
      principalEntity(facts, view, tenants),
    );
    shared.set(text, callers);
    return callers;
  };
}

/** Undefined where the slice has a construct the interpreter does not have. */
function unlessUnsupported(compile: () => CompiledSlice): CompiledSlice | undefined {
  try {
    return compile();
  } catch (fault) {
    if (fault instanceof UnsupportedConstruct) return undefined;
    throw fault;
  }
}

/** Undefined where the request has a form that only cedar-wasm reads. */
function interpret(slice: CompiledSlice, query: DecisionQuery): Decision | undefined {
  if (query.tenant !== query.principal.tenant) return engineFault("the principal belongs to another tenant");
  if (slice.server !== query.server) return engineFault("the server does not offer this action");
  try {
    return slice.decide(query);
  } catch (fault) {
    if (fault instanceof ReferenceOnly) return undefined;
    return engineFault(`the policy engine failed: ${fault instanceof Error ? fault.name : "unknown fault"}`);
  }
}

/** Effect, reasons and erroring policies; the wording of an error is each engine's own. */
function isSame(left: Decision, right: Decision): boolean {
  const facts = ({ effect, reasons, errors }: Decision): string =>
    JSON.stringify([effect, reasons, errors.map(({ policy }) => policy)]);
  return facts(left) === facts(right);
}

function describeDifference(
  query: DecisionQuery,
  interpreted: Decision,
  reference: Decision,
): DecisionDifference {
  const outline = ({ effect, reasons }: Decision): Pick<Decision, "effect" | "reasons"> => ({
    effect,
    reasons,
  });
  return {
    action: query.action,
    mode: query.mode,
    interpreted: outline(interpreted),
    reference: outline(reference),
  };
}

function sliceKey(tenant: string, action: string): string {
  return `${tenant}\0${action}`;
}
