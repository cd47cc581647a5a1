// Cedar's JSON policy form (EST): the shapes the compiler works on, and walks over them.
// https://docs.cedarpolicy.com/policies/json-format.html
import type { JsonObject, JsonValue } from "#std";
import { isJsonObject } from "#std";
import type { EntityRef } from "#bundle";

/** An expression: an object with exactly one member, whose name is the operator. */
export type Expr = JsonObject;

export interface Clause {
  readonly kind: "when" | "unless";
  readonly body: Expr;
}

export interface PolicyEst {
  readonly effect: "permit" | "forbid";
  readonly principal: JsonObject;
  readonly action: JsonObject;
  readonly resource: JsonObject;
  readonly conditions: readonly Clause[];
  readonly annotations?: Readonly<Record<string, string | null>>;
}

export const TRUE: Expr = { Value: true };
export const FALSE: Expr = { Value: false };
export const ALL: JsonObject = { op: "All" };

/** A residual of a bundle as the policy that it is. */
export function policyEst(residual: JsonObject | undefined): PolicyEst | undefined {
  if (residual === undefined || !Array.isArray(residual["conditions"])) return undefined;
  const { effect, principal } = residual;
  if ((effect !== "permit" && effect !== "forbid") || !isJsonObject(principal)) return undefined;
  return residual as unknown as PolicyEst;
}

/** A policy as the JSON value that it is. */
export function asJson(policy: PolicyEst): JsonObject {
  return policy as unknown as JsonObject;
}

/** Operator and operand of an expression. */
export function open(expr: Expr): readonly [operator: string, body: JsonValue] {
  const [operator] = Object.keys(expr);
  if (operator === undefined) return ["", null];
  return [operator, expr[operator] ?? null];
}

/** The operand as an object; empty where it is something else. */
export function bodyOf(expr: Expr): JsonObject {
  const [, body] = open(expr);
  return isJsonObject(body) ? body : {};
}

/** The sub-expression `name` of an operand. */
export function operand(body: JsonObject, name: string): Expr {
  const value = body[name];
  return value !== undefined && isJsonObject(value) ? value : {};
}

const OPERAND_NAMES: readonly string[] = ["left", "right", "arg", "if", "then", "else", "in"];

/** Direct sub-expressions in order of evaluation. */
export function childrenOf(expr: Expr): readonly Expr[] {
  const [operator, body] = open(expr);
  if (operator === "Value" || operator === "Var" || operator === "Slot") return [];
  if (Array.isArray(body)) return (body as readonly JsonValue[]).filter(isJsonObject);
  if (!isJsonObject(body)) return [];
  if (operator === "Record") return Object.values(body).filter(isJsonObject);
  return OPERAND_NAMES.flatMap((name) => (isJsonObject(body[name] ?? null) ? [operand(body, name)] : []));
}

/** The expression with `change` applied to each direct sub-expression; the same object where nothing changed. */
export function mapChildren(expr: Expr, change: (child: Expr) => Expr): Expr {
  const [operator, body] = open(expr);
  if (operator === "Value" || operator === "Var" || operator === "Slot") return expr;
  if (Array.isArray(body)) {
    const items = body as readonly JsonValue[];
    const mapped = items.map((item) => (isJsonObject(item) ? change(item) : item));
    return mapped.every((item, index) => item === items[index]) ? expr : { [operator]: mapped };
  }
  if (!isJsonObject(body)) return expr;
  const names =
    operator === "Record"
      ? Object.keys(body)
      : OPERAND_NAMES.filter((name) => isJsonObject(body[name] ?? null));
  const changed = new Map<string, JsonValue>();
  for (const name of names) {
    const before = operand(body, name);
    const after = change(before);
    if (after !== before) changed.set(name, after);
  }
  if (changed.size === 0) return expr;
  const entries = Object.entries(body).map(([name, value]) => [name, changed.get(name) ?? value] as const);
  return { [operator]: Object.fromEntries(entries) };
}

/** True where `test` holds for the expression or any expression inside it. */
export function someExpr(expr: Expr, test: (expr: Expr) => boolean): boolean {
  return test(expr) || childrenOf(expr).some((child) => someExpr(child, test));
}

export function visitExprs(policy: PolicyEst, visit: (expr: Expr) => void): void {
  const walk = (expr: Expr): void => {
    visit(expr);
    for (const child of childrenOf(expr)) walk(child);
  };
  for (const clause of policy.conditions) walk(clause.body);
}

export function entityOf(value: JsonValue | undefined): EntityRef | undefined {
  if (value === undefined || !isJsonObject(value)) return undefined;
  const inner = value["__entity"];
  const entity = inner !== undefined && isJsonObject(inner) ? inner : value;
  const { type, id } = entity as { readonly type?: JsonValue; readonly id?: JsonValue };
  return typeof type === "string" && typeof id === "string" ? { type, id } : undefined;
}

