// OAuth 2.0 protected resource metadata (RFC 9728) and the challenge that points to it (RFC 6750, MCP authorization).
import type { RouteEntry } from "#bundle";
import type { ErrorCode } from "#errors";
import type { JsonObject } from "#std";

const wellKnown = "/.well-known/oauth-protected-resource";

/** Path at which the gateway serves the metadata of an endpoint: well-known prefix, then the endpoint's own path. */
export function resourceMetadataPath(routePath: string): string {
  return routePath === "/" ? wellKnown : `${wellKnown}${routePath}`;
}

/** The metadata document of an endpoint. `resource` is the URL clients use: they refuse another one. */
export function resourceMetadata(route: Pick<RouteEntry, "resource" | "issuers">): JsonObject {
  return {
    resource: route.resource,
    authorization_servers: [...route.issuers],
    bearer_methods_supported: ["header"],
  };
}

/** Public URL of the metadata, derived from the endpoint's canonical URI, so that it is right behind a proxy too. */
export function resourceMetadataUrl(route: Pick<RouteEntry, "resource">): string {
  const url = new URL(route.resource);
  return `${url.origin}${resourceMetadataPath(url.pathname)}`;
}

/**
 * Value of the WWW-Authenticate header of a refusal. It says `invalid_token` where a token was sent, and no more about
 * why: a caller without a token is only told where to get one.
 */
export function challengeFor(
  route: Pick<RouteEntry, "resource">,
  code: ErrorCode,
  scopes: readonly string[] = [],
): string {
  const parameters = [["resource_metadata", resourceMetadataUrl(route)]];
  if (scopes.length > 0) parameters.push(["scope", scopes.join(" ")]);
  if (code !== "AUTHN_TOKEN_MISSING") parameters.push(["error", "invalid_token"]);
  return `Bearer ${parameters.map(([name, value]) => `${name}=${quoted(value ?? "")}`).join(", ")}`;
}

// RFC 9110 quoted-string; what a header cannot carry is dropped.
function quoted(value: string): string {
  return `"${value.replaceAll(/[^\x20-\x7e]/g, "").replaceAll(/["\\]/g, "\\$&")}"`;
}
