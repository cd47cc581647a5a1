// The node's signing key and the master key that tenant fingerprint keys are derived from.
import {
  createPrivateKey,
  createPublicKey,
  generateKeyPairSync,
  hash,
  hkdfSync,
  randomBytes,
  sign,
  verify,
} from "node:crypto";
import type { KeyObject } from "node:crypto";
import {
  closeSync,
  fsyncSync,
  linkSync,
  mkdirSync,
  openSync,
  readFileSync,
  statSync,
  unlinkSync,
  writeSync,
} from "node:fs";
import { AuditStartError, faultText } from "./audit-errors.ts";

const SIGNING_KEY_FILE = "audit-signing.key.pem";
const PUBLIC_KEY_FILE = "audit-signing.pub.pem";
const MASTER_KEY_FILE = "audit-master.key";
const MASTER_KEY_BYTES = 32;
const TENANT_KEY_SALT = "aegis-audit-tenant-v1";
const MAX_CACHED_TENANT_KEYS = 10_000;
// Of SHA-256.
const BLOCK_BYTES = 64;
const HASH_BYTES = 32;
/** Arguments this long or shorter are hashed without a buffer of their own. */
const HMAC_SCRATCH_BYTES = 4_096;
const KEY_ID_LENGTH = 16;
const PRIVATE_MODE = 0o600;
const PUBLIC_MODE = 0o644;

export interface AuditKeys {
  /** First 16 hex digits of the SHA-256 of the public key's SPKI bytes. */
  readonly keyId: string;
  readonly publicKeyPem: string;
  /** Ed25519 over the UTF-8 text, base64. */
  readonly sign: (text: string) => string;
  /** HMAC-SHA-256 under the tenant's key, hex. Without the master key, low-entropy text cannot be guessed from it. */
  readonly fingerprint: (tenant: string, text: string) => string;
}

/** Creates `path` whole or not at all, never replacing a file that another process made first. */
function createExclusive(path: string, content: string | Buffer, mode: number): void {
  const temporary = `${path}.${randomBytes(6).toString("hex")}.tmp`;
  const descriptor = openSync(temporary, "wx", mode);
  try {
    writeSync(descriptor, typeof content === "string" ? Buffer.from(content, "utf8") : content);
    fsyncSync(descriptor);
  } finally {
    closeSync(descriptor);
  }
  try {
    linkSync(temporary, path);
  } catch (fault) {
    if (!(fault instanceof Error && "code" in fault && fault.code === "EEXIST")) throw fault;
  } finally {
    unlinkSync(temporary);
  }
}

function readOrCreate(path: string, make: () => string | Buffer, mode: number): Buffer {
  try {
    return readFileSync(path);
  } catch (fault) {
    if (!(fault instanceof Error && "code" in fault && fault.code === "ENOENT")) throw fault;
  }
  createExclusive(path, make(), mode);
  return readFileSync(path);
}

function refuseExposed(path: string): void {
  const exposed = statSync(path).mode & 0o077;
  if (exposed !== 0) {
    throw new AuditStartError(
      "AUDIT_STATE_INVALID",
      path,
      0,
      "others can read or write this key; run chmod 600 on it",
    );
  }
}

/** Key id of an Ed25519 public key. */
export function keyIdOf(publicKey: KeyObject): string {
  return hash("sha256", publicKey.export({ type: "spki", format: "der" }), "hex").slice(0, KEY_ID_LENGTH);
}

/**
 * Checks a base64 Ed25519 signature over UTF-8 text. Only the one canonical spelling is accepted: base64 has bits that a
 * decoder ignores.
 */
export function verifyText(publicKey: KeyObject, text: string, signature: string): boolean {
  const bytes = Buffer.from(signature, "base64");
  if (bytes.toString("base64") !== signature) return false;
  return verify(null, Buffer.from(text, "utf8"), publicKey, bytes);
}

/** Reads a PEM public key; undefined where it is not an Ed25519 one. */
export function readPublicKey(pem: string): KeyObject | undefined {
  try {
    const key = createPublicKey(pem);
    return key.asymmetricKeyType === "ed25519" ? key : undefined;
  } catch {
    return undefined;
  }
}

function loadSigningKey(stateDirectory: string): KeyObject {
  const path = `${stateDirectory}/${SIGNING_KEY_FILE}`;
  const pem = readOrCreate(
    path,
    () => generateKeyPairSync("ed25519").privateKey.export({ type: "pkcs8", format: "pem" }),
    PRIVATE_MODE,
  );
  refuseExposed(path);
  const key = createPrivateKey(pem);
  if (key.asymmetricKeyType !== "ed25519") {
    throw new AuditStartError("AUDIT_STATE_INVALID", path, 0, "not an Ed25519 private key");
  }
  return key;
}

