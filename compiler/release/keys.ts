// Signing keys: private JWK files that only their owner can read. The private part is never printed or logged.
import { exportJWK, generateKeyPair, importJWK } from "jose";
import type { CryptoKey, JWK } from "jose";
import { rm, stat } from "node:fs/promises";
import { PRIVATE_FILE_MODE, PUBLIC_FILE_MODE, canonicalJson, keyIdOf, readBounded, writeNew } from "#bundle";
import type { PublicJwk, SignatureAlgorithm, TrustedKey } from "#bundle";
import { isJsonObject } from "#std";
import type { JsonObject, JsonValue } from "#std";
import { ReleaseToolError } from "./release-error.ts";

/** A public key with its id, the RFC 7638 thumbprint. */
export interface PublicKey extends TrustedKey {
  readonly keyId: string;
}

/** A private key held in memory. Its secret is in `privateKey` only, which cannot be exported. */
export interface SigningKey extends PublicKey {
  readonly privateKey: CryptoKey;
}

const MAX_KEY_FILE_BYTES = 16 * 1024;

/**
 * Makes a key pair: the private JWK at `path` (mode 0600) and the public one at `<path without .json>.pub.json`.
 * Throws KEY_EXISTS where either file is there.
 */
export async function createKey(
  path: string,
  alg: SignatureAlgorithm = "Ed25519",
): Promise<{ readonly key: PublicKey; readonly publicPath: string }> {
  const pair = await generateKeyPair(alg, { extractable: true });
  const publicJwk = publicPart(await exportJWK(pair.publicKey), path);
  const privateJwk = { ...(await exportJWK(pair.privateKey)), alg };
  const publicPath = `${path.replace(/\.json$/, "")}.pub.json`;
  await writeKeyFile(path, privateJwk, PRIVATE_FILE_MODE);
  try {
    await writeKeyFile(publicPath, { ...publicJwk, alg }, PUBLIC_FILE_MODE);
  } catch (error) {
    // Half a pair is of no use, and its private half would lie about unnoticed.
    await rm(path, { force: true });
    throw error;
  }
  return { key: { keyId: keyIdOf(publicJwk), alg, jwk: publicJwk }, publicPath };
}

/** Reads a public key, also out of a private key file. Throws KEY_INVALID. */
export async function loadPublicKey(path: string): Promise<PublicKey> {
  return publicKeyOf(parseKey(await readKeyFile(path), path), path);
}

/**
 * Opens a private key: a file, or `env:NAME` for a JWK in the environment, as CI keeps its secrets.
 * Throws KEY_INVALID; KEY_UNSAFE where group or others may read the file.
 */
export async function loadSigningKey(
  reference: string,
  environment: Readonly<Record<string, string | undefined>> = process.env,
): Promise<SigningKey> {
  const jwk = parseKey(await readSecret(reference, environment), reference);
  const publicKey = publicKeyOf(jwk, reference);
  if (typeof jwk["d"] !== "string")
    throw new ReleaseToolError("KEY_INVALID", `${reference} is not a private key`);
  try {
    const privateKey = await importJWK({ ...publicKey.jwk, d: jwk["d"] }, publicKey.alg, {
      extractable: false,
    });
    if (privateKey instanceof Uint8Array) throw new TypeError("a symmetric key");
    return { ...publicKey, privateKey };
  } catch (error) {
    throw new ReleaseToolError("KEY_INVALID", `${reference} cannot be used to sign`, { cause: error });
  }
}

async function readSecret(
  reference: string,
  environment: Readonly<Record<string, string | undefined>>,
): Promise<string> {
  if (reference.startsWith("env:")) {
    const secret = environment[reference.slice("env:".length)];
    if (secret === undefined) throw new ReleaseToolError("KEY_INVALID", `${reference} is not set`);
    return secret;
  }
  const text = await readKeyFile(reference);
  const { mode } = await stat(reference);
  if ((mode & 0o077) !== 0) throw new ReleaseToolError("KEY_UNSAFE", `run: chmod 600 ${reference}`);
  return text;
}

async function readKeyFile(path: string): Promise<string> {
  const bytes = await readBounded(path, MAX_KEY_FILE_BYTES).catch((error: unknown) => {
    throw new ReleaseToolError("KEY_INVALID", `${path} cannot be read`, { cause: error });
  });
  if (bytes === undefined) throw new ReleaseToolError("KEY_INVALID", `${path} does not exist`);
  return new TextDecoder().decode(bytes);
}

function parseKey(text: string, label: string): JsonObject {
  let value: JsonValue;
  try {
    value = JSON.parse(text) as JsonValue;
  } catch {
    // The parser's message would quote the file.
    throw new ReleaseToolError("KEY_INVALID", `${label} is not JSON`);
  }
  if (!isJsonObject(value)) throw new ReleaseToolError("KEY_INVALID", `${label} is not a JWK`);
  return value;
}

function publicKeyOf(jwk: JsonObject, label: string): PublicKey {
  const { kty, crv, x, y } = jwk;
  const alg = kty === "OKP" ? "Ed25519" : "ES256";
  const written = jwk["alg"] ?? alg;
  if (written !== alg && !(alg === "Ed25519" && written === "EdDSA")) {
    throw new ReleaseToolError("KEY_INVALID", `${label} is for an algorithm that is not supported`);
  }
  const candidate = { ...(kty === undefined ? {} : { kty }), crv, x, ...(y === undefined ? {} : { y }) };
  const publicJwk = publicPart(candidate as JWK, label);
  return { keyId: keyIdOf(publicJwk), alg, jwk: publicJwk };
}

function publicPart({ kty, crv, x, y }: JWK, label: string): PublicJwk {
  if (kty === "OKP" && crv === "Ed25519" && typeof x === "string") return { kty: "OKP", crv, x };
  if (kty === "EC" && crv === "P-256" && typeof x === "string" && typeof y === "string")
    return { kty: "EC", crv, x, y };
  throw new ReleaseToolError("KEY_INVALID", `${label} is neither an Ed25519 nor a P-256 key`);
}

async function writeKeyFile(path: string, jwk: object, mode: number): Promise<void> {
  try {
    await writeNew(path, new TextEncoder().encode(`${canonicalJson(jwk)}\n`), mode);
  } catch (error) {
    const exists = error instanceof Error && "code" in error && error.code === "EEXIST";
    if (exists) throw new ReleaseToolError("KEY_EXISTS", `${path} exists`);
    throw error;
  }
}
