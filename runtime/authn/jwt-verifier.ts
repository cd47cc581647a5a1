// JWT access tokens (RFC 9068 and what issuers send instead), verified for one endpoint.
import { errors, jwtVerify } from "jose";
import type { JWTVerifyGetKey, JWTVerifyResult } from "jose";
import type { IssuerEntry, RouteEntry } from "#bundle";
import { AegisError, isAegisError } from "#errors";
import { isJsonObject } from "#std";
import type { JsonObject, JsonValue } from "#std";
import { MAX_TOKEN_LENGTH, bearerToken, claimedIssuer, ownClaim } from "./bearer-token.ts";
import { TOKEN_TOLERANCE_SECONDS, principalFromClaims } from "./claims-to-principal.ts";
import { KeysUnavailable, issuerKeys } from "./issuer-keys.ts";
import type { KeyOptions } from "./issuer-keys.ts";
import { PrincipalCache } from "./principal-cache.ts";
import type { Principal } from "./principal.ts";

/** Signature algorithms an issuer may use. No HMAC: a public key must never serve as a shared secret. */
const TOKEN_ALGORITHMS: readonly string[] = [
  "ES256",
  "ES384",
  "ES512",
  "Ed25519",
  "EdDSA",
  "PS256",
  "PS384",
  "PS512",
  "RS256",
  "RS384",
  "RS512",
];

const BEARER = "Bearer ";
const maxCachedTokens = 10_000;
const maxCacheAgeMs = 60_000;
/** Header types of an access token where the issuer's entry names none. */
const accessTokenTypes: ReadonlySet<string> = new Set(["at+jwt", "jwt"]);
/** Claims only ID tokens, logout tokens and sender-constrained tokens have. */
const foreignClaims: readonly string[] = ["nonce", "at_hash", "c_hash", "s_hash", "events", "cnf"];

export interface TokenVerifier {
  /**
   * Verifies the token of an Authorization header for a route.
   * Throws AegisError AUTHN_TOKEN_MISSING, AUTHN_TOKEN_INVALID, AUTHN_TOKEN_EXPIRED, AUTHN_ISSUER_UNKNOWN,
   * AUTHN_AUDIENCE_INVALID, AUTHN_TENANT_MISMATCH, AUTHN_KEYS_UNAVAILABLE. No message contains any part of the token.
   */
  readonly verify: (
    authorizationHeader: string | undefined,
    route: RouteEntry,
    nowMs: number,
    signal?: AbortSignal,
  ) => Promise<Principal>;
  /**
   * The principal of a token that was verified for this route a short time ago; undefined for every other token, good
   * or bad, which `verify` then judges. Never throws.
   */
  readonly known: (
    authorizationHeader: string | undefined,
    route: RouteEntry,
    nowMs: number,
  ) => Principal | undefined;
}

export interface TokenVerifierOptions {
  readonly keys?: KeyOptions;
  readonly maxCachedTokens?: number;
}

interface Issuer {
  readonly entry: IssuerEntry;
  readonly keys: JWTVerifyGetKey;
}

/**
 * A verifier for the given issuers; key sets are fetched on first use.
 * Throws AegisError AUTHN_KEYS_UNAVAILABLE where an issuer's keys or algorithms cannot be used.
 */
export function createTokenVerifier(
  issuers: readonly IssuerEntry[],
  options: TokenVerifierOptions = {},
): TokenVerifier {
  const known = new Map(
    issuers.map((entry) => [entry.issuer, { entry, keys: issuerKeys(entry, options.keys) }]),
  );
  for (const { issuer, algorithms } of issuers) {
    if (algorithms.length === 0 || !algorithms.every((name) => TOKEN_ALGORITHMS.includes(name))) {
      throw new AegisError("AUTHN_KEYS_UNAVAILABLE", `${issuer} must use asymmetric algorithms`);
    }
  }
  const cache = new PrincipalCache(options.maxCachedTokens ?? maxCachedTokens, maxCacheAgeMs);
  return {
    known: (header, route, nowMs) => {
      if (header?.startsWith(BEARER) !== true || header.length > MAX_TOKEN_LENGTH) return undefined;
      const principal = cache.get(PrincipalCache.key(header.slice(BEARER.length), route.resource), nowMs);
      if (principal === undefined || !route.issuers.includes(principal.issuer)) return undefined;
      return principal.facts.tenant === route.tenant ? principal : undefined;
    },
    verify: async (header, route, nowMs, signal) => {
      const token = bearerToken(header);
      const issuer = chooseIssuer(known, claimedIssuer(token), route);
      const key = PrincipalCache.key(token, route.resource);
      const cached = cache.get(key, nowMs);
      if (cached !== undefined) return ofTenant(cached, route);
      const principal = await verifyToken(token, issuer, route, nowMs, signal);
      cache.set(key, principal, nowMs);
      return ofTenant(principal, route);
    },
  };
}

