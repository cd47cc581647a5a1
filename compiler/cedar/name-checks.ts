// Names that Cedar itself never questions: a misspelt role, server, action or target is just false. A forbid with one
// forbids nothing, a permit permits nothing; neither can mean what it says.
import { DEFAULT_TENANT } from "#bundle";
import type { EntityRef, LeafAction, ServerEntry, ServerId, TenantId } from "#bundle";
import { TENANT_QUALIFIED } from "#pdp";
import { closestName } from "#std";
import { entityLiteral, bodyOf, open, operand, pathOf, scopeEntities, visitExprs } from "./est.ts";
import type { Expr } from "./est.ts";
import { finding } from "./finding.ts";
import type { CedarCode, CedarFinding, CedarSpan } from "./finding.ts";
import { isSymbol } from "./lexer.ts";
import type { ParsedPolicy } from "./parse.ts";
import { ENTITY_TYPES, METHOD_ACTIONS } from "./schema.ts";

/** Every name that a policy can mean. */
export interface NameIndex {
  readonly roles: ReadonlySet<string>;
  readonly servers: ReadonlySet<string>;
  readonly actions: ReadonlySet<string>;
  readonly targets: ReadonlySet<string>;
}

export function nameIndex(servers: readonly ServerEntry[], knownRoles: readonly string[]): NameIndex {
  const leaves = servers.flatMap((server) => server.leaves);
  return {
    roles: new Set(knownRoles),
    servers: new Set(servers.map((server) => server.id)),
    actions: new Set([...METHOD_ACTIONS, ...leaves.map((leaf) => leaf.action)]),
    targets: new Set(leaves.map((leaf) => leaf.name)),
  };
}

/** Findings on the entities and targets that one policy names. */
export function checkNames(policy: ParsedPolicy, names: NameIndex): readonly CedarFinding[] {
  const findings: CedarFinding[] = [];
  const { est } = policy;
  const entities = entitiesIn(policy);
  const targets: string[] = [];
  visitExprs(est, (expr) => targets.push(...targetsIn(expr)));
  for (const entity of entities) findings.push(...checkEntity(policy, entity, names));
  for (const target of targets) {
    if (names.targets.has(target)) continue;
    const help = didYouMean(target, names.targets) ?? "Pin the server that has it, or correct the name.";
    const message = `no server has pinned "${target}"`;
    findings.push(finding("CEDAR_UNKNOWN_TARGET", stringSpan(policy, target), message, help));
  }
  return findings;
}

/** Every entity that the policy names, in its scope and its conditions. */
export function entitiesIn({ est }: ParsedPolicy): readonly EntityRef[] {
  const entities: EntityRef[] = [est.principal, est.action, est.resource].flatMap(scopeEntities);
  visitExprs(est, (expr) => {
    const entity = entityLiteral(expr);
    if (entity !== undefined) entities.push(entity);
  });
  return entities;
}

/** The tenants as name checks need them. */
export interface TenantNames {
  readonly servers: readonly ServerEntry[];
  readonly tenants?: readonly { readonly id: TenantId; readonly servers: ReadonlySet<ServerId> }[];
}

/** Findings on entities of another tenant, in any policy, whoever wrote it. */
export function checkTenantNames(policy: ParsedPolicy, model: TenantNames): readonly CedarFinding[] {
  const { tenants = [] } = model;
  if (tenants.length === 0) return [];
  const known = [DEFAULT_TENANT, ...tenants.map(({ id }) => id)];
  const own = tenants.find(({ id }) => id === policy.tenant);
  return entitiesIn(policy).flatMap((entity) => {
    const fault = own === undefined ? undefined : foreignEntity(entity, own, known, model.servers);
    if (fault !== undefined) return [finding("CEDAR_TENANT_ESCAPE", entitySpan(policy, entity), fault)];
    if (entity.type !== "Tenant" || known.includes(entity.id)) return [];
    const message = `the tenant "${entity.id}" is not declared`;
    const help = didYouMean(entity.id, new Set(known));
    return [finding("CEDAR_UNKNOWN_ENTITY", entitySpan(policy, entity), message, help)];
  });
}

