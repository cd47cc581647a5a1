// Puts signatures on documents. The counterpart of the runtime's signed-document.ts.
import { FlattenedSign, flattenedVerify } from "jose";
import { canonicalJson, parseSignedDocument, protectedHeader } from "#bundle";
import type { DocumentCodes, DocumentSignature, DocumentType, SignedDocument } from "#bundle";
import { signExternally } from "./external-signer.ts";
import type { ExternalKey } from "./external-signer.ts";
import { ReleaseToolError } from "./release-error.ts";
import type { SigningKey } from "./keys.ts";

/** Who puts a signature on a document: a key in memory, or a program that reaches one elsewhere. */
export type Signer = SigningKey | ExternalKey;

/** Signs `payload` with every key; the envelope is canonical JSON. */
export async function signDocument(
  type: DocumentType,
  payload: unknown,
  keys: readonly Signer[],
): Promise<Uint8Array> {
  if (keys.length === 0) throw new ReleaseToolError("RELEASE_INPUT_INVALID", "no signing key was given");
  const encoded = Buffer.from(canonicalJson(payload)).toString("base64url");
  return withSignatures({ payload: encoded, signatures: [] }, type, keys);
}

/** Adds signatures to a document that was signed before; a key that already signed is replaced. */
export async function cosignDocument(
  type: DocumentType,
  bytes: Uint8Array,
  keys: readonly Signer[],
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
  keys: readonly Signer[],
): Promise<Uint8Array> {
  const distinct = new Map(keys.map((key) => [key.keyId, key]));
  const signatures: DocumentSignature[] = [...document.signatures];
  // One after the other: a program may ask for a PIN or a touch.
  for (const key of distinct.values()) signatures.push(await signatureOf(document.payload, type, key));
  return new TextEncoder().encode(canonicalJson({ payload: document.payload, signatures }));
}

async function signatureOf(payload: string, type: DocumentType, key: Signer): Promise<DocumentSignature> {
  const header = { alg: key.alg, kid: key.keyId, typ: type };
  if ("program" in key) {
    // The header in the one spelling that readers accept.
    const encoded = Buffer.from(canonicalJson(header)).toString("base64url");
    const input = new TextEncoder().encode(`${encoded}.${payload}`);
    const signature = Buffer.from(await signExternally(key, type, input)).toString("base64url");
    await requireVerified({ payload, protected: encoded, signature }, key);
    return { protected: encoded, signature };
  }
  const jws = await new FlattenedSign(Buffer.from(payload, "base64url"))
    .setProtectedHeader(header)
    .sign(key.privateKey);
  if (jws.protected === undefined) throw new ReleaseToolError("KEY_INVALID", `${key.keyId} made no header`);
  return { protected: jws.protected, signature: jws.signature };
}

/** A program may hold another key than it was given for: that must not come to light at the gateways. */
async function requireVerified(
  jws: DocumentSignature & { readonly payload: string },
  key: ExternalKey,
): Promise<void> {
  try {
    await flattenedVerify(jws, { ...key.jwk }, { algorithms: [key.alg] });
  } catch (error) {
    const detail = `${key.program.command[0]}: its signature does not verify under the public key ${key.keyId}`;
    throw new ReleaseToolError("SIGNER_FAILED", detail, { cause: error });
  }
}
