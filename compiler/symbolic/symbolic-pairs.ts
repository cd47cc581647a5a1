// Which leaves are asked about: for each tenant those that the head may allow and whose decisions may differ.
import { DEFAULT_TENANT, annotationsOf, canonicalJson, isMethodKind } from "#bundle";
import type { LeafAction, PrincipalType, TenantId } from "#bundle";
import { IMPLIED_PERMIT } from "#compiler";
import type { PlanSide } from "../calls/plan-side.ts";
import { isResourceKind } from "../calls/resource-calls.ts";
import { programOf } from "./question.ts";
import type { QuestionSide } from "./side-world.ts";

export const PRINCIPAL_TYPES: readonly PrincipalType[] = ["User", "Agent"];

/** One leaf of one tenant. `base` is undefined where the base does not have it and so denies every call. */
export interface SymbolicPair {
  readonly tenant: TenantId;
  readonly action: LeafAction;
  readonly head: QuestionSide;
  readonly base: QuestionSide | undefined;
  /** The resources of the server differ: another leaf of the base may stand for the same URI. */
  readonly hasOtherResources: boolean;
  /** The versions make callers of this tenant of tokens differently: what one calls a caller may be another to the other. */
  readonly hasOtherCallers: boolean;
}

/** Pairs that differ, in order of action, then of tenant. A leaf that nothing on the head allows is left out. */
export function symbolicPairs(base: PlanSide, head: PlanSide): readonly SymbolicPair[] {
  const before = new Map(questionSides(base).map((side) => [keyOf(side), side]));
  const beforeResources = resourceNames(base);
  const afterResources = resourceNames(head);
  const beforeCallers = callersByTenant(base);
  const afterCallers = callersByTenant(head);
  const pairs = questionSides(head).flatMap((side): readonly SymbolicPair[] => {
    const old = before.get(keyOf(side));
    const { leaf, server, slice } = side;
    if (slice.call.length === 0 || (isUngoverned(side) && !isGoverned(old))) return [];
    const hasOtherResources =
      isResourceKind(leaf.kind) && beforeResources.get(server.id) !== afterResources.get(server.id);
    const hasOtherCallers = beforeCallers(slice.tenant) !== afterCallers(slice.tenant);
    if (old !== undefined && !hasOtherResources && !hasOtherCallers && fingerprint(old) === fingerprint(side))
      return [];
    const differs = { hasOtherResources, hasOtherCallers };
    return [{ tenant: slice.tenant, action: leaf.action, head: side, base: old, ...differs }];
  });
  const order = ({ action, tenant }: SymbolicPair): string => `${action}\0${tenant}`;
  return pairs.toSorted((a, b) => (order(a) < order(b) ? -1 : 1));
}

function questionSides({ content, issuers }: PlanSide): readonly QuestionSide[] {
  const leaves = new Map(
    content.registry.servers.flatMap((server) =>
      server.leaves.map((leaf) => [leaf.action, { server, leaf }] as const),
    ),
  );
  const tenants = new Set(
    content.policies.slices.map(({ tenant }) => tenant).filter((tenant) => tenant !== DEFAULT_TENANT),
  );
  return content.policies.slices.flatMap((slice) => {
    const found = leaves.get(slice.action);
    return found === undefined ? [] : [{ content, ...found, slice, issuers, tenants }];
  });
}

/** A method that no document speaks of: what follows from other permits, as the search has it. */
function isUngoverned({ leaf, slice }: QuestionSide): boolean {
  return isMethodKind(leaf.kind) && slice.call.every(({ id }) => id === IMPLIED_PERMIT);
}

/** Documents spoke of it before, if only to deny it to everybody. */
function isGoverned(old: QuestionSide | undefined): boolean {
  return old !== undefined && (old.slice.call.length === 0 || !isUngoverned(old));
}

function keyOf({ slice }: QuestionSide): string {
  return `${slice.tenant}\0${slice.action}`;
}

function resourceNames({ content }: PlanSide): ReadonlyMap<string, string> {
  return new Map(
    content.registry.servers.map(({ id, leaves }) => {
      const names = leaves.filter(({ kind }) => isResourceKind(kind)).map(({ kind, name }) => [kind, name]);
      return [id, canonicalJson(names.map((item) => item.join(" ")).sort())];
    }),
  );
}

/** All that makes callers of a tenant, as text: its issuers, and how their tokens are read. */
function callersByTenant({ content }: PlanSide): (tenant: TenantId) => string {
  const issuers = Object.entries(content.routes.environments).flatMap(([name, environment]) =>
    environment.issuers.map((issuer) => ({ name, issuer })),
  );
  const known = new Map<TenantId, string>();
  return (tenant) => {
    const own = issuers.filter(({ issuer: { tenant: fixed, tenantOf } }) =>
      tenantOf === undefined ? fixed === tenant : Object.values(tenantOf.map).includes(tenant),
    );
    const text =
      known.get(tenant) ??
      own
        .map((item) => canonicalJson(item as never))
        .sort()
        .join("\n");
    known.set(tenant, text);
    return text;
  };
}

/** Equal where every call of the leaf is decided alike, whatever the policies are called. */
function fingerprint(side: QuestionSide): string {
  const { server, leaf, slice, issuers, tenants } = side;
  const vouching = issuers.filter((issuer) => issuer.tenants.includes(slice.tenant));
  return canonicalJson([
    ...[server.id, server.tier, server.labels, leaf.kind, leaf.name, { ...annotationsOf(leaf) }],
    ...[programOf(side) as never, slice.call.map(({ residual }) => residual).sort(), slice.schema],
    ...[
      slice.derivations as never,
      vouching.map(({ attributes }) => attributes) as never,
      [...tenants].sort(),
    ],
  ]);
}
