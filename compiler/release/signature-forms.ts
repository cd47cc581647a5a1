// The forms in which programs print a signature, brought to the one form of JWS: 64 octets (RFC 7518, section 3.4;
// RFC 8037, section 3.1).
import type { SignatureAlgorithm } from "#bundle";

const SIGNATURE_BYTES = 64;
const INTEGER_BYTES = 32;

/**
 * Reads base64url or base64 text, or the octets themselves; an ES256 signature may be DER (`SEQUENCE { r, s }`), which is
 * what openssl and the cloud services give. Undefined where it is none of them.
 */
export function decodeSignature(output: Uint8Array, alg: SignatureAlgorithm): Uint8Array | undefined {
  return fromOctets(fromText(output), alg) ?? fromOctets(output, alg);
}

function fromText(output: Uint8Array): Uint8Array | undefined {
  const text = Buffer.from(output).toString("latin1").trim();
  return /^[A-Za-z0-9_\-+/]+={0,2}$/.test(text) ? Buffer.from(text, "base64") : undefined;
}

function fromOctets(octets: Uint8Array | undefined, alg: SignatureAlgorithm): Uint8Array | undefined {
  if (octets === undefined) return undefined;
  if (octets.length === SIGNATURE_BYTES) return octets;
  return alg === "ES256" ? fromDer(octets) : undefined;
}

/** DER of two non-negative integers of at most 32 octets, and nothing after them. */
function fromDer(octets: Uint8Array): Uint8Array | undefined {
  if (octets[0] !== 0x30 || octets[1] !== octets.length - 2) return undefined;
  const signature = new Uint8Array(SIGNATURE_BYTES);
  let at = 2;
  for (const slot of [0, 1]) {
    const length = octets[at + 1];
    if (octets[at] !== 0x02 || length === undefined || length === 0) return undefined;
    const integer = octets.subarray(at + 2, at + 2 + length);
    if (integer.length !== length) return undefined;
    const digits = integer[0] === 0 ? integer.subarray(1) : integer;
    if (digits.length > INTEGER_BYTES) return undefined;
    signature.set(digits, (slot + 1) * INTEGER_BYTES - digits.length);
    at += 2 + length;
  }
  return at === octets.length ? signature : undefined;
}
