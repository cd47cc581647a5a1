// Puts signatures on documents. The counterpart of the runtime's signed-document.ts.
import { FlattenedSign } from "jose";
import { canonicalJson, parseSignedDocument, protectedHeader } from "#bundle";
import type { DocumentCodes, DocumentSignature, DocumentType, SignedDocument } from "#bundle";
import { ReleaseToolError } from "./release-error.ts";
import type { SigningKey } from "./keys.ts";

/** Signs `payload` with every key; the envelope is canonical JSON. */
export async function signDocument(
  type: DocumentType,
  payload: unknown,
  keys: readonly SigningKey[],
): Promise<Uint8Array> {
  if (keys.length === 0) throw new ReleaseToolError("RELEASE_INPUT_INVALID", "no signing key was given");
  const encoded = Buffer.from(canonicalJson(payload)).toString("base64url");
  return withSignatures({ payload: encoded, signatures: [] }, type, keys);
}

/** Adds signatures to a document that was signed before; a key that already signed is replaced. */
export async function cosignDocument(
  type: DocumentType,
  bytes: Uint8Array,
  keys: readonly SigningKey[],
  codes: DocumentCodes,
): Promise<Uint8Array> {
  const document = parseSignedDocument(bytes, codes);
  const fresh = new Set(keys.map((key) => key.keyId));
  const kept = document.signatures.filter((signature) => !fresh.has(protectedHeader(signature, codes).kid));
  return withSignatures({ ...document, signatures: kept }, type, keys);
}

async function withSignatures(
  document: SignedDocument,
  type: DocumentType,
  keys: readonly SigningKey[],
): Promise<Uint8Array> {
  const distinct = new Map(keys.map((key) => [key.keyId, key]));
  const signatures: DocumentSignature[] = [...document.signatures];
  const payload = Buffer.from(document.payload, "base64url");
  for (const key of distinct.values()) {
    const jws = await new FlattenedSign(payload)
      .setProtectedHeader({ alg: key.alg, kid: key.keyId, typ: type })
      .sign(key.privateKey);
    if (jws.protected === undefined) throw new ReleaseToolError("KEY_INVALID", `${key.keyId} made no header`);
    signatures.push({ protected: jws.protected, signature: jws.signature });
  }
  return new TextEncoder().encode(canonicalJson({ payload: document.payload, signatures }));
}
