// Specialises one policy for one leaf: what the leaf fixes is folded away, and a policy that cannot apply is dropped.
import { methodOfAction } from "#bundle";
import type { JsonObject } from "#std";
import { ALL, balanceChains, booleanLiteral, scopeEntities } from "./est.ts";
import type { Clause, PolicyEst } from "./est.ts";
import { fold } from "./fold.ts";
import type { LeafFacts } from "./fold.ts";

/** A policy with what is asked of its scope for every leaf. */
export interface ScopedPolicy {
  /** The residual where nothing but the scope folds: one object, so that its digest is computed once. */
  readonly whole: PolicyEst;
  /** Ids of the actions in its scope; absent = every action. */
  readonly actions?: ReadonlySet<string>;
  /** Server ids in its scope; absent = every server. */
  readonly servers?: ReadonlySet<string>;
}

/** Reads the action and resource scope of a policy once. */
export function scopedPolicy(est: PolicyEst): ScopedPolicy {
  const actions = scopeIds(est.action, "Action");
  const servers = scopeIds(est.resource, "Server");
  const conditions = est.conditions.map(({ kind, body }): Clause => ({ kind, body: balanceChains(body) }));
  const whole: PolicyEst = {
    effect: est.effect,
    principal: est.principal,
    action: ALL,
    resource: ALL,
    conditions,
  };
  return {
    whole,
    ...(actions === undefined ? {} : { actions }),
    ...(servers === undefined ? {} : { servers }),
  };
}

/** Ids that a scope constraint lets through: an entity of another type can never be the one asked about. */
function scopeIds(scope: JsonObject, type: string): ReadonlySet<string> | undefined {
  if (scope["op"] === "All") return undefined;
  const entities = scopeEntities(scope);
  if (scope["op"] === "is") {
    if (scope["entity_type"] !== type) return new Set();
    if (scope["in"] === undefined) return undefined;
  }
  return new Set(entities.filter((entity) => entity.type === type).map((entity) => entity.id));
}

/** The residual of a policy on one leaf; undefined where it cannot apply there. */
export function specialise(policy: ScopedPolicy, facts: LeafFacts): PolicyEst | undefined {
  if (policy.servers?.has(facts.server.id) === false) return undefined;
  if (policy.actions !== undefined && !isInActions(policy.actions, facts)) return undefined;
  const { whole } = policy;
  const conditions = foldConditions(whole.conditions, facts);
  if (conditions === undefined) return undefined;
  const unchanged =
    conditions.length === whole.conditions.length &&
    conditions.every((clause, index) => clause === whole.conditions[index]);
  return unchanged ? whole : { ...whole, conditions };
}

function isInActions(actions: ReadonlySet<string>, facts: LeafFacts): boolean {
  return actions.has(facts.leaf.action) || actions.has(methodOfAction(facts.leaf.action));
}

/** Conditions hold together, in order. A false one drops the policy only where nothing before it can still error. */
function foldConditions(conditions: readonly Clause[], facts: LeafFacts): readonly Clause[] | undefined {
  const kept: Clause[] = [];
  for (const clause of conditions) {
    const body = fold(clause.body, facts, true);
    const value = booleanLiteral(body);
    const holds = value === undefined ? undefined : value === (clause.kind === "when");
    if (holds === true) continue;
    if (holds === false && kept.length === 0) return undefined;
    kept.push(body === clause.body ? clause : { kind: clause.kind, body: balanceChains(body) });
    if (holds === false) break;
  }
  return kept;
}
