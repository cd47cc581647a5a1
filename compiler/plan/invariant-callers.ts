// The callers that an invariant is about, among the classes of callers of a plan.
import { canonicalJson, DEFAULT_TENANT } from "#bundle";
import type { PrincipalFacts, TenantId } from "#bundle";
import type { Invariant, InvariantCallers } from "../model/invariant.ts";
import type { NamedPrincipal } from "../calls/plan-side.ts";
import type { KnownCaller } from "./prove-denied.ts";

/** A role or group as the platform names it. */
function qualified(tenant: TenantId, name: string): string {
  return tenant === DEFAULT_TENANT ? name : `${tenant}/${name}`;
}

/** The names of a list that mean something in a tenant, as its callers have them. */
function ownNames(
  names: readonly string[],
  tenant: TenantId,
  tenants: readonly TenantId[],
): readonly string[] {
  return names.flatMap((name) => {
    const owner = tenants.find((id) => name.startsWith(`${id}/`)) ?? DEFAULT_TENANT;
    if (owner !== tenant) return [];
    return [owner === DEFAULT_TENANT ? name : name.slice(owner.length + 1)];
  });
}

/** Every class of callers, made to fit the invariant where it does not, without repetition. */
export function invariantCallers(
  { callers }: Invariant,
  principals: readonly NamedPrincipal[],
  tenants: readonly TenantId[],
): readonly NamedPrincipal[] {
  const own = principals.filter(({ facts }) => callers.tenants?.includes(facts.tenant) !== false);
  const all = own.flatMap((principal) =>
    fitting(callers, principal.facts, tenants).map((facts) => {
      const isMade = canonicalJson(facts) !== canonicalJson(principal.facts);
      return { isMade, caller: isMade ? { ...principal, facts, name: describeCaller(facts) } : principal };
    }),
  );
  // Those that fit by themselves first: their names mean more.
  const ordered = [...all.filter(({ isMade }) => !isMade), ...all.filter(({ isMade }) => isMade)];
  const found = new Map<string, NamedPrincipal>();
  for (const { caller } of ordered) {
    const key = canonicalJson([caller.facts, caller.request]);
    if (!found.has(key)) found.set(key, caller);
  }
  return [...found.values()];
}

function fitting(
  callers: InvariantCallers,
  facts: PrincipalFacts,
  tenants: readonly TenantId[],
): readonly PrincipalFacts[] {
  const { tenant } = facts;
  const excluded = ownNames(callers.notRoles ?? [], tenant, tenants);
  const one = {
    ...facts,
    type: callers.type ?? facts.type,
    attributes: { ...facts.attributes, ...callers.attributes },
    roles: facts.roles.filter((role) => !excluded.includes(role)),
  };
  const roleSets = withOneOf(one.roles, callers.roles, tenant, tenants);
  const groupSets = withOneOf(one.groups, callers.groups, tenant, tenants);
  return roleSets.flatMap((roles) => groupSets.map((groups) => ({ ...one, roles, groups })));
}

/** The names as they are where one of `wanted` is among them or nothing is wanted; else with each of `wanted`. */
function withOneOf(
  names: readonly string[],
  wanted: readonly string[] | undefined,
  tenant: TenantId,
  tenants: readonly TenantId[],
): readonly (readonly string[])[] {
  if (wanted === undefined) return [names];
  const own = ownNames(wanted, tenant, tenants);
  if (own.some((name) => names.includes(name))) return [names];
  return own.map((name) => [...names, name].sort());
}

function describeCaller({ type, tenant, roles, groups, attributes }: PrincipalFacts): string {
  return [
    ...(type === "Agent" ? ["agent"] : []),
    roles.length === 0 ? "no role" : `role ${roles.join(", ")}`,
    ...(groups.length === 0 ? [] : [`group ${groups.join(", ")}`]),
    ...(tenant === DEFAULT_TENANT ? [] : [`tenant ${tenant}`]),
    ...Object.entries(attributes).map(([name, value]) => `${name} = ${JSON.stringify(value)}`),
  ].join(", ");
}

/** What is known of every caller of the invariant: one for each tenant, and each role and group they may have. */
export function knownCallers({ callers }: Invariant, tenants: readonly TenantId[]): readonly KnownCaller[] {
  const { type, roles, groups, notRoles = [], attributes } = callers;
  const own = tenants.filter((tenant) => callers.tenants?.includes(tenant) !== false);
  return own.flatMap((tenant) => {
    const choices = (names: readonly string[] | undefined): readonly (string | undefined)[] =>
      names === undefined
        ? [undefined]
        : ownNames(names, tenant, tenants).map((name) => qualified(tenant, name));
    return choices(roles).flatMap((role) =>
      choices(groups).map((group): KnownCaller => ({ tenant, type, role, notRoles, group, attributes })),
    );
  });
}
