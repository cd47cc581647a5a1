// A token issuer in memory: mints access tokens for `aegis dev` and the demo. Its public key enters the development
// environment of the bundle as an overlay; no other environment ever accepts its tokens.
import { SignJWT, exportJWK, generateKeyPair } from "jose";
import type { OverlayIssuer } from "#compiler";
import type { JsonObject } from "#std";

export const THROWAWAY_ISSUER = "https://throwaway-issuer.aegis.invalid/";
const TOKEN_LIFE_SECONDS = 12 * 3_600;
const KEY_ID = "throwaway";

export interface TokenRequest {
  readonly subject: string;
  /** The endpoint the token is for: the `resource` of its route. */
  readonly audience: string;
  /** Further claims, such as `roles` and what identity.yaml maps. */
  readonly claims: JsonObject;
  /** Seconds from now; default 12 hours. Negative = expired. */
  readonly expiresInSeconds?: number;
}

export interface ThrowawayIssuer {
  readonly overlay: OverlayIssuer;
  readonly mint: (request: TokenRequest) => Promise<string>;
}

export async function createThrowawayIssuer(issuer: string = THROWAWAY_ISSUER): Promise<ThrowawayIssuer> {
  const { privateKey, publicKey } = await generateKeyPair("ES256");
  const jwk = { ...(await exportJWK(publicKey)), kid: KEY_ID, alg: "ES256", use: "sig" };
  const jwks = JSON.parse(JSON.stringify({ keys: [jwk] })) as JsonObject;
  return {
    overlay: { issuer, keys: { type: "jwks", jwks }, algorithms: ["ES256"], tokenType: "at+jwt" },
    mint: ({ subject, audience, claims, expiresInSeconds = TOKEN_LIFE_SECONDS }) => {
      const nowSeconds = Math.floor(Date.now() / 1_000);
      return new SignJWT({ client_id: "aegis-demo", ...claims })
        .setProtectedHeader({ alg: "ES256", typ: "at+jwt", kid: KEY_ID })
        .setIssuer(issuer)
        .setSubject(subject)
        .setAudience(audience)
        .setIssuedAt(nowSeconds)
        .setExpirationTime(nowSeconds + expiresInSeconds)
        .setJti(crypto.randomUUID())
        .sign(privateKey);
    },
  };
}
