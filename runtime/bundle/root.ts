// The trust root: which keys may sign releases and roots, and how many of them must. The first root is pinned by the
// gateway's own configuration; each later one is signed by the thresholds of its predecessor and of itself.
import { TrustError } from "#errors";
import { canonicalJson } from "./canonical-json.ts";
import {
  closedObject,
  decodeFault,
  decodeWith,
  digest,
  listOf,
  mapOf,
  nonEmptyText,
  oneOf,
  text,
} from "./decoder.ts";
import { wholeNumber } from "./decoder.ts";
import type { Decode } from "./decoder.ts";
import { hash } from "node:crypto";
import { sha256Hex } from "./digest.ts";
import type { Digest } from "./sections.ts";
import { documentPayload, parseSignedDocument, requireThreshold } from "./signed-document.ts";
import type { DocumentCodes, PublicJwk, SignedDocument, TrustedKey, TrustedRole } from "./signed-document.ts";
import { instant } from "./instant.ts";

/** Payload of a root document. */
export interface RootDocument {
  readonly formatVersion: 1;
  /** 1, 2, 3 … without gaps. */
  readonly version: number;
  /** Raised to void every sequence released so far, the cure for a leaked key that burned the sequence. */
  readonly epoch: number;
  /** RFC 3339 UTC, whole seconds. */
  readonly expiresAt: string;
  /** By key id: the RFC 7638 thumbprint of the key, so that one key cannot stand under two ids. */
  readonly keys: Readonly<Record<string, TrustedKey>>;
  readonly roles: { readonly root: TrustedRole; readonly release: TrustedRole };
  /** Bundles that must not run, whoever signed them. */
  readonly revokedDigests: readonly Digest[];
}

/** A root whose signatures were verified, with the bytes it came in. */
export interface TrustedRoot {
  readonly document: RootDocument;
  readonly bytes: Uint8Array;
}

export const ROOT_CODES: DocumentCodes = {
  malformed: "ROOT_INVALID",
  unsigned: "ROOT_INVALID",
  badSignature: "ROOT_INVALID",
  belowThreshold: "ROOT_INVALID",
};

/** Roots that one update may walk through; more means a channel that never ends. */
export const MAX_ROOT_STEPS = 64;

/**
 * Opens the first root. `expectedSha256` is the pin from the process configuration, over the exact bytes.
 * Throws TrustError ROOT_DIGEST_MISMATCH, ROOT_INVALID. Expiry is checked where the root is used.
 */
export async function openPinnedRoot(bytes: Uint8Array, expectedSha256: Digest): Promise<TrustedRoot> {
  const actual = sha256Hex(bytes);
  if (actual !== expectedSha256) {
    throw new TrustError("ROOT_DIGEST_MISMATCH", `expected ${expectedSha256}, the root hashes to ${actual}`);
  }
  return openSelfSignedRoot(bytes);
}

/** Opens a root that only its own keys vouch for. Trust in it must come from elsewhere. Throws ROOT_INVALID. */
export async function openSelfSignedRoot(bytes: Uint8Array): Promise<TrustedRoot> {
  const signed = parseSignedDocument(bytes, ROOT_CODES);
  const document = decodeRoot(signed);
  await requireThreshold(signed, "aegis-root", document.keys, document.roles.root, ROOT_CODES);
  return { document, bytes };
}

/**
 * Steps from root N to root N+1 (TUF client workflow 5.3). Throws TrustError ROOT_INVALID where the version is not
 * N+1, the epoch falls, or the root threshold of N or of N+1 is not met.
 */
export async function advanceRoot(current: TrustedRoot, nextBytes: Uint8Array): Promise<TrustedRoot> {
  const signed = parseSignedDocument(nextBytes, ROOT_CODES);
  const { document } = current;
  // 5.3.4: the threshold of N, before a byte of the payload is believed; then the threshold of N+1.
  await requireThreshold(signed, "aegis-root", document.keys, document.roles.root, ROOT_CODES);
  const next = decodeRoot(signed);
  await requireThreshold(signed, "aegis-root", next.keys, next.roles.root, ROOT_CODES);
  // 5.3.5: exactly the next version.
  if (next.version !== document.version + 1) {
    throw new TrustError("ROOT_INVALID", `version ${String(next.version)} after ${String(document.version)}`);
  }
  if (next.epoch < document.epoch) throw new TrustError("ROOT_INVALID", "the epoch is lower than before");
  return { document: next, bytes: nextBytes };
}

