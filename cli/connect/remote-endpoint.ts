// HTTP to the gateway: bearer token and its renewal, redirects refused, and retries only for what was never sent.
import { setTimeout as delay } from "node:timers/promises";
import { extractWWWAuthenticateParams } from "@modelcontextprotocol/client";
import { Agent, fetch } from "undici";
import type { Response } from "undici";
import { BridgeError, REPEAT, lostAfterSending } from "./bridge-error.ts";
import { isBlockedPort, reasonOf, tlsRemedyOf, watchedConnector } from "./connection-fault.ts";
import type { TokenSource } from "./token-source.ts";

export interface RemoteRequest {
  readonly method: "POST" | "GET" | "DELETE";
  readonly headers: Readonly<Record<string, string>>;
  readonly body?: string;
}

export interface RemoteEndpoint {
  readonly url: URL;
  /** The answer, whatever its status but 401. @throws {BridgeError} LOGIN_FAILED, GATEWAY_UNREACHABLE, CONNECTION_LOST */
  readonly send: (request: RemoteRequest, signal: AbortSignal) => Promise<Response>;
  readonly close: () => Promise<void>;
}

/** Pauses before the next attempt to reach a gateway that took no connection. */
const RETRY_PAUSES_MS: readonly number[] = [250, 500, 1_000, 2_000, 4_000];
const CONNECT_TIMEOUT_MS = 10_000;
const MAX_DISCARDED_BYTES = 65_536;

/** Reads a body that nobody needs, so that its connection can serve again. */
export async function discard(response: Response): Promise<void> {
  try {
    let length = 0;
    for await (const chunk of response.body ?? []) {
      length += (chunk as Uint8Array).length;
      if (length > MAX_DISCARDED_BYTES) break;
    }
  } catch {
    // The answer is complete without its body.
  }
}

export function createRemoteEndpoint(
  url: URL,
  tokens: TokenSource,
  note: (text: string) => void,
  pausesMs: readonly number[] = RETRY_PAUSES_MS,
): RemoteEndpoint {
  const { connect, isUnsent } = watchedConnector(CONNECT_TIMEOUT_MS);
  const agent = new Agent({ connect, headersTimeout: 0, bodyTimeout: 0 });

  const attempt = async (
    request: RemoteRequest,
    token: string | undefined,
    signal: AbortSignal,
  ): Promise<Response> => {
    for (let tried = 0; ; tried++) {
      try {
        return await fetch(url, {
          method: request.method,
          headers: {
            ...request.headers,
            ...(token === undefined ? {} : { authorization: `Bearer ${token}` }),
          },
          ...(request.body === undefined ? {} : { body: request.body }),
          redirect: "manual",
          dispatcher: agent,
          signal,
        });
      } catch (fault) {
        signal.throwIfAborted();
        const what = `${url.host} (${reasonOf(fault)})`;
        const isBlocked = isBlockedPort(fault);
        if (!isBlocked && !isUnsent(fault))
          throw new BridgeError("CONNECTION_LOST", `lost the connection to ${what}`, REPEAT, {
            cause: fault,
          });
        const lasting = isBlocked ? BLOCKED : tlsRemedyOf(fault);
        const pauseMs = lasting === undefined ? pausesMs[tried] : undefined;
        if (pauseMs === undefined)
          throw new BridgeError("GATEWAY_UNREACHABLE", `cannot reach ${what}`, lasting ?? REACH, {
            cause: fault,
          });
        if (tried === 0) note(`cannot reach ${what}; trying again`);
        await delay(pauseMs, undefined, { signal });
      }
    }
  };

  return {
    url,
    send: async (request, signal) => {
      let hasLoggedIn = false;
      let hasSteppedUp = false;
      for (let isFirst = true; ; isFirst = false) {
        const token = await tokens.current();
        const response = await attempt(request, token, signal).catch((fault: unknown) => {
          // The gateway has answered the first one, so nobody may be told that it was never sent.
          throw isFirst ? fault : lostAfterSending(fault);
        });
        refuseRedirect(response, url);
        const { resourceMetadataUrl, scope, error } = extractWWWAuthenticateParams(response as never);
        const needsScope = response.status === 403 && error === "insufficient_scope" && !hasSteppedUp;
        if (response.status !== 401 && !needsScope) return response;
        await discard(response);
        if (hasLoggedIn)
          throw new BridgeError("LOGIN_FAILED", "the gateway refuses the token of a new login", REFUSED);
        const renewal = await tokens.renew({ token, challenge: { resourceMetadataUrl, scope }, needsScope });
        if (needsScope) hasSteppedUp = true;
        else hasLoggedIn = renewal === "logged-in";
      }
    },
    close: () => agent.destroy(),
  };
}

const REACH = "check the URL, the network, and that the gateway runs";
const BLOCKED = "HTTP clients never connect to this port; serve the gateway on another";
const REFUSED =
  "ask the operator whether this identity may use the endpoint, or log in as somebody else (--logout first)";

function refuseRedirect(response: Response, url: URL): void {
  if (response.status < 300 || response.status > 399 || response.status === 304) return;
  const location = response.headers.get("location") ?? "";
  const target = URL.canParse(location, url.href) ? new URL(location, url).origin : "another place";
  throw new BridgeError(
    "GATEWAY_ANSWER_INVALID",
    `${url.host} redirects to ${target}`,
    "connect to the address of the endpoint itself; a token never follows a redirect",
  );
}
