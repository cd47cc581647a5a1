// What the servers of one endpoint are called by its clients. With one server everything keeps its own name; with
// several, names carry the server's id, and URIs do where more than one server could mean something by them.
import type { LeafEntry, ServerId } from "#bundle";
import { canonicalSpelling, expandPattern } from "#resources";
import type { ResourceIndex } from "#resources";

/** A server as naming sees it; a `RoutedServer` fits. */
export interface NamedServer {
  readonly entry: { readonly id: ServerId; readonly leaves: readonly LeafEntry[] };
  readonly resources: ResourceIndex;
}

/** An endpoint as naming sees it; a `Route` fits. */
export interface NamedRoute<S extends NamedServer = NamedServer> {
  readonly servers: readonly S[];
  readonly names: RouteNames<S>;
}

/** Computed once for each endpoint of a snapshot. */
export interface RouteNames<S extends NamedServer = NamedServer> {
  readonly byId: ReadonlyMap<ServerId, S>;
  /** Resources, templates and rules whose URIs another server of the endpoint could mean as well. */
  readonly contested: ReadonlySet<LeafEntry>;
  /** Servers by what the URIs they govern are, or begin with. */
  readonly claims: ClaimIndex<S>;
}

interface ClaimIndex<S> {
  readonly exact: ReadonlyMap<string, readonly S[]>;
  readonly heads: ReadonlyMap<string, readonly S[]>;
  /** Lengths of the heads, ascending, in UTF-16 code units. */
  readonly headLengths: readonly number[];
}

/** The URIs of one leaf: one URI, or all that begin with `text`. */
interface Claim<S> {
  readonly server: S;
  readonly leaf: LeafEntry;
  readonly text: string;
  readonly isHead: boolean;
}

export function createRouteNames<S extends NamedServer>(servers: readonly S[]): RouteNames<S> {
  const byId = new Map(servers.map((server) => [server.entry.id, server]));
  const claims = servers.length < 2 ? [] : servers.flatMap(claimsOf);
  return { byId, contested: contestedLeaves(claims), claims: indexClaims(claims) };
}

function claimsOf<S extends NamedServer>(server: S): Claim<S>[] {
  return server.entry.leaves.flatMap((leaf) => {
    const { name } = leaf;
    switch (leaf.kind) {
      case "resource":
        return { server, leaf, text: canonicalSpelling(name), isHead: false };
      case "resource-template":
        return { server, leaf, text: canonicalSpelling(name).split("{", 1)[0] ?? "", isHead: true };
      case "resource-rule":
        return {
          server,
          leaf,
          text: canonicalSpelling(expandPattern(name)).split("*", 1)[0] ?? "",
          isHead: true,
        };
      default:
        return [];
    }
  });
}

/**
 * Judged by how URIs begin, so that it holds for every URI a template or a rule stands for: a template that is
 * contested is contested with all its expansions, and with what the same server pins among them.
 */
function contestedLeaves<S extends NamedServer>(claims: readonly Claim<S>[]): ReadonlySet<LeafEntry> {
  const sorted = claims.toSorted(byText);
  const contested = new Set<LeafEntry>();
  let open: Claim<S>[] = [];
  for (const claim of sorted) {
    open = open.filter((other) =>
      other.isHead ? claim.text.startsWith(other.text) : claim.text === other.text,
    );
    for (const other of open) {
      if (other.server === claim.server) continue;
      contested.add(other.leaf);
      contested.add(claim.leaf);
    }
    open.push(claim);
  }
  const heads = claims.filter(({ leaf, isHead }) => isHead && contested.has(leaf));
  for (const { server, leaf, text } of claims) {
    if (heads.some((head) => head.server === server && text.startsWith(head.text))) contested.add(leaf);
  }
  return contested;
}

// A head stands before what it is the beginning of, and before an equal URI.
function byText(a: Claim<unknown>, b: Claim<unknown>): number {
  if (a.text !== b.text) return a.text < b.text ? -1 : 1;
  return Number(b.isHead) - Number(a.isHead);
}

function indexClaims<S>(claims: readonly Claim<S>[]): ClaimIndex<S> {
  const exact = new Map<string, S[]>();
  const heads = new Map<string, S[]>();
  for (const { server, text, isHead } of claims) {
    const index = isHead ? heads : exact;
    const known = index.get(text);
    if (known === undefined) index.set(text, [server]);
    else if (known.at(-1) !== server) known.push(server);
  }
  const headLengths = [...new Set([...heads.keys()].map((head) => head.length))].sort((a, b) => a - b);
  return { exact, heads, headLengths };
}

/** The servers of which some leaf could stand for the URI, each once. */
export function claimants<S>({ exact, heads, headLengths }: ClaimIndex<S>, uri: string): ReadonlySet<S> {
  const spelled = canonicalSpelling(uri);
  const found = new Set(exact.get(spelled));
  for (const length of headLengths) {
    if (length > spelled.length) break;
    for (const server of heads.get(spelled.slice(0, length)) ?? []) found.add(server);
  }
  return found;
}
