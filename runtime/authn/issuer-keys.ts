// The keys of one issuer: given in the bundle, or fetched from its JWKS URL within tight bounds.
import { createLocalJWKSet, createRemoteJWKSet, customFetch } from "jose";
import type { FetchImplementation, JSONWebKeySet, JWTVerifyGetKey } from "jose";
import type { IssuerEntry } from "#bundle";
import { AegisError } from "#errors";

/** One fetch of a key set, connection included. */
const fetchTimeoutMs = 2_000;
/** An unknown key id causes at most one fetch in this time. */
const cooldownMs = 30_000;
/** Keys older than this are not used. */
const maxKeyAgeMs = 600_000;
/** After a failed fetch the next one waits this long. */
const retryAfterMs = 1_000;
/** Bytes of a key set. */
const maxKeySetBytes = 262_144;

export interface KeyOptions {
  readonly cooldownMs?: number;
  readonly maxKeyAgeMs?: number;
  readonly retryAfterMs?: number;
}

/** Raised inside key resolution where the keys could not be had; a token is then neither good nor bad. */
export class KeysUnavailable extends Error {
  constructor(message: string, options?: { cause?: unknown }) {
    super(message, options);
    this.name = "KeysUnavailable";
  }
}

/** Throws AegisError AUTHN_KEYS_UNAVAILABLE where the entry cannot be used at all. */
export function issuerKeys(entry: IssuerEntry, options: KeyOptions = {}): JWTVerifyGetKey {
  if (entry.keys.type === "jwks") {
    try {
      return createLocalJWKSet(entry.keys.jwks as unknown as JSONWebKeySet);
    } catch (cause) {
      throw new AegisError("AUTHN_KEYS_UNAVAILABLE", `the key set of ${entry.issuer} is malformed`, {
        cause,
      });
    }
  }
  const url = URL.parse(entry.keys.url);
  if (url === null || !isFetchable(url)) {
    throw new AegisError(
      "AUTHN_KEYS_UNAVAILABLE",
      `the JWKS URL of ${entry.issuer} is neither https nor loopback`,
    );
  }
  return createRemoteJWKSet(url, {
    timeoutDuration: fetchTimeoutMs,
    cooldownDuration: options.cooldownMs ?? cooldownMs,
    cacheMaxAge: options.maxKeyAgeMs ?? maxKeyAgeMs,
    headers: { accept: "application/jwk-set+json, application/json" },
    [customFetch]: boundedFetch(options.retryAfterMs ?? retryAfterMs),
  });
}

// jose makes concurrent callers share one fetch and spaces refetches after a success. This spaces them after a failure
// and bounds the body. Redirects are not followed: a key set lives where the signed bundle says.
function boundedFetch(retryMs: number): FetchImplementation {
  let failedAtMs: number | undefined;
  return async (url, options) => {
    if (failedAtMs !== undefined && performance.now() - failedAtMs < retryMs) {
      throw new KeysUnavailable("the last fetch of the key set failed a moment ago");
    }
    try {
      const response = await fetch(url, { ...options, method: "GET", redirect: "manual", body: null });
      if (response.status !== 200) {
        await response.body?.cancel();
        throw new Error(`the JWKS endpoint answered ${response.status}`);
      }
      const text = await boundedText(response);
      JSON.parse(text);
      failedAtMs = undefined;
      return new Response(text, { status: 200 });
    } catch (cause) {
      failedAtMs = performance.now();
      throw new KeysUnavailable("the key set could not be fetched", { cause });
    }
  };
}

async function boundedText(response: Response): Promise<string> {
  const chunks: Uint8Array[] = [];
  let size = 0;
  for await (const chunk of response.body ?? []) {
    size += chunk.byteLength;
    if (size > maxKeySetBytes) throw new Error("the key set is too large");
    chunks.push(chunk);
  }
  return new TextDecoder("utf-8", { fatal: true }).decode(Buffer.concat(chunks));
}

function isFetchable(url: URL): boolean {
  if (url.username !== "" || url.password !== "") return false;
  if (url.protocol === "https:") return true;
  const loopback =
    url.hostname === "localhost" || url.hostname === "[::1]" || /^127(\.\d+){3}$/.test(url.hostname);
  return url.protocol === "http:" && loopback;
}
