// Makes and rotates the trust root. A rotation is complete once the thresholds of the old and of the new root signed.
import {
  ROOT_CODES,
  advanceRoot,
  canonicalJson,
  decodeRoot,
  decodeRootPayload,
  formatInstant,
  openSelfSignedRoot,
  parseSignedDocument,
} from "#bundle";
import type { RootDocument, TrustedKey, TrustedRoot, TrustedRole } from "#bundle";
import { isTrustError } from "#errors";
import type { JsonValue } from "#std";
import { alreadySigned, requireAuthorized, signedByAll } from "./authorized.ts";
import { ReleaseToolError } from "./release-error.ts";
import { cosignDocument, signDocument } from "./sign.ts";
import type { Signer } from "./sign.ts";
import type { PublicKey } from "./keys.ts";

export interface RootInit {
  readonly rootKeys: readonly PublicKey[];
  readonly releaseKeys: readonly PublicKey[];
  readonly rootThreshold: number;
  readonly releaseThreshold: number;
  /** Milliseconds since the epoch. */
  readonly expiresAtMs: number;
}

/** What a rotation changes; what is absent stays. */
export interface RootChange {
  readonly addRootKeys?: readonly PublicKey[];
  readonly addReleaseKeys?: readonly PublicKey[];
  /** Key ids to take out of every role. */
  readonly removeKeys?: readonly string[];
  readonly rootThreshold?: number;
  readonly releaseThreshold?: number;
  readonly revokeDigests?: readonly string[];
  /** Voids every sequence released so far: the cure for a leaked release key. */
  readonly raiseEpoch?: boolean;
  /** Milliseconds since the epoch. */
  readonly expiresAtMs?: number;
}

/** A root on its way: `complete` once enough keys signed. */
export interface RootDraft {
  readonly bytes: Uint8Array;
  readonly document: RootDocument;
  readonly complete: boolean;
}

/** Root version 1. Throws TrustError ROOT_INVALID where roles and keys make no sense. */
export async function initRoot(init: RootInit, signers: readonly Signer[]): Promise<RootDraft> {
  const document: RootDocument = {
    formatVersion: 1,
    version: 1,
    epoch: 0,
    expiresAt: formatInstant(init.expiresAtMs),
    keys: keyTable([...init.rootKeys, ...init.releaseKeys]),
    roles: {
      root: { keyids: keyIds(init.rootKeys), threshold: init.rootThreshold },
      release: { keyids: keyIds(init.releaseKeys), threshold: init.releaseThreshold },
    },
    revokedDigests: [],
  };
  return draftRoot(undefined, await signRoot(document, signers));
}

/**
 * Root version N+1. Sign it with keys of the old and of the new root, now or later through `cosignRoot`. Throws
 * ReleaseToolError KEY_NOT_AUTHORIZED for any other key.
 */
export async function rotateRoot(
  current: TrustedRoot,
  change: RootChange,
  signers: readonly Signer[],
): Promise<RootDraft> {
  const document = changedRoot(current.document, change);
  requireAuthorized(signers, rootKeyIds(document, current), "this root");
  return draftRoot(current, await signRoot(document, signers));
}

/**
 * Adds signatures to a root that lacks some. `current` is absent for version 1. Throws ReleaseToolError
 * KEY_NOT_AUTHORIZED, and KEY_ALREADY_SIGNED where no signature would be new.
 */
export async function cosignRoot(
  current: TrustedRoot | undefined,
  bytes: Uint8Array,
  signers: readonly Signer[],
): Promise<RootDraft> {
  const before = await draftRoot(current, bytes);
  requireAuthorized(signers, rootKeyIds(before.document, current), "this root");
  const keys = { ...current?.document.keys, ...before.document.keys };
  if (!before.complete && (await signedByAll("aegis-root", bytes, signers, { keys }, ROOT_CODES)))
    throw alreadySigned(signers);
  return draftRoot(current, await cosignDocument("aegis-root", bytes, signers, ROOT_CODES));
}

/**
 * True where a draft says what `change` asks for. An expiry is compared only where the change names none: one that counts
 * from now is never the same twice.
 */
export function isDraftOf(current: TrustedRoot, change: RootChange, draft: Uint8Array): boolean {
  const wanted = changedRoot(current.document, change);
  const found = decodeRoot(parseSignedDocument(draft, ROOT_CODES));
  const expiresAt = change.expiresAtMs === undefined ? wanted.expiresAt : found.expiresAt;
  return canonicalJson({ ...wanted, expiresAt }) === canonicalJson(found);
}

/** Keys whose signature counts: those of the root role before the change and after it. */
function rootKeyIds(document: RootDocument, current: TrustedRoot | undefined): readonly string[] {
  return [...new Set([...(current?.document.roles.root.keyids ?? []), ...document.roles.root.keyids])].sort();
}

async function signRoot(document: RootDocument, signers: readonly Signer[]): Promise<Uint8Array> {
  decodeRootPayload(JSON.parse(JSON.stringify(document)) as JsonValue);
  return signDocument("aegis-root", document, signers);
}

async function draftRoot(current: TrustedRoot | undefined, bytes: Uint8Array): Promise<RootDraft> {
  const { payload } = parseSignedDocument(bytes, ROOT_CODES);
  const document = decodeRootPayload(
    JSON.parse(Buffer.from(payload, "base64url").toString("utf8")) as JsonValue,
  );
  try {
    if (current === undefined) await openSelfSignedRoot(bytes);
    else await advanceRoot(current, bytes);
    return { bytes, document, complete: true };
  } catch (error) {
    if (!isTrustError(error)) throw error;
    return { bytes, document, complete: false };
  }
}

function changedRoot(before: RootDocument, change: RootChange): RootDocument {
  const removed = new Set(change.removeKeys ?? []);
  const unknown = [...removed].find((keyId) => !Object.hasOwn(before.keys, keyId));
  if (unknown !== undefined)
    throw new ReleaseToolError("RELEASE_INPUT_INVALID", `the root has no key ${unknown}`);
  const changedRole = (
    role: TrustedRole,
    added: readonly PublicKey[],
    threshold: number | undefined,
  ): TrustedRole => ({
    keyids: [...new Set([...role.keyids, ...keyIds(added)])].filter((keyId) => !removed.has(keyId)).sort(),
    threshold: threshold ?? role.threshold,
  });
  const addedRoot = change.addRootKeys ?? [];
  const addedRelease = change.addReleaseKeys ?? [];
  const kept = Object.entries(before.keys).filter(([keyId]) => !removed.has(keyId));
  const revoked = [...new Set([...before.revokedDigests, ...(change.revokeDigests ?? [])])].sort();
  return {
    formatVersion: 1,
    version: before.version + 1,
    epoch: before.epoch + (change.raiseEpoch === true ? 1 : 0),
    expiresAt: change.expiresAtMs === undefined ? before.expiresAt : formatInstant(change.expiresAtMs),
    keys: { ...Object.fromEntries(kept), ...keyTable([...addedRoot, ...addedRelease]) },
    roles: {
      root: changedRole(before.roles.root, addedRoot, change.rootThreshold),
      release: changedRole(before.roles.release, addedRelease, change.releaseThreshold),
    },
    revokedDigests: revoked,
  };
}

function keyTable(keys: readonly PublicKey[]): Readonly<Record<string, TrustedKey>> {
  return Object.fromEntries(keys.map(({ keyId, alg, jwk }) => [keyId, { alg, jwk }]));
}

function keyIds(keys: readonly PublicKey[]): readonly string[] {
  return [...new Set(keys.map((key) => key.keyId))].sort();
}
