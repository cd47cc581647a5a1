// The credential of one upstream as the headers that carry it. Its value stands nowhere else: not in the bundle, not in
// messages, not in errors.
import type { RemoteTransport } from "#bundle";
import { AegisError } from "#errors";

/** What an HTTP field value may be made of, without the line breaks that would start another field. */
const FIELD_VALUE = /^[\x21-\x7e](?:[\x20-\x7e]*[\x21-\x7e])?$/;
const MAX_CREDENTIAL_CHARS = 16_384;

/** True where a secret can stand in a header as it is. */
function isHeaderSafe(secret: string): boolean {
  return secret.length <= MAX_CREDENTIAL_CHARS && FIELD_VALUE.test(secret);
}

/**
 * The headers that every request of this transport carries, as a flat name, value list; empty where it names no
 * credential.
 * @param credentials secrets by logical name, from process configuration.
 * @throws {AegisError} UPSTREAM_UNAVAILABLE where the credential is not configured or cannot stand in a header.
 */
export function credentialHeaders(
  { credential, header }: RemoteTransport,
  credentials: ReadonlyMap<string, string>,
): readonly string[] {
  if (credential === undefined) return [];
  const secret = credentials.get(credential);
  const name = JSON.stringify(credential);
  if (secret === undefined) {
    throw new AegisError(
      "UPSTREAM_UNAVAILABLE",
      `no credential is configured for ${name}: name it in "credentials" of gateway.json as env:NAME or file:path`,
    );
  }
  if (!isHeaderSafe(secret))
    throw new AegisError("UPSTREAM_UNAVAILABLE", `the credential ${name} cannot stand in a header`);
  return header === undefined ? ["authorization", `Bearer ${secret}`] : [header, secret];
}