function loadMasterKey(stateDirectory: string): Buffer {
  const path = `${stateDirectory}/${MASTER_KEY_FILE}`;
  const master = readOrCreate(path, () => randomBytes(MASTER_KEY_BYTES), PRIVATE_MODE);
  refuseExposed(path);
  if (master.length !== MASTER_KEY_BYTES) {
    throw new AuditStartError(
      "AUDIT_STATE_INVALID",
      path,
      0,
      `a master key has ${String(MASTER_KEY_BYTES)} bytes`,
    );
  }
  return master;
}

/**
 * HMAC-SHA-256 (RFC 2104) of a key of at most a block, as two one-shot hashes over prepared pads: `createHmac` makes a stream
 * object for each use, at three times the cost. Returns lower-case hex.
 */
export function hmacSha256(key: Uint8Array): (text: string) => string {
  if (key.byteLength > BLOCK_BYTES) throw new RangeError("a key of HMAC-SHA-256 has at most 64 bytes here");
  const pad = (byte: number): Buffer =>
    Buffer.from(Array.from({ length: BLOCK_BYTES }, (_, index) => (key[index] ?? 0) ^ byte));
  const inner = Buffer.concat([pad(0x36), Buffer.alloc(HMAC_SCRATCH_BYTES)]);
  const outer = Buffer.concat([pad(0x5c), Buffer.alloc(HASH_BYTES)]);
  return (text) => {
    // A UTF-16 unit takes at most three bytes.
    const input =
      text.length * 3 <= HMAC_SCRATCH_BYTES
        ? inner.subarray(0, BLOCK_BYTES + inner.write(text, BLOCK_BYTES, "utf8"))
        : Buffer.concat([inner.subarray(0, BLOCK_BYTES), Buffer.from(text, "utf8")]);
    outer.write(hash("sha256", input, "binary"), BLOCK_BYTES, HASH_BYTES, "binary");
    return hash("sha256", outer, "hex");
  };
}

function createFingerprint(master: Buffer): AuditKeys["fingerprint"] {
  const tenantHmacs = new Map<string, (text: string) => string>();
  return (tenant, text) => {
    let hmac = tenantHmacs.get(tenant);
    if (hmac === undefined) {
      if (tenantHmacs.size >= MAX_CACHED_TENANT_KEYS) tenantHmacs.clear();
      hmac = hmacSha256(
        new Uint8Array(hkdfSync("sha256", master, TENANT_KEY_SALT, tenant, MASTER_KEY_BYTES)),
      );
      tenantHmacs.set(tenant, hmac);
    }
    return hmac(text);
  };
}

/**
 * Loads the keys of `stateDirectory`, making them on first use: private files 0600, the public key beside them.
 * @throws {AuditStartError} AUDIT_STATE_INVALID
 */
export function loadAuditKeys(stateDirectory: string): AuditKeys {
  try {
    mkdirSync(stateDirectory, { recursive: true, mode: 0o700 });
    const privateKey = loadSigningKey(stateDirectory);
    const fingerprint = createFingerprint(loadMasterKey(stateDirectory));
    const publicKey = createPublicKey(privateKey);
    const publicKeyPem = publicKey.export({ type: "spki", format: "pem" }).toString();
    const exported = readOrCreate(
      `${stateDirectory}/${PUBLIC_KEY_FILE}`,
      () => publicKeyPem,
      PUBLIC_MODE,
    ).toString("utf8");
    if (exported !== publicKeyPem) {
      throw new AuditStartError(
        "AUDIT_STATE_INVALID",
        `${stateDirectory}/${PUBLIC_KEY_FILE}`,
        0,
        "the exported public key is not that of the signing key",
      );
    }
    return {
      keyId: keyIdOf(publicKey),
      publicKeyPem,
      sign: (text) => sign(null, Buffer.from(text, "utf8"), privateKey).toString("base64"),
      fingerprint,
    };
  } catch (fault) {
    if (fault instanceof AuditStartError) throw fault;
    throw new AuditStartError(
      "AUDIT_STATE_INVALID",
      stateDirectory,
      0,
      `cannot load keys: ${faultText(fault)}`,
      {
        cause: fault,
      },
    );
  }
}
