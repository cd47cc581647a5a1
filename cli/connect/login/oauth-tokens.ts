// Tokens by OAuth: the stored login first, refreshed before it expires, and a new login where nothing else helps. One
// process at a time refreshes or logs in for an endpoint; the others take what it stored.
import { OAuthError, refreshAuthorization } from "@modelcontextprotocol/client";
import { BridgeError } from "../bridge-error.ts";
import type { RefusedToken, Renewal, TokenSource } from "../token-source.ts";
import { logInWithBrowser, storedLogin } from "./authorization-code.ts";
import type { OAuthClient } from "./authorization-code.ts";
import { boundedFetch, discoverAuthorizationServer, failed, readIssuer } from "./authorization-server.ts";
import type { LoginStore, StoredLogin } from "./login-store.ts";

export interface OAuthTokensOptions {
  readonly url: URL;
  readonly store: LoginStore;
  readonly client: OAuthClient | undefined;
  readonly scope: string | undefined;
  readonly redirectPort: number;
  readonly show: (url: URL) => void;
  readonly note: (text: string) => void;
  /** Ends a login or refresh that is under way. */
  readonly signal: AbortSignal;
}

/** A token that lives shorter than this is refreshed first. */
const REFRESH_AHEAD_MS = 30_000;
/** A token that is refused at this age is no good; later it may have been revoked. */
const NEW_MS = 30_000;
/** After a login that came to nothing, the user is left alone for this long. */
const LOGIN_PAUSE_MS = 60_000;

export function createOAuthTokens(options: OAuthTokensOptions): TokenSource {
  return new OAuthTokens(options);
}

class OAuthTokens implements TokenSource {
  readonly #options: OAuthTokensOptions;
  #login: StoredLogin | undefined;
  #isLoaded = false;
  #renewing: Promise<Renewal> | undefined;
  /** Tokens of this process' own logins and refreshes, by how they came. */
  readonly #origin = new Map<string, Renewal>();
  #failedAtMs = Number.NEGATIVE_INFINITY;

  constructor(options: OAuthTokensOptions) {
    this.#options = options;
  }

  async current(): Promise<string | undefined> {
    if (!this.#isLoaded) {
      this.#login = await this.#stored();
      this.#isLoaded = true;
    }
    const login = this.#login;
    if (login?.expiresAtMs === undefined) return login?.accessToken;
    const lifeMs = login.expiresAtMs - login.obtainedAtMs;
    const leftMs = login.expiresAtMs - Date.now();
    if (leftMs > Math.min(REFRESH_AHEAD_MS, lifeMs / 4)) return login.accessToken;
    if (login.refreshToken === undefined) return leftMs > 0 ? login.accessToken : undefined;
    try {
      await this.#once(() => this.#replace(login.accessToken));
    } catch (fault) {
      // Not now: the token is used as long as it lasts.
      if (leftMs <= 0) throw fault;
    }
    return this.#login?.accessToken;
  }

  renew(refused: RefusedToken): Promise<Renewal> {
    return this.#once(async () => {
      const { token } = refused;
      if (token !== undefined && !refused.needsScope) {
        if (token !== this.#login?.accessToken && this.#login !== undefined) return "refreshed";
        const origin = this.#isNew() ? this.#origin.get(token) : undefined;
        if (origin === undefined && (await this.#replace(token))) return "refreshed";
        if (origin === "logged-in")
          throw failed(
            "the gateway refuses the token of a new login",
            "ask the operator whether you may use the endpoint",
          );
      }
      return this.#logIn(refused);
    });
  }

  #isNew(): boolean {
    return this.#login !== undefined && Date.now() - this.#login.obtainedAtMs < NEW_MS;
  }

  #once(work: () => Promise<Renewal | boolean>): Promise<Renewal> {
    this.#renewing ??= work()
      .then((done) => (typeof done === "string" ? done : "refreshed"))
      .finally(() => (this.#renewing = undefined));
    return this.#renewing;
  }

  async #stored(): Promise<StoredLogin | undefined> {
    const { store, url, client } = this.#options;
    const logins = await store.find(url.href);
    return logins.find(({ clientId }) => client === undefined || clientId === client.client_id);
  }

