// Attributes that policies of the platform read: a tenant's own issuers neither supply them, nor lift a policy by leaving
// them out.
import { DEFAULT_TENANT } from "#bundle";
import type { PolicyId, TenantId } from "#bundle";
import {
  bodyOf,
  childrenOf,
  entityLiteral,
  isVar,
  open,
  operand,
  scopeEntities,
  someExpr,
  visitExprs,
} from "../cedar/index.ts";
import type { Expr, ParsedPolicy, PolicyEst } from "../cedar/index.ts";
import type { Parsed } from "../documents/load.ts";
import { layerOf } from "../documents/layer.ts";
import type { IdentityShape } from "../documents/shapes.ts";
import type { CheckContext, CheckRule } from "./context.ts";
import { lineOf } from "./policy-place.ts";

export const tenantAttributes: CheckRule = {
  name: "tenant-attributes",
  run: (context) => {
    const platform = new Map(
      context.parsed
        .filter((policy) => policy.tenant === DEFAULT_TENANT)
        .map((policy) => [policy.id, policy] as const),
    );
    for (const document of context.documents.identity) {
      const { tenant } = layerOf(document.source.file);
      if (tenant === DEFAULT_TENANT || document.shape.issuers.length === 0) continue;
      refuseMappings(context, document, platform);
      refuseAbsence(context, document, tenant, platform);
    }
  },
};

type PlatformPolicies = ReadonlyMap<PolicyId, ParsedPolicy>;

function refuseMappings(
  { sink }: CheckContext,
  { shape, source }: Parsed<IdentityShape>,
  platform: PlatformPolicies,
): void {
  const readers = new Map<string, ParsedPolicy>();
  for (const policy of platform.values()) {
    for (const name of attributesIn(policy.est)) if (!readers.has(name)) readers.set(name, policy);
  }
  for (const [index, issuer] of shape.issuers.entries()) {
    for (const name of Object.keys(issuer.attributes ?? {})) {
      const reader = readers.get(name);
      if (reader === undefined) continue;
      const message = `${lineOf(reader)} reads the attribute ${name}, which a tenant's issuer does not supply`;
      sink.report("TENANT_ESCAPE", source.atKey("issuers", index, "attributes", name), message);
    }
  }
}

/** What a policy reads of its principal, with `has` or without. */
function attributesIn(policy: PolicyEst): ReadonlySet<string> {
  const names = new Set<string>();
  visitExprs(policy, (expr) => {
    const [operator] = open(expr);
    const { attr } = bodyOf(expr);
    if ((operator === "." || operator === "has") && readsPrincipal(operand(bodyOf(expr), "left")))
      if (typeof attr === "string") names.add(attr);
  });
  return names;
}

/**
 * An attribute that is read without `has` is an error of the policy already: no issuer of the tenant requires it. Where
 * it is read after `has`, its absence must be the strictest case.
 */
function refuseAbsence(
  { sink, policies }: CheckContext,
  { source }: Parsed<IdentityShape>,
  tenant: TenantId,
  platform: PlatformPolicies,
): void {
  const reported = new Set<PolicyId>();
  for (const slice of policies.slices) {
    if (slice.tenant !== tenant) continue;
    for (const { id, residual: digest } of slice.call) {
      const policy = platform.get(id);
      if (policy === undefined || reported.has(id)) continue;
      const residual = policies.residuals[digest] as unknown as PolicyEst;
      const name = liftedBy(residual, tenant);
      if (name === undefined) continue;
      reported.add(id);
      const { effect } = residual;
      const outcome = effect === "forbid" ? "no longer forbids" : "permits more";
      const message = `without the attribute ${name}, which a tenant's issuer does not supply, ${lineOf(policy)} ${outcome}`;
      sink.report("TENANT_ATTRIBUTE_ABSENT", source.at("issuers", 0, "issuer"), message);
    }
  }
}

/** What an expression does for a policy that is asked for a call: whether its truth makes the policy stricter. */
type Sign = "strict" | "lax" | "either";

/** The first attribute whose absence makes the policy laxer for callers of the tenant. */
function liftedBy(residual: PolicyEst, tenant: TenantId): string | undefined {
  if (scopeEntities(residual.principal).some((entity) => !isOf(tenant, entity))) return undefined;
  const holds: Sign = residual.effect === "forbid" ? "strict" : "lax";
  for (const { kind, body } of residual.conditions) {
    const found = lifting(body, kind === "when" ? holds : opposite(holds), tenant);
    if (found !== undefined) return found;
    if (truthFor(body, tenant) === (kind === "unless")) return undefined;
  }
  return undefined;
}

function opposite(sign: Sign): Sign {
  if (sign === "either") return sign;
  return sign === "strict" ? "lax" : "strict";
}

function isOf(tenant: TenantId, { type, id }: { readonly type: string; readonly id: string }): boolean {
  return type === "Tenant" ? id === tenant : id.startsWith(`${tenant}/`);
}

function lifting(expr: Expr, sign: Sign, tenant: TenantId): string | undefined {
  const [operator] = open(expr);
  const body = bodyOf(expr);
  const left = operand(body, "left");
  switch (operator) {
    case "has": {
      const { attr } = body;
      // False where it is absent: harmless only where truth makes the policy laxer.
      if (sign !== "lax" && readsPrincipal(left))
        return typeof attr === "string" ? attr : JSON.stringify(attr);
      return lifting(left, "either", tenant);
    }
    case "!":
      return lifting(operand(body, "arg"), opposite(sign), tenant);
    case "&&":
    case "||": {
      const found = lifting(left, sign, tenant);
      // What does not follow for callers of the tenant is not asked.
      if (found !== undefined || truthFor(left, tenant) === (operator === "||")) return found;
      return lifting(operand(body, "right"), sign, tenant);
    }
    case "if-then-else": {
      const condition = operand(body, "if");
      const truth = truthFor(condition, tenant);
      const branches = [
        ...(truth === false ? [] : [operand(body, "then")]),
        ...(truth === true ? [] : [operand(body, "else")]),
      ].map((branch) => lifting(branch, sign, tenant));
      return [lifting(condition, "either", tenant), ...branches].find((found) => found !== undefined);
    }
    default:
      return childrenOf(expr)
        .map((child) => lifting(child, "either", tenant))
        .find((found) => found !== undefined);
  }
}

/** What `principal in Tenant::"…"` and what is made of it is for callers of the tenant; undefined = not known. */
export function truthFor(expr: Expr, tenant: TenantId): boolean | undefined {
  const [operator] = open(expr);
  const body = bodyOf(expr);
  if (operator === "in" && isVar(operand(body, "left"), "principal")) {
    const entity = entityLiteral(operand(body, "right"));
    return entity?.type === "Tenant" ? entity.id === tenant : undefined;
  }
  if (operator === "!") {
    const truth = truthFor(operand(body, "arg"), tenant);
    return truth === undefined ? undefined : !truth;
  }
  if (operator !== "&&" && operator !== "||") return undefined;
  const decides = operator === "||";
  const sides = [truthFor(operand(body, "left"), tenant), truthFor(operand(body, "right"), tenant)];
  if (sides.includes(decides)) return decides;
  return sides.every((side) => side === !decides) ? !decides : undefined;
}

/** The principal, however it is written. */
function readsPrincipal(expr: Expr): boolean {
  return someExpr(expr, (inner) => isVar(inner, "principal"));
}
