// Who may sign what: a signature that counts for nothing is refused before it is made, and so is one that stands already.
import { parseSignedDocument, protectedHeader, requireThreshold } from "#bundle";
import type { DocumentCodes, DocumentType, TrustedKey } from "#bundle";
import { isTrustError } from "#errors";
import { ReleaseToolError } from "./release-error.ts";
import type { Signer } from "./sign.ts";

/** @throws {ReleaseToolError} KEY_NOT_AUTHORIZED where a signer is no key of the role; `what` is what it may not sign */
export function requireAuthorized(
  signers: readonly Signer[],
  keyIds: readonly string[],
  what: "releases" | "this root",
): void {
  const stranger = signers.find(({ keyId }) => !keyIds.includes(keyId));
  if (stranger === undefined) return;
  const allowed = keyIds.join(", ");
  throw new ReleaseToolError(
    "KEY_NOT_AUTHORIZED",
    `the key ${stranger.keyId} may not sign ${what}; these may: ${allowed}`,
  );
}

/**
 * True where every signer has signed the document before. A signature that does not verify counts for none: whoever may
 * write the file could put one there under any key id.
 */
export async function signedByAll(
  type: DocumentType,
  bytes: Uint8Array,
  signers: readonly Signer[],
  { keys }: { readonly keys: Readonly<Record<string, TrustedKey>> },
  codes: DocumentCodes,
): Promise<boolean> {
  const document = parseSignedDocument(bytes, codes);
  for (const { keyId } of signers) {
    const signatures = document.signatures.filter((entry) => protectedHeader(entry, codes).kid === keyId);
    try {
      await requireThreshold(
        { ...document, signatures },
        type,
        keys,
        { keyids: [keyId], threshold: 1 },
        codes,
      );
    } catch (error) {
      if (isTrustError(error)) return false;
      throw error;
    }
  }
  return true;
}

/** What a co-signature that changes nothing is refused with. */
export function alreadySigned(signers: readonly Signer[]): ReleaseToolError {
  const keyIds = [...new Set(signers.map(({ keyId }) => keyId))].join(", ");
  return new ReleaseToolError("KEY_ALREADY_SIGNED", `already signed by ${keyIds}; it waits for another key`);
}
