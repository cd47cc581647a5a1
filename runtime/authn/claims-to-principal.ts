// Verified claims to a principal. Strict about types: a claim of the wrong type is refused, never read as empty.
import { createHash } from "node:crypto";
import type {
  AttributeMapping,
  AuthFacts,
  IssuerEntry,
  PrincipalFacts,
  PrincipalType,
  TenantId,
} from "#bundle";
import { AegisError } from "#errors";
import { isJsonObject } from "#std";
import type { JsonObject, JsonValue } from "#std";
import { claimAt, ownClaim } from "./bearer-token.ts";
import type { Principal } from "./principal.ts";

/** Roles, groups, or members of one set attribute. */
const maxListed = 500;
/** UTF-16 code units of one claim value. */
const maxClaimLength = 2_048;

/** The end of year 9999, seconds since the epoch: what a date in text can say. */
const MAX_INSTANT_S = 253_402_300_799;

/** How far the clocks of an issuer and of the gateway may be apart. */
export const TOKEN_TOLERANCE_SECONDS = 30;

type AttributeValue = PrincipalFacts["attributes"][string];

/**
 * Maps the claims of a verified token as the issuer's entry says.
 * Throws AegisError AUTHN_TOKEN_INVALID on a claim of the wrong type and on a token that leaves groups to a directory.
 */
export function principalFromClaims(claims: JsonObject, issuer: IssuerEntry): Principal {
  const subject = identifier(ownClaim(claims, "sub"), "sub");
  const id = identifier(claimAt(claims, issuer.idClaim), issuer.idClaim);
  refuseOverage(claims, issuer);
  const mapped = mapAttributes(claims, issuer.attributes);
  const clientId =
    optionalIdentifier(claims, "client_id") ??
    optionalIdentifier(claims, "azp") ??
    optionalIdentifier(claims, "cid");
  const tenant = tenantOf(claims, issuer);
  return {
    facts: {
      type: typeOf(claims, issuer, subject, clientId),
      id,
      tenant,
      roles: roleNames(namesOf(claims, issuer.rolesClaim), issuer.roleMap),
      groups: namesOf(claims, issuer.groupsClaim),
      attributes: mapped.attributes,
    },
    auth: authFacts(claims, issuer),
    issuer: issuer.issuer,
    subject,
    clientId,
    missingAttributes: mapped.missing,
    expiresAtMs: expiryMs(claims),
    bindingKey: bindingKey([issuer.issuer, subject, tenant, clientId ?? null]),
  };
}

/** A value that the map does not list belongs to no tenant: the token is refused, never taken for the default. */
function tenantOf(claims: JsonObject, issuer: IssuerEntry): TenantId {
  if (issuer.tenantOf === undefined) return issuer.tenant;
  const { claim, map } = issuer.tenantOf;
  const value = claimAt(claims, claim);
  if (typeof value === "string" && Object.hasOwn(map, value)) return map[value] ?? issuer.tenant;
  throw new AegisError("AUTHN_TOKEN_INVALID", `the claim ${claim} names no tenant`);
}

/** RFC 9068, 2.2: the subject of a client that acts for itself is the client. */
function typeOf(
  claims: JsonObject,
  issuer: IssuerEntry,
  subject: string,
  clientId: string | undefined,
): PrincipalType {
  if (issuer.agents === undefined) return subject === clientId ? "Agent" : "User";
  const value = claimAt(claims, issuer.agents.claim);
  return typeof value === "string" && issuer.agents.values.includes(value) ? "Agent" : "User";
}

/** RFC 9068, 2.2.1 and 2.2.3; RFC 8176. `scp` is what Entra ID and Okta call `scope`. */
function authFacts(claims: JsonObject, issuer: IssuerEntry): AuthFacts {
  const amr = ownClaim(claims, "amr");
  const acr = ownClaim(claims, "acr");
  const authenticatedAt = instantMs(claims, "auth_time");
  return {
    issuer: issuer.issuer,
    amr: amr === undefined || amr === null ? [] : stringList(amr, "amr"),
    ...(typeof acr === "string" && isText(acr) ? { acr } : {}),
    scopes: scopesOf(ownClaim(claims, "scope") ?? ownClaim(claims, "scp")),
    issuedAtMs: instantMs(claims, "iat") ?? 0,
    ...(authenticatedAt === undefined ? {} : { authenticatedAtMs: authenticatedAt }),
  };
}

function scopesOf(value: JsonValue | undefined): readonly string[] {
  if (value === undefined || value === null) return [];
  const text = typeof value === "string" ? value.split(" ").filter((scope) => scope !== "") : value;
  return stringList(text, "scope");
}

