// What a statement or a root says, for people. Nothing is verified: that is what `aegis verify` is for.
import {
  RELEASE_CODES,
  ROOT_CODES,
  decodeRoot,
  decodeStatement,
  documentPayload,
  parseSignedDocument,
  protectedHeader,
} from "#bundle";
import type { ReleaseStatement, RootDocument, SignedDocument } from "#bundle";

export interface SignatureReport {
  readonly keyId: string;
  readonly alg: string;
}

export interface StatementReport {
  readonly formatVersion: 1;
  readonly kind: "release";
  readonly statement: ReleaseStatement;
  /** Who claims to have signed. */
  readonly signatures: readonly SignatureReport[];
}

export interface RootReport {
  readonly formatVersion: 1;
  readonly kind: "root";
  readonly root: RootDocument;
  readonly signatures: readonly SignatureReport[];
}

/** True where bytes look like a signed document: a bundle never begins like one. */
export function isDocument(bytes: Uint8Array): boolean {
  return bytes[0] === 0x7b;
}

/** Reads a statement or a root by what its signatures were made for. Throws TrustError RELEASE_INVALID, ROOT_INVALID. */
export function inspectDocument(bytes: Uint8Array): StatementReport | RootReport {
  const document = parseSignedDocument(bytes, RELEASE_CODES);
  const [first] = document.signatures;
  const isRoot = first !== undefined && protectedHeader(first, RELEASE_CODES).typ === "aegis-root";
  const signatures = signaturesOf(document, isRoot);
  if (isRoot) return { formatVersion: 1, kind: "root", root: decodeRoot(document), signatures };
  const statement = decodeStatement(documentPayload(document, RELEASE_CODES));
  return { formatVersion: 1, kind: "release", statement, signatures };
}

function signaturesOf(document: SignedDocument, isRoot: boolean): readonly SignatureReport[] {
  return document.signatures.map((signature) => {
    const { kid, alg } = protectedHeader(signature, isRoot ? ROOT_CODES : RELEASE_CODES);
    return { keyId: kid, alg };
  });
}
