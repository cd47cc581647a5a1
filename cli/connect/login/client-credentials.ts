// Tokens for a client that acts for itself (OAuth client credentials): asked for with its secret, kept in memory alone.
import { ClientCredentialsProvider, fetchToken } from "@modelcontextprotocol/client";
import { BridgeError } from "../bridge-error.ts";
import type { Challenge, TokenSource } from "../token-source.ts";
import { boundedFetch, discoverAuthorizationServer, failed } from "./authorization-server.ts";

export interface ClientCredentialsOptions {
  readonly url: URL;
  readonly clientId: string;
  readonly clientSecret: string;
  readonly scope: string | undefined;
  readonly signal: AbortSignal;
}

const REFRESH_AHEAD_MS = 30_000;

interface Held {
  readonly token: string;
  /** Milliseconds since 1970; infinite where the server does not say. */
  readonly goodUntilMs: number;
  readonly challenge: Challenge;
}

/** The first token is asked for when the gateway says where. */
export function createClientCredentials(options: ClientCredentialsOptions): TokenSource {
  let held: Held | undefined;
  let asking: Promise<Held> | undefined;

  const ask = async (challenge: Challenge): Promise<Held> => {
    const { url, clientId, clientSecret, signal } = options;
    const server = await discoverAuthorizationServer(url, challenge, signal);
    const scope = options.scope ?? challenge.scope;
    const provider = new ClientCredentialsProvider({ clientId, clientSecret, expectedIssuer: server.issuer });
    try {
      const tokens = await fetchToken(provider, server.issuer, {
        metadata: server.metadata,
        resource: server.resource,
        ...(scope === undefined ? {} : { scope }),
        fetchFn: boundedFetch(signal),
      });
      const lifeMs = (tokens.expires_in ?? Number.POSITIVE_INFINITY) * 1_000;
      const goodUntilMs = Date.now() + lifeMs - Math.min(REFRESH_AHEAD_MS, lifeMs / 4);
      return { token: tokens.access_token, goodUntilMs, challenge };
    } catch (fault) {
      if (fault instanceof BridgeError) throw fault;
      throw failed(
        `${server.issuer} gives no token: ${(fault as Error).message}`,
        "check --client-id and --client-secret",
        {
          cause: fault,
        },
      );
    }
  };
  const renewed = async (challenge: Challenge): Promise<Held> => {
    asking ??= ask(challenge).finally(() => (asking = undefined));
    held = await asking;
    return held;
  };
  return {
    current: async () => {
      if (held === undefined || Date.now() < held.goodUntilMs) return held?.token;
      return (await renewed(held.challenge)).token;
    },
    renew: async ({ token, challenge }) => {
      if (held !== undefined && held.token !== token) return "refreshed";
      await renewed(challenge);
      // The next one would be no better.
      return "logged-in";
    },
  };
}