/** The entity literal that an expression is. */
export function entityLiteral(expr: Expr): EntityRef | undefined {
  const [operator, body] = open(expr);
  if (operator !== "Value" || !isJsonObject(body) || body["__entity"] === undefined) return undefined;
  return entityOf(body);
}

/** The entities that a scope constraint names: none for `All` and a plain `is`. */
export function scopeEntities(scope: JsonObject): readonly EntityRef[] {
  const inside = scope["in"];
  const single =
    entityOf(scope["entity"]) ??
    (inside !== undefined && isJsonObject(inside) ? entityOf(inside["entity"]) : undefined);
  const many = Array.isArray(scope["entities"]) ? (scope["entities"] as readonly JsonValue[]) : [];
  return [...(single === undefined ? [] : [single]), ...many.flatMap((item) => entityOf(item) ?? [])];
}

/** `variable.a.b` as `["variable", "a", "b"]`; undefined for any other expression. */
export function pathOf(expr: Expr): readonly string[] | undefined {
  const [operator, body] = open(expr);
  if (operator === "Var") return typeof body === "string" ? [body] : undefined;
  if (operator !== "." || !isJsonObject(body) || typeof body["attr"] !== "string") return undefined;
  const left = pathOf(operand(body, "left"));
  return left === undefined ? undefined : [...left, body["attr"]];
}

export function isVar(expr: Expr, name: string): boolean {
  return expr["Var"] === name;
}

/** True, false, or undefined where the expression is no Boolean literal. */
export function booleanLiteral(expr: Expr): boolean | undefined {
  const value = expr["Value"];
  return typeof value === "boolean" ? value : undefined;
}

/**
 * Rows of `&&` and `||` as balanced trees: order of evaluation and short-circuit stay, and the JSON form stays far
 * from the nesting at which engines refuse it.
 */
export function balanceChains(expr: Expr): Expr {
  const [operator] = open(expr);
  if (operator !== "&&" && operator !== "||") return mapChildren(expr, balanceChains);
  const terms = chainTerms(expr, operator);
  if (terms.length <= 4) return mapChildren(expr, balanceChains);
  return balancedTree(terms.map(balanceChains), operator);
}

function chainTerms(expr: Expr, operator: string): readonly Expr[] {
  const terms: Expr[] = [];
  const pending: Expr[] = [expr];
  for (let next = pending.pop(); next !== undefined; next = pending.pop()) {
    if (open(next)[0] === operator) {
      const body = bodyOf(next);
      pending.push(operand(body, "right"), operand(body, "left"));
    } else terms.push(next);
  }
  return terms;
}

function balancedTree(terms: readonly Expr[], operator: string): Expr {
  const [only] = terms;
  if (terms.length <= 1) return only ?? TRUE;
  const middle = terms.length >> 1;
  return {
    [operator]: {
      left: balancedTree(terms.slice(0, middle), operator),
      right: balancedTree(terms.slice(middle), operator),
    },
  };
}

/**
 * Deepest JSON form of a policy. Cedar's reader refuses more than 128 levels with an exception that costs the engine
 * its instance. Specialising a policy never makes it deeper.
 */
export const MAX_POLICY_JSON_DEPTH = 110;

/** Nesting of a JSON value: 1 for a scalar. */
export function jsonDepth(value: JsonValue): number {
  if (typeof value !== "object" || value === null) return 1;
  let deepest = 0;
  for (const item of Object.values(value) as readonly JsonValue[])
    deepest = Math.max(deepest, jsonDepth(item));
  return deepest + 1;
}

/** The policy with every entity it names replaced: scopes and literals alike. */
export function mapEntities(policy: PolicyEst, change: (entity: EntityRef) => EntityRef): PolicyEst {
  const changeLiteral = (expr: Expr): Expr => {
    const entity = entityLiteral(expr);
    if (entity === undefined) return mapChildren(expr, changeLiteral);
    const { type, id } = change(entity);
    return { Value: { __entity: { type, id } } };
  };
  const conditions = policy.conditions.map(({ kind, body }): Clause => ({ kind, body: changeLiteral(body) }));
  return {
    ...policy,
    principal: mapScope(policy.principal, change),
    action: mapScope(policy.action, change),
    resource: mapScope(policy.resource, change),
    conditions,
  };
}

function mapScope(scope: JsonObject, change: (entity: EntityRef) => EntityRef): JsonObject {
  const replace = (value: JsonValue): JsonValue => {
    const entity = entityOf(value);
    return entity === undefined ? value : { ...change(entity) };
  };
  const entity = scope["entity"];
  const entities = scope["entities"];
  const inside = scope["in"];
  return {
    ...scope,
    ...(entity === undefined ? {} : { entity: replace(entity) }),
    ...(Array.isArray(entities) ? { entities: (entities as readonly JsonValue[]).map(replace) } : {}),
    ...(inside !== undefined && isJsonObject(inside) ? { in: mapScope(inside, change) } : {}),
  };
}
