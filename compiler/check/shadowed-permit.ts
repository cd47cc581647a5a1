// A permit that an unconditional forbid of wider scope covers never has an effect.
import type { LeafAction, PolicyId, PolicySection, SlicePolicy } from "#bundle";
import { entitySpan, open, operand, scopeEntities } from "../cedar/index.ts";
import type { Expr, ParsedPolicy, PolicyEst } from "../cedar/index.ts";
import { bodyOf } from "../cedar/index.ts";
import type { CheckContext, CheckRule } from "./context.ts";
import { lineOf, placeOf } from "./policy-place.ts";

/** Whom a residual is about: everyone, or whoever has one of these entities. */
type Reach = "everyone" | ReadonlySet<string>;

/** Where a permit is covered for every tenant whose callers it is asked for, and by which forbid. */
interface Shadow {
  readonly leaves: ReadonlyMap<LeafAction, PolicyId>;
  /** Definitions that the permit stands on. */
  readonly occurrences: number;
}

export const shadowedPermit: CheckRule = {
  name: "shadowed-permit",
  run: (context) => {
    const policies = new Map(context.parsed.map((policy) => [policy.id, policy] as const));
    for (const [id, shadow] of shadowsOf(context.policies)) {
      const policy = policies.get(id);
      if (policy !== undefined && shadow.leaves.size > 0) report(context, policies, policy, shadow);
    }
  },
};

function report(
  { sink }: CheckContext,
  policies: ReadonlyMap<PolicyId, ParsedPolicy>,
  policy: ParsedPolicy,
  { leaves, occurrences }: Shadow,
): void {
  const named = [...leaves].flatMap(([action, id]) => {
    const forbid = policies.get(id);
    return forbid === undefined || isReportedElsewhere(policy, forbid) ? [] : [{ action, forbid }];
  });
  const [first] = named;
  if (first === undefined) return;
  if (leaves.size === occurrences) {
    const message = `this permit never has an effect: ${lineOf(first.forbid)} forbids all that it permits`;
    sink.report("PERMIT_SHADOWED", placeOf(policy), message);
    return;
  }
  for (const { action, forbid } of named) {
    // A permit of a whole method that a forbid narrows is usual; a definition named beside others is not.
    if (policy.scoped.actions?.has(action) !== true) continue;
    const message = `the permit has no effect on ${action}: ${lineOf(forbid)} forbids it`;
    sink.report("PERMIT_SHADOWED", entitySpan(policy, { type: "Action", id: action }), message);
  }
}

/** GRANT_DENIED and EXPOSURE_CONFLICT say it of lines of documents. */
function isReportedElsewhere(permit: ParsedPolicy, forbid: ParsedPolicy): boolean {
  if (permit.authored || forbid.authored) return false;
  return permit.source.file === forbid.source.file || forbid.id.includes("#/allow/");
}

function shadowsOf({ residuals, slices }: PolicySection): ReadonlyMap<PolicyId, Shadow> {
  const reaches = new Map<string, { readonly permit: Reach; readonly blanket: Reach | undefined }>();
  const reachOf = ({ residual: digest }: SlicePolicy) => {
    const known = reaches.get(digest);
    if (known !== undefined) return known;
    const residual = residuals[digest] as unknown as PolicyEst;
    const reach = { permit: reachOfPermit(residual), blanket: reachOfBlanket(residual) };
    reaches.set(digest, reach);
    return reach;
  };
  const effectOf = ({ residual }: SlicePolicy): unknown => residuals[residual]?.["effect"];
  // One slice for each tenant: the forbid of one leaves what a permit of the platform grants the others.
  const found = new Map<PolicyId, Map<LeafAction, PolicyId | undefined>>();
  for (const { action, call } of slices) {
    const blankets = call.flatMap((policy) => {
      const reach = effectOf(policy) === "forbid" ? reachOf(policy).blanket : undefined;
      return reach === undefined ? [] : [{ id: policy.id, reach }];
    });
    for (const policy of call) {
      if (effectOf(policy) !== "permit") continue;
      const forbid = blankets.find(({ reach }) => isCovered(reachOf(policy).permit, reach));
      const leaves = found.get(policy.id) ?? new Map<LeafAction, PolicyId | undefined>();
      found.set(policy.id, leaves);
      const isFirst = !leaves.has(action);
      leaves.set(action, isFirst || leaves.get(action) !== undefined ? forbid?.id : undefined);
    }
  }
  return new Map([...found].map(([id, leaves]) => [id, shadowOf(leaves)]));
}

function shadowOf(leaves: ReadonlyMap<LeafAction, PolicyId | undefined>): Shadow {
  const covered = [...leaves].flatMap(([action, id]) => (id === undefined ? [] : [[action, id] as const]));
  return { leaves: new Map(covered), occurrences: leaves.size };
}

function isCovered(permit: Reach, forbid: Reach): boolean {
  if (forbid === "everyone") return true;
  return permit !== "everyone" && [...permit].every((entity) => forbid.has(entity));
}

/** Whom a permit can be for, at most. */
function reachOfPermit(residual: PolicyEst): Reach {
  const scope = reachOfScope(residual);
  if (scope !== "everyone") return scope ?? "everyone";
  const [first] = residual.conditions;
  return (first?.kind === "when" ? membership(first.body) : undefined) ?? "everyone";
}

/** Whom a forbid always forbids; undefined where that depends on anything else. */
function reachOfBlanket(residual: PolicyEst): Reach | undefined {
  const scope = reachOfScope(residual);
  const [only, ...others] = residual.conditions;
  if (only === undefined) return scope;
  return scope === "everyone" && others.length === 0 && only.kind === "when"
    ? membership(only.body)
    : undefined;
}

function reachOfScope({ principal }: PolicyEst): Reach | undefined {
  if (principal["op"] === "All") return "everyone";
  if (principal["op"] !== "in" && principal["op"] !== "==") return undefined;
  return new Set(scopeEntities(principal).map(({ type, id }) => `${type}\n${id}`));
}

/** The entities of `principal in […]`. */
function membership(expr: Expr): Reach | undefined {
  const body = bodyOf(expr);
  if (open(expr)[0] !== "in" || operand(body, "left")["Var"] !== "principal") return undefined;
  const right = operand(body, "right");
  const [operator, items] = open(right);
  const entities = operator === "Set" && Array.isArray(items) ? (items as readonly Expr[]) : [right];
  const names = entities.flatMap((item) => {
    const value = item["Value"] as
      { readonly __entity?: { readonly type: string; readonly id: string } } | undefined;
    return value?.__entity === undefined ? [] : [`${value.__entity.type}\n${value.__entity.id}`];
  });
  return names.length === entities.length ? new Set(names) : undefined;
}
