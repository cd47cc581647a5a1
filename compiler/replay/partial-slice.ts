// Decides calls of one slice of which some facts are not known.
import type { BundleContent, PolicyId, PrincipalFacts, ServerEntry, Slice } from "#bundle";
import {
  EntityValue,
  EvaluationError,
  RecordValue,
  compileExpression,
  compileRequestTypes,
  principalEntity,
  serverEntity,
  tenantsOf,
  viewSchema,
} from "#pdp";
import type { Evaluate, Frame, KnownEntity, SchemaView, Value } from "#pdp";
import type { JsonObject } from "#std";
import { policyExpression } from "../cedar/policy-expression.ts";
import { PARTIAL_OPERATORS, evaluatePartly } from "./unknown-operators.ts";
import type { PartialFrame } from "./unknown-operators.ts";
import { UnknownValue, isUnknown } from "./unknown-value.ts";

/** A fact that a record does not hold. */
export interface MissingFact {
  /** From the context, or from `principal`. */
  readonly path: readonly string[];
  /** What it is called in a report: for a derived fact, what it is derived from. */
  readonly name: string;
  /** Whether there is such a value is known: there is. */
  readonly isPresent: boolean;
}

/** `effect` is undefined where it depends on a fact that is not known. */
export interface PartialDecision {
  readonly effect: "allow" | "deny" | undefined;
  /** Policies that decide, as far as known; all of them where `isComplete`. */
  readonly reasons: readonly PolicyId[];
  /** True where nothing about the decision is open. */
  readonly isComplete: boolean;
  /** Facts that what is open depends on, sorted. */
  readonly missing: readonly string[];
  /** How each policy came out. */
  readonly outcomes: ReadonlyMap<PolicyId, PolicyOutcome>;
}

export type PolicyOutcome = "satisfied" | "not-satisfied" | "error" | "unknown";

/** A call with a stand-in for everything that is missing, so that it has the shape the schema wants. */
export interface PartialCall {
  readonly principal: PrincipalFacts;
  readonly context: JsonObject;
  readonly missing: readonly MissingFact[];
}

export interface PartialSlice {
  /** @throws {ReferenceOnly} and Error for a call that does not fit the schema */
  readonly decide: (call: PartialCall) => PartialDecision;
  /** Whether another policy (EST) about the same request would apply. */
  readonly applies: (policy: JsonObject, call: PartialCall) => "true" | "false" | "error" | "unknown";
}

interface CompiledRule {
  readonly id: PolicyId;
  readonly effect: "permit" | "forbid";
  readonly applies: Evaluate;
}

/** @throws {UnsupportedConstruct} where only cedar-wasm can decide the slice */
export function compilePartialSlice(content: BundleContent, slice: Slice, server: ServerEntry): PartialSlice {
  const schema = content.policies.schemas[slice.schema];
  if (schema === undefined) throw new Error("a slice without a schema");
  const view = viewSchema(schema);
  const types = compileRequestTypes(schema, slice.action, PARTIAL_OPERATORS);
  const tenants = tenantsOf(content.policies.slices);
  const rules = slice.call.map(({ id, residual }) => compileRule(id, content.policies.residuals[residual]));
  const frameOf = (call: PartialCall): PartialFrame => {
    const principal = principalEntity(call.principal, view, tenants);
    const resource = serverEntity(server, view);
    const entities = principal === undefined ? undefined : types.admit([resource, principal]);
    const context = types.context(call.context);
    if (principal === undefined || entities === undefined || context === undefined)
      throw new Error("the call does not fit the schema");
    const who = new EntityValue(principal.uid.type, principal.uid.id);
    return {
      principal: who,
      action: types.action,
      resource: new EntityValue(resource.uid.type, resource.uid.id),
      context: overlay(context, call.missing, []),
      entities: withUnknownAttributes(entities, who, call.missing, view),
      unknownParents: unknownParents(call.missing),
    };
  };
  return {
    decide: (call) => decideRules(rules, frameOf(call)),
    applies: (policy, call) => {
      const expression = policyExpression(policy);
      if (expression === undefined) return "error";
      return outcomeOf(compileExpression(expression, PARTIAL_OPERATORS), frameOf(call));
    },
  };
}

function compileRule(id: PolicyId, residual: JsonObject | undefined): CompiledRule {
  const expression = residual === undefined ? undefined : policyExpression(residual);
  const effect = residual?.["effect"];
  if (expression === undefined || (effect !== "permit" && effect !== "forbid"))
    throw new Error(`the policy ${id} cannot be read`);
  return { id, effect, applies: compileExpression(expression, PARTIAL_OPERATORS) };
}