/** Throws TrustError ROOT_EXPIRED. TUF 5.3.10: only the last root of the chain must be fresh. */
export function requireFreshRoot(root: TrustedRoot, nowMs: number): void {
  if (nowMs >= Date.parse(root.document.expiresAt)) {
    throw new TrustError(
      "ROOT_EXPIRED",
      `root ${String(root.document.version)} expired ${root.document.expiresAt}`,
    );
  }
}

/** RFC 7638 thumbprint, base64url sha-256. */
export function keyIdOf(jwk: PublicJwk): string {
  const { kty, crv, x, y } = jwk;
  return hash("sha256", canonicalJson(y === undefined ? { crv, kty, x } : { crv, kty, x, y }), "base64url");
}

/** Reads the payload of a root document whose signatures were or are about to be checked. Throws ROOT_INVALID. */
export function decodeRoot(signed: SignedDocument): RootDocument {
  return decodeRootPayload(documentPayload(signed, ROOT_CODES));
}

/** Checks the shape and the sense of a root payload. Throws TrustError ROOT_INVALID. */
export function decodeRootPayload(payload: Parameters<typeof rootShape>[0]): RootDocument {
  const document = decodeWith(rootShape, payload, "root", "ROOT_INVALID");
  for (const [kid, key] of Object.entries(document.keys)) {
    if (keyIdOf(key.jwk) !== kid)
      throw new TrustError("ROOT_INVALID", `key ${kid} is not the thumbprint of its key`);
    const curve = key.alg === "Ed25519" ? "Ed25519" : "P-256";
    if (key.jwk.crv !== curve) throw new TrustError("ROOT_INVALID", `key ${kid} does not fit ${key.alg}`);
  }
  for (const [name, role] of Object.entries(document.roles)) checkRole(name, role, document.keys);
  return document;
}

function checkRole(name: string, role: TrustedRole, keys: RootDocument["keys"]): void {
  if (new Set(role.keyids).size !== role.keyids.length) {
    throw new TrustError("ROOT_INVALID", `role ${name} lists a key twice`);
  }
  const unknown = role.keyids.find((kid) => !Object.hasOwn(keys, kid));
  if (unknown !== undefined)
    throw new TrustError("ROOT_INVALID", `role ${name} names unknown key ${unknown}`);
  if (role.threshold > role.keyids.length) {
    throw new TrustError("ROOT_INVALID", `role ${name} has fewer keys than its threshold`);
  }
}

/** 32 octets, canonical base64url: the length of a coordinate of either curve. */
const coordinate: Decode<string> = (value, at) => {
  const encoded = text(value, at);
  const octets = Buffer.from(encoded, "base64url");
  if (octets.length !== 32 || octets.toString("base64url") !== encoded)
    throw decodeFault(at, "expected 32 octets");
  return encoded;
};

const publicJwk: Decode<PublicJwk> = (value, at) => {
  const jwk = closedObject<PublicJwk>(
    { kty: oneOf("OKP", "EC"), crv: oneOf("Ed25519", "P-256"), x: coordinate },
    { y: coordinate },
  )(value, at);
  const isEdwards = jwk.kty === "OKP" && jwk.crv === "Ed25519" && jwk.y === undefined;
  const isNist = jwk.kty === "EC" && jwk.crv === "P-256" && jwk.y !== undefined;
  if (!isEdwards && !isNist) throw decodeFault(at, "expected an Ed25519 or a P-256 public key");
  return jwk;
};

const role = closedObject<TrustedRole>({ keyids: listOf(nonEmptyText), threshold: wholeNumber(1) }, {});

const formatVersion: Decode<1> = (value, at) => {
  if (value !== 1) throw decodeFault(at, "this version of Aegis reads format 1");
  return 1;
};

const rootShape = closedObject<RootDocument>(
  {
    formatVersion,
    version: wholeNumber(1),
    epoch: wholeNumber(0),
    expiresAt: instant,
    keys: mapOf(closedObject<TrustedKey>({ alg: oneOf("Ed25519", "ES256"), jwk: publicJwk }, {})),
    roles: closedObject<RootDocument["roles"]>({ root: role, release: role }, {}),
    revokedDigests: listOf(digest),
  },
  {},
);