function chooseIssuer(known: ReadonlyMap<string, Issuer>, claimed: string, route: RouteEntry): Issuer {
  const issuer = route.issuers.includes(claimed) ? known.get(claimed) : undefined;
  if (issuer === undefined)
    throw new AegisError("AUTHN_ISSUER_UNKNOWN", "the issuer is not accepted at this endpoint");
  if (issuer.entry.tenantOf === undefined && issuer.entry.tenant !== route.tenant) {
    throw new AegisError("AUTHN_TENANT_MISMATCH", "the issuer vouches for another tenant");
  }
  return issuer;
}

/** Where a claim says the tenant, only the verified token does. */
function ofTenant(principal: Principal, route: RouteEntry): Principal {
  if (principal.facts.tenant === route.tenant) return principal;
  throw new AegisError("AUTHN_TENANT_MISMATCH", "the caller belongs to another tenant");
}

async function verifyToken(
  token: string,
  issuer: Issuer,
  route: RouteEntry,
  nowMs: number,
  signal: AbortSignal | undefined,
): Promise<Principal> {
  try {
    const verified = await abortable(
      jwtVerify(token, issuer.keys, {
        issuer: issuer.entry.issuer,
        audience: route.resource,
        algorithms: [...issuer.entry.algorithms],
        requiredClaims: ["sub", "exp", "iat"],
        clockTolerance: TOKEN_TOLERANCE_SECONDS,
        currentDate: new Date(nowMs),
        ...(issuer.entry.tokenType === undefined ? {} : { typ: issuer.entry.tokenType }),
      }),
      signal,
    );
    const claims = verified.payload as JsonObject;
    refuseOtherTokens(verified, issuer.entry, nowMs);
    return principalFromClaims(claims, issuer.entry);
  } catch (cause) {
    throw isAegisError(cause) ? cause : asAegisError(cause);
  }
}

// What jose leaves to its caller: further audiences, the kind of token, and an `iat` in the future.
function refuseOtherTokens(verified: JWTVerifyResult, entry: IssuerEntry, nowMs: number): void {
  const { payload, protectedHeader } = verified;
  if (Array.isArray(payload.aud) && payload.aud.length !== 1) {
    throw new AegisError("AUTHN_AUDIENCE_INVALID", "the token is for several audiences");
  }
  const claims = payload as JsonObject;
  const type = protectedHeader.typ?.toLowerCase().replace(/^application\//, "");
  if (entry.tokenType === undefined && type !== undefined && !accessTokenTypes.has(type)) {
    throw new AegisError("AUTHN_TOKEN_INVALID", "the token is not an access token");
  }
  if (
    foreignClaims.some((claim) => ownClaim(claims, claim) !== undefined) ||
    ownClaim(claims, "typ") === "ID"
  ) {
    throw new AegisError("AUTHN_TOKEN_INVALID", "the token is an ID, logout or sender-constrained token");
  }
  const issuedAt: JsonValue | undefined = ownClaim(claims, "iat");
  if (typeof issuedAt !== "number" || issuedAt > nowMs / 1_000 + TOKEN_TOLERANCE_SECONDS) {
    throw new AegisError("AUTHN_TOKEN_INVALID", "the token was issued in the future");
  }
  if (!isJsonObject(claims)) throw new AegisError("AUTHN_TOKEN_INVALID", "the token has no claims");
}

// jose's messages name claims and headers, never their values; still only its code is kept.
function asAegisError(cause: unknown): AegisError {
  if (cause instanceof errors.JWTExpired)
    return new AegisError("AUTHN_TOKEN_EXPIRED", "the token has expired");
  if (cause instanceof errors.JWTClaimValidationFailed) {
    if (cause.claim === "aud")
      return new AegisError("AUTHN_AUDIENCE_INVALID", "the token is for another audience");
    return new AegisError("AUTHN_TOKEN_INVALID", `the claim ${cause.claim} was refused (${cause.reason})`);
  }
  if (
    cause instanceof KeysUnavailable ||
    cause instanceof errors.JWKSTimeout ||
    cause instanceof errors.JWKSInvalid
  ) {
    return new AegisError("AUTHN_KEYS_UNAVAILABLE", "the issuer's keys are unavailable", { cause });
  }
  if (cause instanceof errors.JOSEError)
    return new AegisError("AUTHN_TOKEN_INVALID", `refused: ${cause.code}`);
  return new AegisError("AUTHN_TOKEN_INVALID", "the token could not be verified");
}

/** Settles with the work, or rejects on abort; key fetches have their own time limit and end by themselves. */
async function abortable<T>(work: Promise<T>, signal: AbortSignal | undefined): Promise<T> {
  if (signal === undefined) return work;
  const aborted = Promise.withResolvers<never>();
  const onAbort = (): void =>
    aborted.reject(new AegisError("EXCHANGE_ABORTED", "aborted while verifying the token"));
  if (signal.aborted) onAbort();
  signal.addEventListener("abort", onAbort, { once: true });
  try {
    return await Promise.race([work, aborted.promise]);
  } finally {
    signal.removeEventListener("abort", onAbort);
  }
}
