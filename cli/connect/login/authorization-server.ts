// Where to log in for an endpoint: protected resource metadata (RFC 9728), then the authorization server's own
// (RFC 8414, OpenID Connect Discovery).
import {
  checkResourceAllowed,
  discoverAuthorizationServerMetadata,
  discoverOAuthProtectedResourceMetadata,
} from "@modelcontextprotocol/client";
import type { AuthorizationServerMetadata } from "@modelcontextprotocol/client";
import { BridgeError } from "../bridge-error.ts";
import { reasonOf, tlsRemedyOf } from "../connection-fault.ts";
import type { Challenge } from "../token-source.ts";

export interface AuthorizationServer {
  readonly issuer: string;
  readonly metadata: AuthorizationServerMetadata;
  /** RFC 8707 resource, as the endpoint spells it. */
  readonly resource: string;
  /** Scopes to ask for where neither the user nor the challenge says. */
  readonly scopes: readonly string[];
}

const REQUEST_TIMEOUT_MS = 15_000;
const MAX_METADATA_BYTES = 1_048_576;

const LOOPBACK_HOSTS: ReadonlySet<string> = new Set(["127.0.0.1", "[::1]", "localhost"]);

/** HTTPS, or plain HTTP that does not leave this machine. */
export function isSafeUrl(url: URL): boolean {
  return url.protocol === "https:" || (url.protocol === "http:" && LOOPBACK_HOSTS.has(url.hostname));
}

/** A fetch with a bound on time and size, to safe addresses only. */
export function boundedFetch(
  signal: AbortSignal,
): (url: string | URL, init?: RequestInit) => Promise<Response> {
  return async (url, init) => {
    if (!isSafeUrl(new URL(url))) throw failed(`${new URL(url).origin} is neither https nor on this machine`);
    const bound = AbortSignal.any([signal, AbortSignal.timeout(REQUEST_TIMEOUT_MS)]);
    const response = await fetch(url, { ...init, signal: bound }).catch((cause: unknown) => {
      signal.throwIfAborted();
      throw failed(`cannot reach ${new URL(url).host} (${reasonOf(cause)})`, tlsRemedyOf(cause), { cause });
    });
    const chunks: Uint8Array[] = [];
    let length = 0;
    for await (const chunk of response.body ?? []) {
      length += chunk.length;
      if (length > MAX_METADATA_BYTES) throw failed(`${new URL(url).origin} answers too much`);
      chunks.push(chunk);
    }
    const hasBody = ![101, 204, 205, 304].includes(response.status);
    return new Response(hasBody ? Buffer.concat(chunks, length) : null, {
      status: response.status,
      statusText: response.statusText,
      headers: response.headers,
    });
  };
}

/** @throws {BridgeError} LOGIN_FAILED */
export async function discoverAuthorizationServer(
  url: URL,
  challenge: Challenge,
  signal: AbortSignal,
): Promise<AuthorizationServer> {
  const fetchFn = boundedFetch(signal);
  const given = challenge.resourceMetadataUrl;
  if (given !== undefined && given.origin !== url.origin)
    throw failed(`${url.host} says that ${given.host} knows where to log in for it`);
  const resource = await attempt(`${url.host} does not say where to log in`, () =>
    discoverOAuthProtectedResourceMetadata(
      url,
      given === undefined ? {} : { resourceMetadataUrl: given },
      fetchFn,
    ),
  );
  if (!checkResourceAllowed({ requestedResource: url, configuredResource: resource.resource }))
    throw failed(`${url.host} names another resource, ${resource.resource}`, "connect to that URL");
  const issuer = resource.authorization_servers?.[0];
  if (issuer === undefined) throw failed(`${url.host} names no authorization server`);
  const metadata = await attempt(`the metadata of ${issuer} cannot be read`, () =>
    discoverAuthorizationServerMetadata(issuer, { fetchFn }),
  );
  if (metadata === undefined) throw failed(`${issuer} publishes no authorization server metadata`);
  return {
    issuer: metadata.issuer,
    metadata,
    resource: resource.resource,
    scopes: resource.scopes_supported ?? [],
  };
}

/** Metadata of an issuer that is known already. @throws {BridgeError} LOGIN_FAILED */
export async function readIssuer(issuer: string, signal: AbortSignal): Promise<AuthorizationServerMetadata> {
  const metadata = await attempt(`the metadata of ${issuer} cannot be read`, () =>
    discoverAuthorizationServerMetadata(issuer, { fetchFn: boundedFetch(signal) }),
  );
  if (metadata?.issuer !== issuer) throw failed(`${issuer} publishes no authorization server metadata`);
  return metadata;
}

async function attempt<T>(what: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (cause) {
    if (cause instanceof BridgeError) throw cause;
    throw failed(`${what}: ${(cause as Error).message}`, undefined, { cause });
  }
}

/** A login that did not come about. */
export function failed(
  message: string,
  remedy = "ask the operator of the gateway, or give a token with --token",
  options?: ErrorOptions,
): BridgeError {
  return new BridgeError("LOGIN_FAILED", message, remedy, options);
}
