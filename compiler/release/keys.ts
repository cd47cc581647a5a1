// Signing keys: private JWK files that only their owner can read. The private part is never printed or logged.
import { exportJWK, generateKeyPair, importJWK } from "jose";
import type { CryptoKey, JWK } from "jose";
import { createPublicKey } from "node:crypto";
import { rm, stat } from "node:fs/promises";
import { PRIVATE_FILE_MODE, PUBLIC_FILE_MODE, canonicalJson, keyIdOf, readBounded, writeNew } from "#bundle";
import type { PublicJwk, SignatureAlgorithm, TrustedKey } from "#bundle";
import { isJsonObject } from "#std";
import type { JsonObject, JsonValue } from "#std";
import type { ExternalKey, ExternalProgram } from "./external-signer.ts";
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
  const publicPath = publicPathOf(path);
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

/**
 * Registers a key whose private half is elsewhere: the public JWK at `<path without .json>.pub.json`, nothing else.
 * `source` is a public key, PEM (SubjectPublicKeyInfo) or JWK. Throws KEY_EXISTS, KEY_INVALID; KEY_UNSAFE where the
 * source holds a private key, which has no business here.
 */
export async function registerPublicKey(
  path: string,
  source: string,
): Promise<{ readonly key: PublicKey; readonly publicPath: string }> {
  const text = await readKeyFile(source);
  if (isPrivatePem(text) || (!isPem(text) && "d" in parseKey(text, source))) {
    throw new ReleaseToolError("KEY_UNSAFE", `${source} holds a private key: name the public one`);
  }
  const key = parsePublicKey(text, source);
  const publicPath = publicPathOf(path);
  await writeKeyFile(publicPath, { ...key.jwk, alg: key.alg }, PUBLIC_FILE_MODE);
  return { key, publicPath };
}

/** Reads a public key, JWK or PEM, also out of a private JWK file. Throws KEY_INVALID. */
export async function loadPublicKey(path: string): Promise<PublicKey> {
  return parsePublicKey(await readKeyFile(path), path);
}

/**
 * Opens what is to sign: a private key, or a public one for which `program` signs. Throws what `loadSigningKey` throws,
 * and KEY_INVALID for a public key without a program.
 */
export async function loadSigner(
  reference: string,
  options: {
    readonly environment?: Readonly<Record<string, string | undefined>>;
    readonly program?: ExternalProgram;
  } = {},
): Promise<SigningKey | ExternalKey> {
  const { environment, program } = options;
  if (!reference.startsWith("env:")) {
    const text = await readKeyFile(reference);
    const isPublic = isPem(text) ? !isPrivatePem(text) : !("d" in parseKey(text, reference));
    if (isPublic) {
      const key = parsePublicKey(text, reference);
      if (program !== undefined) return { ...key, program };
      const remedy = "name the private key, or the program that reaches it: --signer '<command>'";
      throw new ReleaseToolError("KEY_INVALID", `${reference} is a public key: ${remedy}`);
    }
  }
  return loadSigningKey(reference, environment);
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

function isPem(text: string): boolean {
  return text.trimStart().startsWith("-----BEGIN");
}

function isPrivatePem(text: string): boolean {
  return isPem(text) && text.includes("PRIVATE KEY-----");
}

function parsePublicKey(text: string, label: string): PublicKey {
  if (!isPem(text)) return publicKeyOf(parseKey(text, label), label);
  if (isPrivatePem(text)) throw privatePem(label);
  try {
    return publicKeyOf({ ...createPublicKey(text).export({ format: "jwk" }) } as JsonObject, label);
  } catch (error) {
    if (error instanceof ReleaseToolError) throw error;
    throw new ReleaseToolError("KEY_INVALID", `${label} is no PEM public key`, { cause: error });
  }
}

function privatePem(label: string): ReleaseToolError {
  const remedy = "Aegis reads private keys as JWK (`aegis keys new`), or signs through --signer";
  return new ReleaseToolError("KEY_INVALID", `${label} is a private key in PEM: ${remedy}`);
}

function publicPathOf(path: string): string {
  return `${path.replace(/(?:\.pub)?\.json$/, "")}.pub.json`;
}

function parseKey(text: string, label: string): JsonObject {
  if (isPrivatePem(text)) throw privatePem(label);
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