function instantMs(claims: JsonObject, claim: string): number | undefined {
  const value = ownClaim(claims, claim);
  return typeof value === "number" && Number.isFinite(value) && value >= 0 && value <= MAX_INSTANT_S
    ? Math.floor(value * 1_000)
    : undefined;
}

interface MappedAttributes {
  readonly attributes: PrincipalFacts["attributes"];
  readonly missing: readonly string[];
}

function mapAttributes(claims: JsonObject, mappings: readonly AttributeMapping[]): MappedAttributes {
  const entries: [string, AttributeValue][] = [];
  const missing: string[] = [];
  for (const mapping of mappings) {
    const value = claimAt(claims, mapping.claim);
    if (value !== undefined && value !== null)
      entries.push([mapping.attribute, attributeValue(value, mapping)]);
    else if (mapping.required) missing.push(mapping.attribute);
  }
  return { attributes: Object.fromEntries(entries), missing: missing.sort() };
}

function attributeValue(value: JsonValue, mapping: AttributeMapping): AttributeValue {
  switch (mapping.type) {
    case "String":
      if (isText(value)) return value;
      break;
    case "Bool":
      if (typeof value === "boolean") return value;
      break;
    case "Long":
      if (typeof value === "number" && Number.isSafeInteger(value)) return value;
      break;
    case "StringSet":
      return stringList(value, mapping.claim);
  }
  throw new AegisError("AUTHN_TOKEN_INVALID", `the claim ${mapping.claim} is not a ${mapping.type}`);
}

function namesOf(claims: JsonObject, claim: string | undefined): readonly string[] {
  const value = claim === undefined ? undefined : claimAt(claims, claim);
  return value === undefined || claim === undefined ? [] : stringList(value, claim);
}

// One string is one name: it is not split at spaces or commas.
function stringList(value: JsonValue, claim: string): readonly string[] {
  const list: readonly JsonValue[] = Array.isArray(value) ? value : [value as JsonValue];
  if (list.length > maxListed)
    throw new AegisError("AUTHN_TOKEN_INVALID", `the claim ${claim} has too many members`);
  if (!list.every(isText))
    throw new AegisError("AUTHN_TOKEN_INVALID", `the claim ${claim} is not a list of strings`);
  return [...new Set(list)].sort();
}

function roleNames(values: readonly string[], map: IssuerEntry["roleMap"]): readonly string[] {
  if (map === undefined) return values;
  const roles = values.flatMap((value) => (Object.hasOwn(map, value) ? [map[value] ?? ""] : []));
  return [...new Set(roles)].filter((role) => role !== "").sort();
}

// Entra ID leaves out groups (and roles) beyond some number and says so: reading that as "none" would lift every
// forbid that names a group.
function refuseOverage(claims: JsonObject, issuer: IssuerEntry): void {
  const distributed = ownClaim(claims, "_claim_names");
  const named = isJsonObject(distributed) ? Object.keys(distributed) : [];
  const wanted = [issuer.rolesClaim, issuer.groupsClaim, ...issuer.attributes.map(({ claim }) => claim)];
  const left =
    named.some((name) => wanted.includes(name)) || (distributed !== undefined && named.length === 0);
  const hidden = ownClaim(claims, "hasgroups") !== undefined && ownClaim(claims, "hasgroups") !== false;
  if (left || (hidden && (issuer.groupsClaim !== undefined || wanted.includes("groups")))) {
    throw new AegisError("AUTHN_TOKEN_INVALID", "the token leaves claims to a directory (group overage)");
  }
}

function identifier(value: JsonValue | undefined, claim: string): string {
  if (value !== undefined && isText(value) && value !== "") return value;
  throw new AegisError("AUTHN_TOKEN_INVALID", `the claim ${claim} does not identify the caller`);
}

function optionalIdentifier(claims: JsonObject, claim: string): string | undefined {
  const value = ownClaim(claims, claim);
  return value === undefined ? undefined : identifier(value, claim);
}

function isText(value: JsonValue): value is string {
  return typeof value === "string" && value.length <= maxClaimLength && value.isWellFormed();
}

/** What hangs on a token lives as long as the token is accepted: who is cut sooner would come back with it at once. */
function expiryMs(claims: JsonObject): number {
  const expiry = ownClaim(claims, "exp");
  if (typeof expiry === "number" && Number.isFinite(expiry))
    return (expiry + TOKEN_TOLERANCE_SECONDS) * 1_000;
  throw new AegisError("AUTHN_TOKEN_INVALID", "the token has no expiry");
}

function bindingKey(parts: readonly (string | null)[]): string {
  return createHash("sha256").update(JSON.stringify(parts)).digest("hex");
}
