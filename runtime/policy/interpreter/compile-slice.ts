// One slice to closures: request validation, its policy sets, and the decision as Cedar takes it.
import type { PolicySection, Slice, SlicePolicy } from "#bundle";
import { isJsonObject } from "#std";
import type { JsonObject } from "#std";
import type { CedarEntity } from "../cedar-request.ts";
import { denial, engineFault } from "../decisions.ts";
import type { Decision, DecisionMode, DecisionQuery, PolicyEvaluationError } from "../pdp.ts";
import { CallerFirst } from "./callers.ts";
import type { Callers } from "./callers.ts";
import { compilePolicy } from "./compile-policy.ts";
import type { CompiledPolicy } from "./compile-policy.ts";
import type { Frame } from "./frame.ts";
import { EvaluationError } from "./long.ts";
import { OPERATORS } from "./operators.ts";
import type { OperatorTable } from "./operators.ts";
import { compileRequestTypes } from "./request-types.ts";
import type { RequestTypes } from "./request-types.ts";
import { UnsupportedConstruct } from "./unsupported.ts";
import { EntityValue } from "./values.ts";

export interface CompiledSlice {
  readonly server: string;
  /** @throws {ReferenceOnly} for a request in a form that only cedar-wasm reads */
  readonly decide: (query: DecisionQuery) => Decision;
}

export interface SliceEntities {
  readonly server: CedarEntity;
  /** Those of the entity types of the slice's schema. */
  readonly callers: Callers;
}

export interface NamedPolicy extends CompiledPolicy {
  readonly id: string;
}

/** @throws {UnsupportedConstruct} where a policy or the schema has a construct the interpreter does not have */
export function compileSlice(
  slice: Slice,
  policies: PolicySection,
  schema: JsonObject,
  entities: SliceEntities,
): CompiledSlice {
  const compiled = (set: readonly SlicePolicy[]): readonly NamedPolicy[] =>
    compileSet(set.map(({ id, residual }) => [id, policies.residuals[residual]]));
  const sets: Readonly<Record<DecisionMode, readonly NamedPolicy[]>> = {
    call: compiled(slice.call),
    visibility: compiled(slice.visibility),
    shadow: compiled([...slice.call, ...slice.shadow]),
  };
  const { server, callers } = entities;
  const types = compileRequestTypes(schema, slice.action, OPERATORS, callers.types);
  const contexts: Readonly<Record<DecisionMode, RequestTypes["context"]>> = {
    call: types.context,
    visibility: remembering(types.context),
    shadow: (shadowTypesOf(slice, policies, callers) ?? types).context,
  };
  const resource = new EntityValue(server.uid.type, server.uid.id);
  const others = types.resourceTypes.has(resource.type) ? types.admit([server]) : undefined;
  if (others === undefined) throw new UnsupportedConstruct("server entity");
  return {
    server: server.uid.id,
    decide: (query) => {
      const caller = callers.of(query.principal);
      if (caller === undefined || !types.principalTypes.has(caller.entity.type))
        return engineFault("the request does not fit the schema");
      const context = contexts[query.mode](query.context);
      if (context === undefined) return engineFault("the request does not fit the schema");
      const frame = {
        principal: caller.entity,
        action: types.action,
        resource,
        context,
        entities: new CallerFirst(caller, others),
      };
      return decisionOf(answerSet(sets[query.mode], frame));
    },
  };
}

/** Lists ask about every caller with one and the same context. */
function remembering(read: RequestTypes["context"]): RequestTypes["context"] {
  let last: { readonly json: JsonObject; readonly record: ReturnType<typeof read> } | undefined;
  return (json) => {
    if (last?.json !== json) last = { json, record: read(json) };
    return last.record;
  };
}

/** The types of a shadow decision where they are its own; they differ from the others in the context alone. */
function shadowTypesOf(slice: Slice, policies: PolicySection, { types }: Callers): RequestTypes | undefined {
  if (slice.shadowFacts === undefined) return undefined;
  const schema = policies.schemas[slice.shadowFacts.schema];
  if (!isJsonObject(schema ?? null)) throw new UnsupportedConstruct("form", "schema");
  return compileRequestTypes(schema as JsonObject, slice.action, OPERATORS, types);
}

/** Cedar's own answer: a policy that errors is skipped. `reasons` are the permits of an allow, else the forbids. */
export interface Answer {
  readonly isAllowed: boolean;
  readonly reasons: readonly string[];
  readonly errors: readonly PolicyEvaluationError[];
}

const NO_ERRORS: readonly PolicyEvaluationError[] = [];

/** Evaluates every policy of a set. */
export function answerSet(
  policies: readonly NamedPolicy[],
  frame: Frame,
  table: OperatorTable = OPERATORS,
): Answer {
  const permits: string[] = [];
  const forbids: string[] = [];
  let errors: PolicyEvaluationError[] | undefined;
  for (const policy of policies) {
    try {
      if (policy.isSatisfied(frame)) (policy.effect === "permit" ? permits : forbids).push(policy.id);
    } catch (fault) {
      if (!(fault instanceof EvaluationError)) throw fault;
      (errors ??= []).push({ policy: policy.id, message: fault.message });
    }
  }
  const isAllowed = table.allows(permits, forbids);
  return { isAllowed, reasons: isAllowed ? permits : forbids, errors: errors ?? NO_ERRORS };
}

/** As `Decision` has it: any error denies, whatever Cedar says. */
function decisionOf({ isAllowed, reasons, errors }: Answer): Decision {
  if (errors.length > 0) return { effect: "deny", reasons: isAllowed ? [] : reasons, errors };
  return isAllowed && reasons.length > 0
    ? { effect: "allow", reasons, errors }
    : denial(isAllowed ? [] : reasons);
}

/** Sorted by id, so that reasons and errors come out sorted. @throws {UnsupportedConstruct} */
export function compileSet(
  policies: readonly (readonly [id: string, body: JsonObject | undefined])[],
  table: OperatorTable = OPERATORS,
): readonly NamedPolicy[] {
  return policies
    .map(([id, body]) => {
      if (!isJsonObject(body ?? null)) throw new UnsupportedConstruct("form", "residual");
      return { id, ...compilePolicy(body as JsonObject, table) };
    })
    .sort((a, b) => (a.id < b.id ? -1 : 1));
}
