// One slice to closures: request validation, both policy sets, and the decision as Cedar takes it.
import type { PolicySection, PrincipalFacts, Slice, SlicePolicy } from "#bundle";
import { isJsonObject } from "#std";
import type { JsonObject, JsonValue } from "#std";
import type { CedarEntity } from "../cedar-request.ts";
import { isCedarSafe } from "../cedar-request.ts";
import { denial, engineFault } from "../decisions.ts";
import type { Decision, DecisionMode, DecisionQuery, PolicyEvaluationError } from "../pdp.ts";
import { compilePolicy } from "./compile-policy.ts";
import type { CompiledPolicy } from "./compile-policy.ts";
import { compileRecordType } from "./conformance.ts";
import type { Conforms } from "./conformance.ts";
import type { Frame, KnownEntity } from "./frame.ts";
import { UnsupportedConstruct } from "./unsupported.ts";
import { EntityValue, EvaluationError, RecordValue, entityKey, valueOf } from "./values.ts";

export interface CompiledSlice {
  readonly server: string;
  readonly decide: (query: DecisionQuery) => Decision;
}

export interface SliceEntities {
  readonly server: CedarEntity;
  /** Undefined where the caller cannot be represented. */
  readonly principalOf: (facts: PrincipalFacts) => CedarEntity | undefined;
}

interface NamedPolicy extends CompiledPolicy {
  readonly id: string;
}

/** Who is calling, as the frame needs it; undefined where the principal does not have the declared shape. */
interface Caller {
  readonly entity: EntityValue;
  readonly entities: ReadonlyMap<string, KnownEntity>;
}

/** @throws {UnsupportedConstruct} where a policy or the schema has a construct the interpreter does not have */
export function compileSlice(
  slice: Slice,
  policies: PolicySection,
  schema: JsonObject,
  entities: SliceEntities,
): CompiledSlice {
  const sets: Readonly<Record<DecisionMode, readonly NamedPolicy[]>> = {
    call: compileSet(slice.call, policies),
    visibility: compileSet(slice.visibility, policies),
  };
  const types = readTypes(schema, slice.action);
  const resource = new EntityValue(entities.server.uid.type, entities.server.uid.id);
  const server = knownEntity(entities.server);
  // Facts are immutable and live as long as a verified token: what they become is computed once.
  const callers = new WeakMap<PrincipalFacts, { readonly caller: Caller | undefined }>();
  const callerOf = (facts: PrincipalFacts): Caller | undefined => {
    const known = callers.get(facts);
    if (known !== undefined) return known.caller;
    const caller = buildCaller(entities.principalOf(facts), types.principal, resource.key, server);
    callers.set(facts, { caller });
    return caller;
  };
  return {
    server: entities.server.uid.id,
    decide: (query) => {
      const caller = callerOf(query.principal);
      if (caller === undefined || !types.context(query.context))
        return engineFault("the request does not fit the schema");
      const context = new RecordValue(query.context);
      return decide(sets[query.mode], {
        principal: caller.entity,
        resource,
        context,
        entities: caller.entities,
      });
    },
  };
}

function decide(policies: readonly NamedPolicy[], frame: Frame): Decision {
  const permits: string[] = [];
  const forbids: string[] = [];
  const errors: PolicyEvaluationError[] = [];
  for (const policy of policies) {
    try {
      if (policy.isSatisfied(frame)) (policy.effect === "permit" ? permits : forbids).push(policy.id);
    } catch (fault) {
      if (!(fault instanceof EvaluationError)) throw fault;
      errors.push({ policy: policy.id, message: fault.message });
    }
  }
  const isAllowed = forbids.length === 0 && permits.length > 0;
  if (errors.length > 0) return { effect: "deny", reasons: isAllowed ? [] : forbids, errors };
  return isAllowed ? { effect: "allow", reasons: permits, errors: [] } : denial(forbids);
}

/** Sorted by id, so that reasons and errors come out sorted. */
function compileSet(policies: readonly SlicePolicy[], section: PolicySection): readonly NamedPolicy[] {
  return policies
    .map(({ id, residual }) => {
      const body = section.residuals[residual];
      if (!isJsonObject(body)) throw new UnsupportedConstruct("residual");
      return { id, ...compilePolicy(body) };
    })
    .sort((a, b) => (a.id < b.id ? -1 : 1));
}

function buildCaller(
  principal: CedarEntity | undefined,
  conforms: Conforms,
  serverKey: string,
  server: KnownEntity,
): Caller | undefined {
  if (principal === undefined || !isCedarSafe(principal)) return undefined;
  if (!conforms(principal.attrs as unknown as JsonValue)) return undefined;
  const entity = new EntityValue(principal.uid.type, principal.uid.id);
  return {
    entity,
    entities: new Map([
      [serverKey, server],
      [entity.key, knownEntity(principal)],
    ]),
  };
}

function knownEntity(entity: CedarEntity): KnownEntity {
  return {
    attributes: new Map(
      Object.entries(entity.attrs).map(([name, value]) => [name, valueOf(value as JsonValue)]),
    ),
    ancestors: new Set(entity.parents.map((parent) => entityKey(parent.type, parent.id))),
  };
}

/** The declared shapes of the principal and the context. @throws {UnsupportedConstruct} */
function readTypes(
  schema: JsonObject,
  action: string,
): { readonly principal: Conforms; readonly context: Conforms } {
  const fragment = schema[""];
  const entityTypes = isJsonObject(fragment) ? fragment["entityTypes"] : undefined;
  const actions = isJsonObject(fragment) ? fragment["actions"] : undefined;
  const user = isJsonObject(entityTypes) ? entityTypes["User"] : undefined;
  const entry = isJsonObject(actions) ? actions[action] : undefined;
  const appliesTo = isJsonObject(entry) ? entry["appliesTo"] : undefined;
  const shape = isJsonObject(user) ? (user["shape"] ?? { type: "Record", attributes: {} }) : undefined;
  const context = isJsonObject(appliesTo) ? appliesTo["context"] : undefined;
  if (!isJsonObject(shape) || !isJsonObject(context)) throw new UnsupportedConstruct("schema");
  if (isJsonObject(fragment) && isJsonObject(fragment["commonTypes"]))
    throw new UnsupportedConstruct("common types");
  return { principal: compileRecordType(shape), context: compileRecordType(context) };
}