function unknown({ name, isPresent }: MissingFact): UnknownValue {
  return new UnknownValue([name], { isPresent });
}

/** The record with its missing members unknown. */
function overlay(record: RecordValue, missing: readonly MissingFact[], at: readonly string[]): RecordValue {
  const here = missing.filter(
    ({ path }) => path.length > at.length && at.every((name, index) => path[index] === name),
  );
  if (here.length === 0) return record;
  const own = new Map(
    here.filter(({ path }) => path.length === at.length + 1).map((fact) => [fact.path.at(-1), fact]),
  );
  const get = (name: string): Value | undefined => {
    const fact = own.get(name);
    if (fact !== undefined) return unknown(fact);
    const value = record.get(name);
    return value instanceof RecordValue ? overlay(value, here, [...at, name]) : value;
  };
  return new RecordValue({
    has: (name) => get(name) !== undefined,
    get,
    keys: () => [...new Set([...record.names(), ...[...own.keys()].filter((name) => name !== undefined)])],
  });
}

function withUnknownAttributes(
  entities: ReadonlyMap<string, KnownEntity>,
  principal: EntityValue,
  missing: readonly MissingFact[],
  view: SchemaView,
): ReadonlyMap<string, KnownEntity> {
  const declared = view.entity(principal.type)?.attributes;
  const own = missing.filter(
    ({ path: [root, name] }) => root === "principal" && name !== undefined && declared?.has(name) === true,
  );
  const entity = entities.get(principal.key);
  if (own.length === 0 || entity === undefined) return entities;
  const attributes = new Map(entity.attributes);
  for (const fact of own) attributes.set(fact.path[1] ?? "", unknown(fact));
  return new Map([...entities, [principal.key, { ...entity, attributes }]]);
}

/** `["principal", "", "Group"]`: the groups of the caller. */
export function parentsPath(type: "Group" | "Role"): readonly string[] {
  return ["principal", "", type];
}

function unknownParents(missing: readonly MissingFact[]): ReadonlyMap<string, UnknownValue> {
  return new Map(
    missing
      .filter(({ path }) => path[0] === "principal" && path[1] === "" && path[2] !== undefined)
      .map((fact) => [fact.path[2] ?? "", unknown(fact)]),
  );
}

function outcomeOf(evaluate: Evaluate, frame: Frame): "true" | "false" | "error" | "unknown" {
  try {
    const value = evaluatePartly(evaluate, frame);
    if (isUnknown(value)) return "unknown";
    return value === true ? "true" : value === false ? "false" : "error";
  } catch (fault) {
    if (fault instanceof EvaluationError) return "error";
    throw fault;
  }
}

interface Outcomes {
  readonly satisfied: Record<CompiledRule["effect"], PolicyId[]>;
  readonly unknown: { readonly effect: CompiledRule["effect"]; readonly value: UnknownValue }[];
  readonly errors: PolicyId[];
  readonly all: Map<PolicyId, PolicyOutcome>;
}

function decideRules(rules: readonly CompiledRule[], frame: Frame): PartialDecision {
  const found: Outcomes = { satisfied: { permit: [], forbid: [] }, unknown: [], errors: [], all: new Map() };
  for (const { id, effect, applies } of rules) {
    try {
      const value = evaluatePartly(applies, frame);
      if (isUnknown(value)) found.unknown.push({ effect, value });
      else if (value === true) found.satisfied[effect].push(id);
      found.all.set(id, isUnknown(value) ? "unknown" : value === true ? "satisfied" : "not-satisfied");
    } catch (fault) {
      if (!(fault instanceof EvaluationError)) throw fault;
      found.errors.push(id);
      found.all.set(id, "error");
    }
  }
  return decisionOf(found);
}

function decisionOf({ satisfied, unknown: open, errors, all }: Outcomes): PartialDecision {
  const missing = [...new Set(open.flatMap(({ value }) => [...value.facts]))].sort();
  const canPermit = satisfied.permit.length > 0 || open.some(({ effect }) => effect === "permit");
  const mustDeny = satisfied.forbid.length > 0 || errors.length > 0 || !canPermit;
  const mayDeny = open.some(({ effect, value }) => effect === "forbid" || value.mayErr);
  const base = { isComplete: open.length === 0, missing, outcomes: all };
  if (mustDeny) {
    return { ...base, effect: "deny", reasons: satisfied.forbid.sort() };
  }
  const isAllow = satisfied.permit.length > 0 && !mayDeny;
  return isAllow
    ? { ...base, effect: "allow", reasons: satisfied.permit.sort() }
    : { ...base, effect: undefined, reasons: [] };
}
