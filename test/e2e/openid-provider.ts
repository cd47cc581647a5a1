// A real OpenID provider on loopback whose login and consent pages approve by themselves, and the browser for it.
import { once } from "node:events";
import { createServer } from "node:http";
import type { IncomingMessage, ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { exportJWK, generateKeyPair } from "jose";
import { Provider } from "oidc-provider";
import type { Configuration } from "oidc-provider";
import type { OverlayIssuer } from "#compiler";
import type { JsonObject } from "#std";

export const ROBOT_SECRET = "robot-secret-robot-secret";
const ACCOUNT = "dana";
const KEY_ID = "provider";

export interface OpenIdProvider {
  readonly issuer: string;
  /** How a gateway trusts it: its key as it is now. */
  readonly overlay: OverlayIssuer;
  /** Paths that were asked for, with the method, in order. */
  readonly requests: readonly string[];
  /** Form fields of the token requests, in order. */
  readonly tokenRequests: readonly URLSearchParams[];
  /** Lifetime of the access tokens that are issued from now on; seconds. */
  readonly setTokenLife: (seconds: number) => void;
  /** Revokes every refresh token and grant. */
  readonly revokeGrants: () => void;
  readonly close: () => Promise<void>;
}

export async function startOpenIdProvider(): Promise<OpenIdProvider> {
  const { privateKey, publicKey } = await generateKeyPair("ES256", { extractable: true });
  const named = { kid: KEY_ID, alg: "ES256", use: "sig" };
  let lifeSeconds = 600;
  const grants = new Set<string>();
  const requests: string[] = [];
  const tokenRequests: URLSearchParams[] = [];
  let handle: (request: IncomingMessage, response: ServerResponse) => void = () => undefined;
  const server = createServer((request, response) => handle(request, response));
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const issuer = `http://127.0.0.1:${String((server.address() as AddressInfo).port)}`;
  const configuration: Configuration = {
    clients: [
      {
        client_id: "desk",
        application_type: "native",
        redirect_uris: ["http://127.0.0.1/callback"],
        grant_types: ["authorization_code", "refresh_token"],
        response_types: ["code"],
        token_endpoint_auth_method: "none",
      },
      {
        client_id: "robot",
        client_secret: ROBOT_SECRET,
        redirect_uris: [],
        grant_types: ["client_credentials"],
        response_types: [],
        scope: "mcp:use",
      },
    ],
    jwks: { keys: [{ ...(await exportJWK(privateKey)), ...named }] } as NonNullable<Configuration["jwks"]>,
    clientDefaults: { id_token_signed_response_alg: "ES256" },
    issueRefreshToken: (_context, client) => Promise.resolve(client.grantTypeAllowed("refresh_token")),
    cookies: { keys: ["a-key-of-this-test"] },
    ttl: { AuthorizationCode: 60, Grant: 3_600, Interaction: 600, RefreshToken: 3_600, Session: 3_600 },
    scopes: ["openid", "offline_access", "mcp:use"],
    findAccount: (_context, id) => ({ accountId: id, claims: () => ({ sub: id }) }),
    interactions: { url: (_context, { uid }) => `/interaction/${uid}` },
    extraTokenClaims: () => ({ roles: ["Developer"], is_external: false }),
    features: {
      devInteractions: { enabled: false },
      clientCredentials: { enabled: true },
      registration: { enabled: true },
      revocation: { enabled: true },
      resourceIndicators: {
        enabled: true,
        useGrantedResource: () => true,
        getResourceServerInfo: (_context, resource) => ({
          audience: resource,
          scope: "mcp:use",
          accessTokenFormat: "jwt",
          accessTokenTTL: lifeSeconds,
          jwt: { sign: { alg: "ES256" } },
        }),
      },
    },
  };
  const provider = new Provider(issuer, configuration);
  const approve = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    const { params } = await provider.interactionDetails(request, response);
    const grant = new provider.Grant({ accountId: ACCOUNT, clientId: String(params["client_id"]) });
    grant.addOIDCScope(String(params["scope"] ?? "openid"));
    grant.addResourceScope(String(params["resource"]), "mcp:use");
    const grantId = await grant.save();
    grants.add(grantId);
    await provider.interactionFinished(
      request,
      response,
      { login: { accountId: ACCOUNT }, consent: { grantId } },
      { mergeWithLastSubmission: false },
    );
  };
  const callback = provider.callback();
  handle = (request, response) => {
    const path = (request.url ?? "/").split("?", 1)[0] ?? "/";
    requests.push(`${request.method ?? ""} ${path}`);
    if (path === "/token") {
      const pieces: Buffer[] = [];
      request.on("data", (piece: Buffer) => void pieces.push(piece));
      request.once("end", () =>
        tokenRequests.push(new URLSearchParams(Buffer.concat(pieces).toString("utf8"))),
      );
    }
    if (path.startsWith("/interaction/")) {
      approve(request, response).catch((fault: unknown) => {
        response.statusCode = 500;
        response.end(String(fault));
      });
    } else void callback(request, response);
  };
  const jwks = JSON.parse(
    JSON.stringify({ keys: [{ ...(await exportJWK(publicKey)), ...named }] }),
  ) as JsonObject;
  return {
    issuer,
    overlay: { issuer, keys: { type: "jwks", jwks }, algorithms: ["ES256"], tokenType: "at+jwt" },
    requests,
    tokenRequests,
    setTokenLife: (seconds) => {
      lifeSeconds = seconds;
    },
    revokeGrants: () => {
      for (const id of grants) void provider.Grant.adapter.destroy(id);
      grants.clear();
    },
    close: async () => {
      server.close();
      server.closeAllConnections();
      await once(server, "close");
    },
  };
}

/** Follows a login from its first page to the end, with cookies, and does not visit the last address. */
export async function followLogin(url: string): Promise<URL> {
  const cookies = new Map<string, string>();
  let at = new URL(url);
  const { origin } = at;
  for (let step = 0; step < 12; step++) {
    const cookie = [...cookies].map(([name, value]) => `${name}=${value}`).join("; ");
    const response = await fetch(at, { redirect: "manual", headers: cookie === "" ? {} : { cookie } });
    const text = await response.text();
    for (const line of response.headers.getSetCookie()) {
      const [pair = ""] = line.split(";", 1);
      const cut = pair.indexOf("=");
      cookies.set(pair.slice(0, cut), pair.slice(cut + 1));
    }
    const location = response.headers.get("location");
    if (location === null)
      throw new Error(`the login stopped at ${at.href}: ${String(response.status)} ${text}`);
    at = new URL(location, at);
    if (at.origin !== origin) return at;
  }
  throw new Error("the login does not end");
}
