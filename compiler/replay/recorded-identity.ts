// Which facts of a recorded caller a version of the repository would read from other claims of its token, or not at all.
import { canonicalJson } from "#bundle";
import type { IssuerEntry } from "#bundle";
import type { JsonValue } from "#std";
import type { RecordedDecision } from "./recorded-decision.ts";
import type { ReplayInput } from "./replay-side.ts";

/** What a version makes of a recorded caller. */
export type RecordedIdentity =
  /** The issuer of its token is not accepted any more. */
  | { readonly kind: "untrusted" }
  /** It may be another principal altogether; the facts that would tell. */
  | { readonly kind: "unknown"; readonly names: readonly string[] }
  | {
      readonly kind: "known";
      /** True for an attribute that is read from another claim, or as another type, than the recorded one. */
      readonly isOther: (attribute: string) => boolean;
      readonly hasOtherRoles: boolean;
      readonly hasOtherGroups: boolean;
    };

export type KnownIdentity = Extract<RecordedIdentity, { kind: "known" }>;

/** Read as the recorder read it. */
export const AS_RECORDED: KnownIdentity = {
  kind: "known",
  isOther: () => false,
  hasOtherRoles: false,
  hasOtherGroups: false,
};

type Named = readonly (readonly [environment: string, entry: IssuerEntry])[];

/**
 * Compares with the version that recorded, where that is one of the two, else with the other one: what they read
 * differently at least one of them reads differently than the recorder.
 */
export function recordedIdentity(
  record: RecordedDecision,
  side: ReplayInput,
  other: ReplayInput,
): RecordedIdentity {
  const reference = record.digest === side.digest ? side : other;
  const [is, was] = [entriesOf(side, record.issuer), entriesOf(reference, record.issuer)];
  if (is.length === 0 && was.length > 0) return { kind: "untrusted" };
  // The other one cannot have recorded it, so there is nothing to compare with.
  if (was.length === 0 && is.length > 0 && record.digest !== other.digest) return AS_RECORDED;
  // An issuer that neither knows may be any of theirs.
  const after = is.length > 0 || was.length > 0 ? is : entriesOf(side);
  const before = is.length > 0 || was.length > 0 ? was : entriesOf(reference);
  const differs = (read: (entry: IssuerEntry) => unknown): boolean =>
    readings(before, read) !== readings(after, read);
  const names = [
    ...(differs((entry) => tenancy(entry, record.tenant)) ? ["principal.tenant"] : []),
    ...(differs(({ idClaim }) => idClaim) ? ["principal.id"] : []),
    ...(differs(({ agents }) => agents ?? null) ? ["principal.type"] : []),
  ];
  if (names.length > 0) return { kind: "unknown", names };
  return {
    kind: "known",
    isOther: (attribute) => differs((entry) => mappingOf(entry, attribute)),
    hasOtherRoles: differs(({ rolesClaim, roleMap }) => [rolesClaim ?? null, roleMap ?? null]),
    hasOtherGroups: differs(({ groupsClaim }) => groupsClaim ?? null),
  };
}

/** Everything about issuers that makes a principal of a token. */
export function identityOf({ content }: ReplayInput): JsonValue {
  const entries = Object.entries(content.routes.environments).map(([name, { issuers }]) => [
    name,
    issuers.map(({ keys: _keys, algorithms: _algorithms, tokenType: _type, ...rest }) => rest),
  ]);
  return entries as unknown as JsonValue;
}

function entriesOf({ content }: ReplayInput, issuer?: string): Named {
  return Object.entries(content.routes.environments).flatMap(([name, { issuers }]) =>
    issuers
      .filter((entry) => issuer === undefined || entry.issuer === issuer)
      .map((entry) => [name, entry] as const),
  );
}

function readings(entries: Named, read: (entry: IssuerEntry) => unknown): string {
  const all = entries.map(([name, entry]) => canonicalJson([name, entry.issuer, read(entry) as JsonValue]));
  return all.sort().join("\n");
}

/** How a token comes to belong to this tenant. */
function tenancy({ tenant: own, tenantOf }: IssuerEntry, tenant: string): JsonValue {
  if (tenantOf === undefined) return own === tenant;
  const values = Object.entries(tenantOf.map).filter(([, id]) => id === tenant);
  return [tenantOf.claim, values.map(([value]) => value).sort()];
}

function mappingOf({ attributes }: IssuerEntry, attribute: string): JsonValue {
  return attributes.filter((entry) => entry.attribute === attribute).map(({ claim, type }) => [claim, type]);
}