/** Why a tenant's policy may not name the entity; undefined where it may. */
function foreignEntity(
  { type, id }: EntityRef,
  own: { readonly id: TenantId; readonly servers: ReadonlySet<ServerId> },
  known: readonly TenantId[],
  servers: readonly ServerEntry[],
): string | undefined {
  if (TENANT_QUALIFIED.has(type)) {
    const tenant = known.find((item) => id.startsWith(`${item}/`));
    return tenant === undefined ? undefined : `${type}::"${id}" reads as one of the tenant ${tenant}`;
  }
  if (type === "Tenant") return id === own.id ? undefined : `the policy belongs to the tenant ${own.id}`;
  const owner = type === "Server" ? id : type === "Action" ? serverOf(id, servers) : undefined;
  if (owner === undefined || own.servers.has(owner)) return undefined;
  return `the tenant ${own.id} may not use the server "${owner}"`;
}

/** The server of a leaf's action; undefined for an action that is no leaf. */
function serverOf(action: LeafAction, servers: readonly ServerEntry[]): ServerId | undefined {
  return servers.find(({ leaves }) => leaves.some((leaf) => leaf.action === action))?.id;
}

function checkEntity(policy: ParsedPolicy, entity: EntityRef, names: NameIndex): readonly CedarFinding[] {
  const report = (code: CedarCode, message: string, help?: string): readonly CedarFinding[] => [
    finding(code, entitySpan(policy, entity), message, help),
  ];
  switch (entity.type) {
    case "Role":
      if (names.roles.has(entity.id)) return [];
      return report(
        "CEDAR_UNKNOWN_ENTITY",
        `the role "${entity.id}" is not declared`,
        didYouMean(entity.id, names.roles),
      );
    case "Server":
      if (names.servers.has(entity.id)) return [];
      return report(
        "CEDAR_UNKNOWN_ENTITY",
        `the server "${entity.id}" is not in the registry`,
        didYouMean(entity.id, names.servers),
      );
    case "Action":
      if (names.actions.has(entity.id)) return [];
      return report(
        "CEDAR_UNKNOWN_ACTION",
        `"${entity.id}" is no action`,
        didYouMean(entity.id, names.actions) ??
          `An action is one of ${METHOD_ACTIONS.join(", ")}, or a pinned definition.`,
      );
    case "User":
    case "Agent":
    case "Group":
    case "Tenant":
      return [];
    default: {
      const help = didYouMean(entity.type, new Set([...ENTITY_TYPES, "Action"]));
      return report("CEDAR_UNKNOWN_ENTITY_TYPE", `there is no entity type ${entity.type}`, help);
    }
  }
}

function didYouMean(name: string, candidates: ReadonlySet<string>): string | undefined {
  const near = closestName(name, [...candidates]);
  return near === undefined ? undefined : `Did you mean "${near}"?`;
}

/** Literals that an expression compares with `context.target`. */
export function targetsIn(expr: Expr): readonly string[] {
  const [operator] = open(expr);
  const left = operand(bodyOf(expr), "left");
  const right = operand(bodyOf(expr), "right");
  if (operator === "==" || operator === "!=") {
    if (isTarget(left)) return stringsOf(right);
    return isTarget(right) ? stringsOf(left) : [];
  }
  return operator === "contains" && isTarget(right) ? stringsOf(left) : [];
}

function isTarget(expr: Expr): boolean {
  const path = pathOf(expr);
  return path?.length === 2 && path[0] === "context" && path[1] === "target";
}

function stringsOf(expr: Expr): readonly string[] {
  const [operator, body] = open(expr);
  if (operator === "Value" && typeof body === "string") return [body];
  return operator === "Set" && Array.isArray(body) ? (body as readonly Expr[]).flatMap(stringsOf) : [];
}

/** Where the policy first writes `Type::"id"`. */
export function entitySpan(policy: ParsedPolicy, entity: EntityRef): CedarSpan {
  const { tokens } = policy.text;
  const at = tokens.findIndex(
    (token, index) =>
      token.kind === "string" &&
      token.value === entity.id &&
      isSymbol(tokens[index - 1], "::") &&
      tokens[index - 2]?.value === entity.type.slice(entity.type.lastIndexOf(":") + 1),
  );
  return spanOfTokens(policy, at - 2, at);
}

/** Where the policy first writes the text `value`. */
function stringSpan(policy: ParsedPolicy, value: string): CedarSpan {
  const at = policy.text.tokens.findIndex((token) => token.kind === "string" && token.value === value);
  return spanOfTokens(policy, at, at);
}

/** From the token at index `first` to the one at `last`; the keyword where there is none. */
export function spanOfTokens(policy: ParsedPolicy, first: number, last: number): CedarSpan {
  const { tokens, effectToken } = policy.text;
  const from = tokens[first] ?? tokens[effectToken];
  const to = tokens[last] ?? tokens[effectToken];
  return policy.spanOf({ start: from?.start ?? 0, end: to?.end ?? 0 });
}
