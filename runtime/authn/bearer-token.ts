// The bearer token as text: taken from the header, and looked into just far enough to choose an issuer.
import { AegisError } from "#errors";
import { isJsonObject } from "#std";
import type { JsonObject, JsonValue } from "#std";

/** Characters of a token; larger ones are refused before any work. */
export const MAX_TOKEN_LENGTH = 8_192;

/**
 * The token of an `Authorization: Bearer <token>` header (RFC 6750 section 2.1).
 * Throws AegisError AUTHN_TOKEN_MISSING, AUTHN_TOKEN_INVALID.
 */
export function bearerToken(header: string | undefined): string {
  if (header === undefined || header === "")
    throw new AegisError("AUTHN_TOKEN_MISSING", "no Authorization header");
  const space = header.indexOf(" ");
  const scheme = space < 0 ? header : header.slice(0, space);
  if (scheme.toLowerCase() !== "bearer")
    throw new AegisError("AUTHN_TOKEN_MISSING", "the scheme is not Bearer");
  const token = header.slice(space + 1);
  if (space < 0 || token === "") throw new AegisError("AUTHN_TOKEN_MISSING", "no token after Bearer");
  if (token.length > MAX_TOKEN_LENGTH) throw new AegisError("AUTHN_TOKEN_INVALID", "the token is too long");
  // Three base64url parts, none empty: no padding, no white space, no JWE, no stripped signature.
  if (!/^[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+$/.test(token)) {
    throw new AegisError("AUTHN_TOKEN_INVALID", "the token is not a compact JWS");
  }
  return token;
}

/** The `iss` that the token claims, unverified: good for choosing keys and nothing else. */
export function claimedIssuer(token: string): string {
  const payload = token.slice(token.indexOf(".") + 1, token.lastIndexOf("."));
  let claims: JsonValue;
  try {
    claims = JSON.parse(Buffer.from(payload, "base64url").toString("utf8")) as JsonValue;
  } catch (cause) {
    throw new AegisError("AUTHN_TOKEN_INVALID", "the token's payload is not JSON", { cause });
  }
  const issuer = isJsonObject(claims) ? ownClaim(claims, "iss") : undefined;
  if (typeof issuer !== "string") throw new AegisError("AUTHN_TOKEN_INVALID", "the token names no issuer");
  return issuer;
}

/** A claim by name; a name that is no claim itself descends into objects at its dots. */
export function claimAt(claims: JsonObject, name: string): JsonValue | undefined {
  const direct = ownClaim(claims, name);
  if (direct !== undefined) return direct;
  let current: JsonValue | undefined = claims;
  for (const part of name.split(".")) current = isJsonObject(current) ? ownClaim(current, part) : undefined;
  return current;
}

/** An own member of an object that came from outside. */
export function ownClaim(object: JsonObject, name: string): JsonValue | undefined {
  return Object.hasOwn(object, name) ? object[name] : undefined;
}
