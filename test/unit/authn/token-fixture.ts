// Keys, issuers and tokens for the verifier's tests.
import { createHmac } from "node:crypto";
import { SignJWT, exportJWK, exportSPKI, generateKeyPair } from "jose";
import type { CryptoKey, JWK } from "jose";
import type { IssuerEntry, RouteEntry } from "#bundle";
import type { JsonObject } from "#std";

export const NOW_MS = 1_800_000_000_000;
export const ISSUER = "https://idp.example";

export const route: RouteEntry = {
  path: "/sql-prod/mcp",
  tenant: "default",
  servers: ["sql-prod"],
  resource: "https://gw.example/sql-prod/mcp",
  issuers: [ISSUER, "https://acme.example"],
  deadlineMs: 10_000,
  maxResponseBytes: 1_000_000,
};

export interface KeyPair {
  readonly privateKey: CryptoKey;
  readonly publicKey: CryptoKey;
  readonly jwk: JWK;
}

export async function keyPair(alg: string, kid: string): Promise<KeyPair> {
  const { privateKey, publicKey } = await generateKeyPair(alg, { extractable: true });
  return { privateKey, publicKey, jwk: { ...(await exportJWK(publicKey)), kid, alg, use: "sig" } };
}

export const keys = {
  main: await keyPair("ES256", "main"),
  rsa: await keyPair("RS256", "rsa"),
  foreign: await keyPair("ES256", "main"),
  foreignRsa: await keyPair("RS256", "main"),
};

export function issuer(overrides: Partial<IssuerEntry> = {}): IssuerEntry {
  return {
    issuer: ISSUER,
    keys: { type: "jwks", jwks: { keys: [keys.main.jwk, keys.rsa.jwk] } as unknown as JsonObject },
    algorithms: ["ES256", "RS256"],
    tenant: "default",
    idClaim: "sub",
    rolesClaim: "roles",
    roleMap: { Developer: "Developer", dev: "Developer", Employee: "Employee" },
    groupsClaim: "groups",
    attributes: [
      { attribute: "is_external", claim: "ext", type: "Bool", required: true },
      { attribute: "level", claim: "level", type: "Long", required: false },
      { attribute: "unit", claim: "org.unit.name", type: "String", required: false },
      { attribute: "tags", claim: "https://corp.example/tags", type: "StringSet", required: false },
    ],
    ...overrides,
  };
}

export type Changes = Readonly<Record<string, unknown>>;

export function claims(changes: Changes = {}): Record<string, unknown> {
  const nowSeconds = NOW_MS / 1_000;
  const result: Record<string, unknown> = {
    iss: ISSUER,
    aud: route.resource,
    sub: "ada",
    exp: nowSeconds + 300,
    iat: nowSeconds - 10,
    client_id: "agent",
    roles: ["Developer"],
    groups: ["data"],
    ext: false,
  };
  for (const [name, value] of Object.entries(changes)) {
    if (value === null) Reflect.deleteProperty(result, name);
    else if (value === "@null") result[name] = null;
    else if (["exp", "nbf", "iat"].includes(name) && typeof value === "number")
      result[name] = nowSeconds + value;
    else if (name === "padding") result[name] = "x".repeat(9_000);
    else result[name] = value;
  }
  return result;
}

export function header(changes: Changes = {}): Record<string, unknown> {
  const result: Record<string, unknown> = { alg: "ES256", kid: "main", typ: "at+jwt" };
  for (const [name, value] of Object.entries(changes)) {
    if (value === null) Reflect.deleteProperty(result, name);
    else result[name] = value;
  }
  return result;
}

const encode = (value: unknown): string => Buffer.from(JSON.stringify(value)).toString("base64url");

export async function sign(
  key: CryptoKey,
  head: Record<string, unknown>,
  body: Record<string, unknown>,
): Promise<string> {
  // Signed by hand: the library refuses to make most of these tokens.
  const input = `${encode(head)}.${encode(body)}`;
  const rsa = key.algorithm.name.startsWith("RSA");
  const algorithm = rsa ? { name: "RSASSA-PKCS1-v1_5" } : { name: "ECDSA", hash: "SHA-256" };
  const signature = await crypto.subtle.sign(algorithm, key, new TextEncoder().encode(input));
  return `${input}.${Buffer.from(signature).toString("base64url")}`;
}

export async function token(
  options: { signer?: string; header?: Changes; claims?: Changes } = {},
): Promise<string> {
  const body = claims(options.claims);
  switch (options.signer) {
    case "none": {
      const head = header({ alg: "none", ...options.header });
      return `${encode(head)}.${encode(body)}.AA`;
    }
    case "hs256-of-public-key": {
      const input = `${encode(header({ alg: "HS256", kid: "rsa" }))}.${encode(body)}`;
      const secret = await exportSPKI(keys.rsa.publicKey);
      return `${input}.${createHmac("sha256", secret).update(input).digest("base64url")}`;
    }
    case "foreign-rsa":
      return sign(keys.foreignRsa.privateKey, header({ alg: "RS256", kid: "rsa", ...options.header }), body);
    case "foreign-ec-embedded":
      return sign(keys.foreign.privateKey, header({ jwk: keys.foreign.jwk, ...options.header }), body);
    default:
      return sign(keys.main.privateKey, header(options.header), body);
  }
}

/** A token as an ordinary issuer makes it. */
export async function plainToken(pair: KeyPair, kid: string, changes: Changes = {}): Promise<string> {
  return new SignJWT(claims(changes))
    .setProtectedHeader({ alg: "ES256", kid, typ: "at+jwt" })
    .sign(pair.privateKey);
}
