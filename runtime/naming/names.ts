// Names and URIs, both ways. Pure: what a client is shown is what it may send, and each thing has one name.
import type { LeafEntry } from "#bundle";
import { claimants } from "./route-names.ts";
import type { NamedRoute, NamedServer } from "./route-names.ts";

/** Between a server's id and a name. No id holds it or ends in a part of it, so its first occurrence ends the id. */
const SEPARATOR = "__";
/** Scheme of a URI that names its server: `aegis:<server>/<uri as the server spells it>` (RFC 3986, path-rootless). */
const SCHEME = "aegis:";

export interface OwnName<S extends NamedServer> {
  readonly server: S;
  /** As the server itself spells it. */
  readonly name: string;
}

export interface OwnUri<S extends NamedServer> {
  readonly server: S;
  /** As the server itself spells it. */
  readonly uri: string;
}

/** Name of a tool, a prompt or a logger as clients of the endpoint see it. */
export function toClientName(route: NamedRoute, server: NamedServer, name: string): string {
  return route.servers.length === 1 ? name : namespaced(server.entry.id, name);
}

/** The name that an endpoint with several servers gives to what one of them calls `name`. */
export function namespaced(server: string, name: string): string {
  return server + SEPARATOR + name;
}

/** Undefined for a name that is none of the endpoint's. Whether the server has such a tool or prompt is not asked. */
export function fromClientName<S extends NamedServer>(
  route: NamedRoute<S>,
  name: string,
): OwnName<S> | undefined {
  const [only, ...others] = route.servers;
  if (only !== undefined && others.length === 0) return { server: only, name };
  const end = name.indexOf(SEPARATOR);
  const server = end < 1 ? undefined : route.names.byId.get(name.slice(0, end));
  return server === undefined ? undefined : { server, name: name.slice(end + SEPARATOR.length) };
}

/**
 * URI or URI template of a server as clients of the endpoint see it: itself where no other server could mean something
 * by it, else with the server named.
 */
export function toClientUri(route: NamedRoute, server: NamedServer, uri: string): string {
  if (route.servers.length === 1) return uri;
  if (uri.startsWith(SCHEME)) return wrapped(server, uri);
  const leaf = leafOf(server, uri);
  if (leaf !== undefined) return route.names.contested.has(leaf) ? wrapped(server, uri) : uri;
  // What the server mentions but does not serve must not become what another one serves.
  for (const other of claimants(route.names.claims, uri)) {
    if (other !== server && leafOf(other, uri) !== undefined) return wrapped(server, uri);
  }
  return uri;
}

/** Undefined for a URI that stands for nothing at this endpoint, or that is not spelled as the endpoint shows it. */
export function fromClientUri<S extends NamedServer>(
  route: NamedRoute<S>,
  uri: string,
): OwnUri<S> | undefined {
  const [only, ...others] = route.servers;
  if (only !== undefined && others.length === 0) return { server: only, uri };
  if (uri.startsWith(SCHEME)) return unwrapped(route, uri);
  for (const server of claimants(route.names.claims, uri)) {
    const leaf = leafOf(server, uri);
    // At most one server has a leaf for it that is not contested.
    if (leaf !== undefined && !route.names.contested.has(leaf)) return { server, uri };
  }
  return undefined;
}

function wrapped(server: NamedServer, uri: string): string {
  return `${SCHEME}${server.entry.id}/${uri}`;
}

function unwrapped<S extends NamedServer>(route: NamedRoute<S>, uri: string): OwnUri<S> | undefined {
  const end = uri.indexOf("/");
  const server = end < 0 ? undefined : route.names.byId.get(uri.slice(SCHEME.length, end));
  if (server === undefined) return undefined;
  const own = uri.slice(end + 1);
  return toClientUri(route, server, own) === uri ? { server, uri: own } : undefined;
}

/** The leaf of a URI, of a template or of a rule by its name. */
function leafOf({ resources }: NamedServer, uri: string): LeafEntry | undefined {
  const named = /[{*]/u.test(uri) ? resources.named(uri) : undefined;
  if (named !== undefined) return named;
  return resources.faultOf(uri) === undefined ? resources.leafOf(uri) : undefined;
}