  /** Takes the token that another process stored meanwhile, or refreshes; false where only a login helps. */
  async #replace(token: string): Promise<boolean> {
    const { store, url, signal } = this.#options;
    return store.exclusively(url.href, signal, async () => {
      const login = await this.#stored();
      if (login !== undefined && login.accessToken !== token) {
        this.#login = login;
        return true;
      }
      if (login?.refreshToken === undefined) return this.#forget();
      const refreshed = await this.#refresh(login, login.refreshToken);
      if (refreshed === undefined) {
        await store.remove(login);
        return this.#forget();
      }
      await this.#keep(refreshed, "refreshed");
      return true;
    });
  }

  #forget(): false {
    this.#login = undefined;
    return false;
  }

  async #keep(login: StoredLogin, how: Renewal): Promise<void> {
    await this.#options.store.save(login);
    this.#origin.clear();
    this.#origin.set(login.accessToken, how);
    this.#login = login;
  }

  /** Undefined where the server refuses the grant for good. @throws {BridgeError} where it cannot be asked */
  async #refresh(login: StoredLogin, refreshToken: string): Promise<StoredLogin | undefined> {
    const { client, note, signal } = this.#options;
    const metadata = await readIssuer(login.issuer, signal);
    const secret = login.clientSecret ?? client?.client_secret;
    const known = {
      client_id: login.clientId,
      ...(secret === undefined ? {} : { client_secret: secret }),
      isRegistered: login.clientSecret !== undefined,
    };
    try {
      const tokens = await refreshAuthorization(login.issuer, {
        metadata,
        clientInformation: known,
        refreshToken,
        resource: login.resource,
        fetchFn: boundedFetch(signal),
      });
      const server = { issuer: login.issuer, metadata, resource: login.resource, scopes: [] };
      return storedLogin({ url: this.#options.url, server }, known, tokens, login.scope);
    } catch (fault) {
      if (fault instanceof OAuthError && REFUSALS.has(String(fault.code))) {
        note(`${login.issuer} no longer refreshes the stored login (${String(fault.code)})`);
        return undefined;
      }
      throw failed(
        `${login.issuer} cannot refresh the token: ${(fault as Error).message}`,
        "try again later",
        { cause: fault },
      );
    }
  }

  async #logIn({ challenge, needsScope }: RefusedToken): Promise<Renewal> {
    const { store, url, client, redirectPort, show, signal } = this.#options;
    if (Date.now() - this.#failedAtMs < LOGIN_PAUSE_MS)
      throw failed("the last login came to nothing", "log in with: aegis connect --login <url>");
    const before = this.#login?.accessToken;
    return store.exclusively(url.href, signal, async () => {
      const stored = await this.#stored();
      // Another process may have asked the user meanwhile.
      if (stored !== undefined && stored.accessToken !== before && !needsScope) {
        this.#login = stored;
        return "refreshed";
      }
      try {
        const server = await discoverAuthorizationServer(url, challenge, signal);
        const held = needsScope ? [challenge.scope, stored?.scope] : [];
        const scope = unionOf(this.#options.scope ?? challenge.scope, ...held);
        const login = await logInWithBrowser({ url, server, client, scope, redirectPort, show, signal });
        await this.#keep(login, "logged-in");
        return "logged-in";
      } catch (fault) {
        if (fault instanceof BridgeError) this.#failedAtMs = Date.now();
        throw fault;
      }
    });
  }
}

/** Errors of a token endpoint that a repetition would not change (RFC 6749 §5.2). */
const REFUSALS: ReadonlySet<string> = new Set([
  "invalid_grant",
  "invalid_client",
  "unauthorized_client",
  "invalid_scope",
  "invalid_target",
]);

function unionOf(...scopes: readonly (string | undefined)[]): string | undefined {
  const all = new Set(scopes.flatMap((scope) => scope?.split(" ") ?? []).filter((scope) => scope !== ""));
  return all.size === 0 ? undefined : [...all].join(" ");
}
