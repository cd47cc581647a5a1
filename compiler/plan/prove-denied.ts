// Whether the compiled policies of a leaf deny every call of some callers, whatever the rest of the call is. Sound, not
// complete: what cannot be told from the caller alone is unknown, and an error in a policy is a denial too.
import { DEFAULT_TENANT } from "#bundle";
import type { BundleContent, EntityRef, PrincipalType, Slice, TenantId } from "#bundle";
import { isJsonObject } from "#std";
import type { JsonValue } from "#std";
import { bodyOf, childrenOf, entityLiteral, entityOf, open, operand, pathOf } from "../cedar/est.ts";
import type { Expr, PolicyEst } from "../cedar/est.ts";
import type { InvariantCallers } from "../model/invariant.ts";

/** What is known of every caller. Roles and groups as the bundle names them. */
export interface KnownCaller {
  readonly tenant: TenantId;
  readonly type: PrincipalType | undefined;
  readonly role: string | undefined;
  readonly notRoles: readonly string[];
  readonly group: string | undefined;
  readonly attributes: InvariantCallers["attributes"];
}

/** Undefined = it depends. */
type Truth = boolean | undefined;

/** True where no call of such callers can be allowed: nothing permits it, or something forbids it always. */
export function isAlwaysDenied(
  content: BundleContent,
  slice: Slice | undefined,
  caller: KnownCaller,
): boolean {
  const policies = (slice?.call ?? []).flatMap(({ residual }) => {
    const est = content.policies.residuals[residual] as unknown as PolicyEst | undefined;
    return est === undefined ? [] : [{ effect: est.effect, truth: policyTruth(est, caller) }];
  });
  if (policies.length !== (slice?.call.length ?? 0)) return false;
  return (
    policies.some(({ effect, truth }) => effect === "forbid" && truth === true) ||
    policies.every(({ effect, truth }) => effect === "forbid" || truth === false)
  );
}

function policyTruth(est: PolicyEst, caller: KnownCaller): Truth {
  const clauses = est.conditions.map(({ kind, body }) => {
    const truth = exprTruth(body, caller);
    return kind === "when" ? truth : not(truth);
  });
  return and([
    scopeTruth(est.principal, caller),
    constantScope(est.action),
    constantScope(est.resource),
    ...clauses,
  ]);
}

/** Action and resource are settled where a policy was specialised for a leaf; otherwise nothing is known. */
function constantScope(scope: PolicyEst["action"]): Truth {
  return scope["op"] === "All" ? true : undefined;
}

function scopeTruth(scope: PolicyEst["principal"], caller: KnownCaller): Truth {
  const entity = entityOf(scope["entity"]);
  switch (scope["op"]) {
    case "All":
      return true;
    case "in":
      return entity === undefined ? undefined : memberTruth(entity, caller);
    case "is": {
      const inside = scope["in"];
      const within = inside !== undefined && isJsonObject(inside) ? entityOf(inside["entity"]) : undefined;
      const member =
        inside === undefined ? true : within === undefined ? undefined : memberTruth(within, caller);
      return and([typeTruth(scope["entity_type"], caller), member]);
    }
    default:
      return undefined;
  }
}

function typeTruth(type: JsonValue | undefined, caller: KnownCaller): Truth {
  return caller.type === undefined ? undefined : caller.type === type;
}

function memberTruth({ type, id }: EntityRef, caller: KnownCaller): Truth {
  const isForeign = caller.tenant !== DEFAULT_TENANT && !id.startsWith(`${caller.tenant}/`);
  // Roles and groups of a tenant's callers are those of the tenant.
  if ((type === "Role" || type === "Group") && isForeign) return false;
  switch (type) {
    case "Role":
      if (caller.role === id) return true;
      return caller.notRoles.includes(id) ? false : undefined;
    case "Group":
      return caller.group === id ? true : undefined;
    case "Tenant":
      return caller.tenant === id;
    default:
      return undefined;
  }
}

function not(truth: Truth): Truth {
  return truth === undefined ? undefined : !truth;
}

function and(truths: readonly Truth[]): Truth {
  if (truths.includes(false)) return false;
  return truths.includes(undefined) ? undefined : true;
}

function or(truths: readonly Truth[]): Truth {
  if (truths.includes(true)) return true;
  return truths.includes(undefined) ? undefined : false;
}

function exprTruth(expr: Expr, caller: KnownCaller): Truth {
  const [operator, literal] = open(expr);
  const body = bodyOf(expr);
  const sides = (): readonly Truth[] => childrenOf(expr).map((child) => exprTruth(child, caller));
  switch (operator) {
    case "Value":
      return typeof literal === "boolean" ? literal : undefined;
    case "!":
      return not(exprTruth(operand(body, "arg"), caller));
    case "&&":
      return and(sides());
    case "||":
      return or(sides());
    case "==":
      return equality(expr, caller);
    case "!=":
      return not(equality(expr, caller));
    case ".": {
      const value = attributeAt(expr, caller);
      return typeof value === "boolean" ? value : undefined;
    }
    case "has":
      return isPrincipal(operand(body, "left")) && Object.hasOwn(caller.attributes, String(body["attr"]))
        ? true
        : undefined;
    case "in":
      return isPrincipal(operand(body, "left")) ? membership(operand(body, "right"), caller) : undefined;
    case "is":
      return isPrincipal(operand(body, "left")) && body["in"] === undefined
        ? typeTruth(body["entity_type"], caller)
        : undefined;
    default:
      return undefined;
  }
}

function isPrincipal(expr: Expr): boolean {
  return expr["Var"] === "principal";
}

function membership(right: Expr, caller: KnownCaller): Truth {
  const single = entityLiteral(right);
  const entities = single === undefined ? childrenOf(right).map(entityLiteral) : [single];
  if (entities.length === 0 || entities.includes(undefined)) return undefined;
  return or(entities.map((entity) => (entity === undefined ? undefined : memberTruth(entity, caller))));
}

function attributeAt(expr: Expr, caller: KnownCaller): unknown {
  const [root, name, ...more] = pathOf(expr) ?? [];
  if (root !== "principal" || name === undefined || more.length > 0) return undefined;
  return Object.hasOwn(caller.attributes, name) ? caller.attributes[name] : undefined;
}

function equality(expr: Expr, caller: KnownCaller): Truth {
  const [left, right] = childrenOf(expr).map((child): unknown => {
    const [operator, value] = open(child);
    return operator === "Value" && !isJsonObject(value) ? value : attributeAt(child, caller);
  });
  const isScalar = (value: unknown): boolean => ["string", "number", "boolean"].includes(typeof value);
  return isScalar(left) && isScalar(right) ? left === right : undefined;
}
