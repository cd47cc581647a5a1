// A login in the browser: authorization code with PKCE (S256), state, `resource` (RFC 8707) and the check of `iss`
// (RFC 9207). A client id that is given wins; else the client registers itself where the server takes that.
import {
  exchangeAuthorization,
  registerClient,
  startAuthorization,
  validateAuthorizationResponseIssuer,
} from "@modelcontextprotocol/client";
import type { OAuthTokens } from "@modelcontextprotocol/client";
import { BridgeError } from "../bridge-error.ts";
import { boundedFetch, failed, isSafeUrl } from "./authorization-server.ts";
import type { AuthorizationServer } from "./authorization-server.ts";
import type { StoredLogin } from "./login-store.ts";
import { openLoopbackReceiver } from "./loopback-receiver.ts";

export interface OAuthClient {
  readonly client_id: string;
  readonly client_secret?: string;
}

export interface BrowserLogin {
  readonly url: URL;
  readonly server: AuthorizationServer;
  /** A client that is known to the server already. */
  readonly client: OAuthClient | undefined;
  readonly scope: string | undefined;
  /** 0 = a free port. */
  readonly redirectPort: number;
  /** Shows the address to the user. */
  readonly show: (url: URL) => void;
  readonly signal: AbortSignal;
}

const LOGIN_TIMEOUT_MS = 300_000;

/** What a token response is stored as. */
export function storedLogin(
  { url, server }: Pick<BrowserLogin, "url" | "server">,
  client: OAuthClient & { readonly isRegistered: boolean },
  tokens: OAuthTokens,
  scope: string | undefined,
): StoredLogin {
  const nowMs = Date.now();
  const granted = tokens.scope ?? scope;
  return {
    url: url.href,
    resource: server.resource,
    issuer: server.issuer,
    clientId: client.client_id,
    ...(client.isRegistered && client.client_secret !== undefined
      ? { clientSecret: client.client_secret }
      : {}),
    ...(granted === undefined ? {} : { scope: granted }),
    accessToken: tokens.access_token,
    ...(tokens.refresh_token === undefined ? {} : { refreshToken: tokens.refresh_token }),
    ...(tokens.expires_in === undefined ? {} : { expiresAtMs: nowMs + tokens.expires_in * 1_000 }),
    obtainedAtMs: nowMs,
  };
}

/** @throws {BridgeError} LOGIN_FAILED */
export async function logInWithBrowser(login: BrowserLogin): Promise<StoredLogin> {
  const { server } = login;
  const { metadata } = server;
  if (metadata.code_challenge_methods_supported?.includes("S256") !== true)
    throw failed(`${server.issuer} does not state that it checks PKCE (S256)`);
  const signal = AbortSignal.any([login.signal, AbortSignal.timeout(LOGIN_TIMEOUT_MS)]);
  // A path of its own only where the redirect address is registered with it.
  const receiver = await openLoopbackReceiver(login.redirectPort, login.client === undefined);
  try {
    const scope = scopeOf(login);
    const client = await clientOf(login, receiver.redirectUrl, scope, signal);
    const { authorizationUrl, codeVerifier } = await startAuthorization(server.issuer, {
      metadata,
      clientInformation: client,
      redirectUrl: receiver.redirectUrl,
      state: receiver.state,
      resource: server.resource,
      ...(scope === undefined ? {} : { scope }),
    });
    if (!isSafeUrl(authorizationUrl))
      throw failed(`${server.issuer} has a login page that is neither https nor on this machine`);
    login.show(authorizationUrl);
    const answer = await receiver.answer(signal);
    const { code, iss } = readAnswer(answer, server);
    const tokens = await exchangeAuthorization(server.issuer, {
      metadata,
      clientInformation: client,
      authorizationCode: code,
      codeVerifier,
      redirectUri: receiver.redirectUrl,
      resource: server.resource,
      ...(iss === undefined ? {} : { iss }),
      fetchFn: boundedFetch(signal),
    });
    if (tokens.token_type.toLowerCase() !== "bearer")
      throw failed(`${server.issuer} issues no bearer tokens`);
    return storedLogin(login, client, tokens, scope);
  } catch (fault) {
    throw fault instanceof BridgeError
      ? fault
      : failed(`the login failed: ${(fault as Error).message}`, undefined, { cause: fault });
  } finally {
    receiver.close();
  }
}

/** What is asked for, and with it the right to refresh where the server offers it. */
function scopeOf({ scope, server }: BrowserLogin): string | undefined {
  const wanted = scope ?? (server.scopes.length > 0 ? server.scopes.join(" ") : undefined);
  const offersRefresh = server.metadata.scopes_supported?.includes("offline_access") === true;
  if (!offersRefresh || wanted?.split(" ").includes("offline_access") === true) return wanted;
  return wanted === undefined ? "offline_access" : `${wanted} offline_access`;
}

async function clientOf(
  { client, server }: BrowserLogin,
  redirectUrl: URL,
  scope: string | undefined,
  signal: AbortSignal,
): Promise<OAuthClient & { readonly isRegistered: boolean }> {
  if (client !== undefined) return { ...client, isRegistered: false };
  if (server.metadata.registration_endpoint === undefined)
    throw failed(
      `${server.issuer} does not register clients by itself`,
      "register one there with the redirect address http://127.0.0.1/callback, and give it with --client-id",
    );
  const registered = await registerClient(server.issuer, {
    metadata: server.metadata,
    clientMetadata: {
      client_name: "aegis connect",
      redirect_uris: [redirectUrl.href],
      grant_types: ["authorization_code", "refresh_token"],
      response_types: ["code"],
      token_endpoint_auth_method: "none",
      application_type: "native",
    },
    ...(scope === undefined ? {} : { scope }),
    fetchFn: boundedFetch(signal),
  });
  const { client_id, client_secret } = registered;
  return { client_id, ...(client_secret === undefined ? {} : { client_secret }), isRegistered: true };
}

/** The code of an answer. Nothing of it is shown before its issuer is known to be the right one. */
function readAnswer(
  answer: URLSearchParams,
  { issuer, metadata }: AuthorizationServer,
): { readonly code: string; readonly iss: string | undefined } {
  const iss = answer.get("iss") ?? undefined;
  try {
    validateAuthorizationResponseIssuer({
      iss,
      expectedIssuer: issuer,
      issParameterSupported: metadata.authorization_response_iss_parameter_supported === true,
    });
  } catch {
    throw failed(
      `the answer does not come from ${issuer}`,
      "start the login again; do not open links from elsewhere",
    );
  }
  const error = answer.get("error");
  if (error !== null) {
    const text = (answer.get("error_description") ?? error).replaceAll(/[^\x20-\x7e]/gu, "?").slice(0, 200);
    throw failed(`${issuer} refuses the login: ${text}`);
  }
  const codes = answer.getAll("code");
  if (codes.length !== 1 || codes[0] === undefined || codes[0] === "") throw failed(`${issuer} sent no code`);
  return { code: codes[0], iss };
}
