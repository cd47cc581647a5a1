// The end of a stored login: removed here, and revoked where the authorization server takes that (RFC 7009).
import { boundedFetch, readIssuer } from "./authorization-server.ts";
import type { OAuthClient } from "./authorization-code.ts";
import type { LoginStore, StoredLogin } from "./login-store.ts";

const REVOKE_TIMEOUT_MS = 10_000;

/** Removes the login; true where the server has revoked it as well. */
export async function endLogin(
  store: LoginStore,
  login: StoredLogin,
  client: OAuthClient | undefined,
): Promise<boolean> {
  await store.remove(login);
  const signal = AbortSignal.timeout(REVOKE_TIMEOUT_MS);
  try {
    const { revocation_endpoint: endpoint } = (await readIssuer(login.issuer, signal)) as {
      revocation_endpoint?: string;
    };
    if (endpoint === undefined) return false;
    const secret = login.clientSecret ?? client?.client_secret;
    const body = new URLSearchParams({
      token: login.refreshToken ?? login.accessToken,
      token_type_hint: login.refreshToken === undefined ? "access_token" : "refresh_token",
      client_id: login.clientId,
      ...(secret === undefined ? {} : { client_secret: secret }),
    });
    const response = await boundedFetch(signal)(endpoint, { method: "POST", body, redirect: "error" });
    return response.ok;
  } catch {
    return false;
  }
}
