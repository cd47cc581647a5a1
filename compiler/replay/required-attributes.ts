// Whether a recorded caller has every attribute that a version of the repository requires of its token.
import type { IssuerEntry } from "#bundle";
import { factName } from "#facts";
import type { KnownIdentity } from "./recorded-identity.ts";
import type { RecordedDecision } from "./recorded-decision.ts";
import type { ReplayInput } from "./replay-side.ts";

export type LackedAttributes =
  | { readonly kind: "none" }
  | { readonly kind: "lacks" }
  /** The record does not tell; the facts it would take. */
  | { readonly kind: "unknown"; readonly names: readonly string[] };

const REFUSED = "PRINCIPAL_ATTRIBUTE_MISSING";

/** `other`: the version on the other side, which may be the one that admitted the caller. */
export function lackedAttributes(
  record: RecordedDecision,
  side: ReplayInput,
  other: ReplayInput,
  { isOther }: KnownIdentity,
): LackedAttributes {
  const recorder = [side, other].find(({ digest }) => digest === record.digest);
  const checked = new Set(recorder === undefined ? [] : requiredLists(recorder, record).flat());
  const refused = new Set(record.code === REFUSED ? (record.detail ?? "").split(", ") : []);
  const unknown = new Set<string>();
  let isLacking = false;
  const lists = requiredLists(side, record);
  for (const required of lists) {
    const states = required.map((name) => ({
      name,
      has: isOther(name) ? undefined : hasAttribute(record, name, checked, refused),
    }));
    if (states.every(({ has }) => has === true)) return { kind: "none" };
    if (states.some(({ has }) => has === false)) isLacking = true;
    else
      for (const { name, has } of states) if (has === undefined) unknown.add(factName(["principal", name]));
  }
  if (lists.length === 0) return { kind: "none" };
  if (unknown.size > 0) return { kind: "unknown", names: [...unknown].sort() };
  return { kind: isLacking ? "lacks" : "none" };
}

/** One for each place where the issuer is configured: it admits who satisfies one of them. */
function requiredLists(
  { content }: ReplayInput,
  { issuer, tenant }: RecordedDecision,
): readonly (readonly string[])[] {
  const all = Object.values(content.routes.environments).flatMap((environment) => environment.issuers);
  const named = all.filter((entry) => entry.issuer === issuer);
  const vouching = (named.length > 0 ? named : all).filter((entry) => tenantsOf(entry).includes(tenant));
  return vouching.map(({ attributes }) =>
    attributes.filter(({ required }) => required).map(({ attribute }) => attribute),
  );
}

function tenantsOf({ tenant, tenantOf }: IssuerEntry): readonly string[] {
  return tenantOf === undefined ? [tenant] : Object.values(tenantOf.map);
}

function hasAttribute(
  { facts }: RecordedDecision,
  name: string,
  checked: ReadonlySet<string>,
  refused: ReadonlySet<string>,
): boolean | undefined {
  if (refused.has(name)) return false;
  const state = facts?.state(["principal", name]).kind;
  if (state === "value" || state === "withheld") return true;
  if (state === "absent") return false;
  return checked.has(name) ? true : undefined;
}
