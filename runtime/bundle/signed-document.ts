// A signed document: JWS General JSON (RFC 7515 section 7.2.1), one or more signatures over one canonical payload.
// Keys, roles, thresholds and algorithms come from the trusted root. The envelope chooses nothing.
import { flattenedVerify } from "jose";
import { TrustError } from "#errors";
import type { TrustCode } from "#errors";
import { isJsonObject } from "#std";
import type { JsonValue } from "#std";
import { parseCanonicalJson } from "./parse-canonical.ts";
import { closedObject, decodeFault, decodeWith, listOf, nonEmptyText, oneOf, text } from "./decoder.ts";
import type { Decode } from "./decoder.ts";

/** What a signature was made for. It stands in every protected header, so no document passes for the other kind. */
export type DocumentType = "aegis-release" | "aegis-root";

export type SignatureAlgorithm = "Ed25519" | "ES256";

/** A public key in the form jose takes. */
export interface PublicJwk {
  readonly kty: "OKP" | "EC";
  readonly crv: "Ed25519" | "P-256";
  readonly x: string;
  readonly y?: string;
}

export interface TrustedKey {
  readonly alg: SignatureAlgorithm;
  readonly jwk: PublicJwk;
}

/** A role of the root: which keys may sign for it and how many of them must. */
export interface TrustedRole {
  readonly keyids: readonly string[];
  readonly threshold: number;
}

/** Wire shape of one signature. There is no unprotected header. */
export interface DocumentSignature {
  readonly protected: string;
  readonly signature: string;
}

export interface SignedDocument {
  readonly payload: string;
  readonly signatures: readonly DocumentSignature[];
}

/** What `protected` holds. `kid` picks the key to try; `alg` must be what the root says of that key. */
export interface ProtectedHeader {
  readonly alg: SignatureAlgorithm;
  readonly kid: string;
  readonly typ: DocumentType;
}

/** A statement or root is a few kilobytes; a root with every key slot in use stays under this. */
export const MAX_DOCUMENT_BYTES = 256 * 1024;
const MAX_SIGNATURES = 32;

/** Codes for one kind of document. */
export interface DocumentCodes {
  readonly malformed: TrustCode;
  readonly unsigned: TrustCode;
  readonly badSignature: TrustCode;
  readonly belowThreshold: TrustCode;
}

const canonicalBase64url: Decode<string> = (value, at) => {
  const encoded = text(value, at);
  // One value has one encoding: jose ignores the unused low bits of the last character.
  if (encoded === "" || Buffer.from(encoded, "base64url").toString("base64url") !== encoded) {
    throw decodeFault(at, "expected canonical base64url");
  }
  return encoded;
};

const documentShape = closedObject<SignedDocument>(
  {
    payload: canonicalBase64url,
    signatures: listOf(
      closedObject<DocumentSignature>({ protected: canonicalBase64url, signature: canonicalBase64url }, {}),
    ),
  },
  {},
);

const headerShape = closedObject<ProtectedHeader>(
  { alg: oneOf("Ed25519", "ES256"), kid: nonEmptyText, typ: oneOf("aegis-release", "aegis-root") },
  {},
);

/** Parses an envelope; no signature is checked. Throws TrustError with `codes.malformed` or `codes.unsigned`. */
export function parseSignedDocument(bytes: Uint8Array, codes: DocumentCodes): SignedDocument {
  if (bytes.length > MAX_DOCUMENT_BYTES) throw new TrustError(codes.malformed, "the document is too large");
  const value = parseText(bytes, codes.malformed);
  // An envelope that lacks its signatures is told apart from one that is garbled.
  if (isJsonObject(value) && typeof value["payload"] === "string") {
    const signatures = value["signatures"];
    if (signatures === undefined || (Array.isArray(signatures) && signatures.length === 0)) {
      throw new TrustError(codes.unsigned, "the document carries no signature");
    }
  }
  const document = decodeWith(documentShape, value, "document", codes.malformed);
  if (document.signatures.length > MAX_SIGNATURES)
    throw new TrustError(codes.malformed, "too many signatures");
  const kids = new Set(document.signatures.map((signature) => protectedHeader(signature, codes).kid));
  if (kids.size !== document.signatures.length) throw new TrustError(codes.malformed, "one key signed twice");
  return document;
}

/** The payload as JSON. Call it only after `requireThreshold`, save to show a document that nobody vouches for. */
export function documentPayload(document: SignedDocument, codes: DocumentCodes): JsonValue {
  return parseText(Buffer.from(document.payload, "base64url"), codes.malformed);
}

export function protectedHeader(signature: DocumentSignature, codes: DocumentCodes): ProtectedHeader {
  const value = parseText(Buffer.from(signature.protected, "base64url"), codes.malformed);
  return decodeWith(headerShape, value, "protected header", codes.malformed);
}

/**
 * Proves that at least `role.threshold` distinct keys of the role signed. Every signature is verified alone.
 * Signatures of keys outside the role count for nothing. Returns the ids of the keys that verified, sorted.
 */
export async function requireThreshold(
  document: SignedDocument,
  type: DocumentType,
  keys: Readonly<Record<string, TrustedKey>>,
  role: TrustedRole,
  codes: DocumentCodes,
): Promise<readonly string[]> {
  const verified = new Set<string>();
  const failed: string[] = [];
  for (const signature of document.signatures) {
    const header = protectedHeader(signature, codes);
    const key =
      role.keyids.includes(header.kid) && Object.hasOwn(keys, header.kid) ? keys[header.kid] : undefined;
    if (key === undefined) continue;
    if (header.typ === type && (await verifies(document, signature, key))) verified.add(header.kid);
    else failed.push(header.kid);
  }
  if (verified.size >= role.threshold) return [...verified].sort();
  if (failed.length > 0) {
    throw new TrustError(codes.badSignature, `the signature of ${failed.join(", ")} does not verify`);
  }
  if (verified.size === 0) throw new TrustError(codes.badSignature, "no signature is by a key of the role");
  const needed = String(role.threshold);
  throw new TrustError(codes.belowThreshold, `${String(verified.size)} of ${needed} needed keys signed`);
}

async function verifies(
  document: SignedDocument,
  signature: DocumentSignature,
  key: TrustedKey,
): Promise<boolean> {
  try {
    await flattenedVerify(
      { payload: document.payload, ...signature },
      { ...key.jwk },
      { algorithms: [key.alg] },
    );
    return true;
  } catch {
    // Whatever went wrong, this signature is not proof.
    return false;
  }
}

function parseText(bytes: Uint8Array, code: TrustCode): JsonValue {
  try {
    return parseCanonicalJson(new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes));
  } catch (error) {
    // V8 quotes the text it could not parse; the file may not be the one it should be.
    const reason = error instanceof SyntaxError || !(error instanceof Error) ? "is not JSON" : error.message;
    throw new TrustError(code, reason, { cause: error });
  }
}
