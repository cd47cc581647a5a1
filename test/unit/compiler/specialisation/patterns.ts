// URI patterns of random documents, what they match, and which leaf stands for a URI: by the language's document.
import { DEFAULT_TENANT } from "#bundle";
import type { Draft, ResourceRule } from "./documents.ts";
import { ruleLeaf } from "./shape.ts";
import type { Leaf } from "./shape.ts";

export interface WrittenPattern {
  readonly written: string;
  /** With its scheme. */
  readonly pattern: string;
  /** Servers that it is about. */
  readonly on: readonly string[];
}

const PATHS = ["r*", "x/*", "x/a*", "**", "docs/**", "docs/*/b", "x/*/b"];
const FILES = ["/shared/**", "/shared/public/*"];

/** An allowed pattern names its server where several offer resources; a denied one may be of all in scope. */
export function randomPatterns({ dice, servers }: Draft, verb: "allow" | "deny"): readonly WrittenPattern[] {
  if (!dice.chance(verb === "allow" ? 0.55 : 0.25)) return [];
  return dice.times(1, 2, () => {
    const { id } = dice.pick(servers);
    const bare = dice.chance(0.25) ? dice.pick(FILES) : `${id}://${dice.pick(PATHS)}`;
    const isBare = (servers.length === 1 || verb === "deny") && dice.chance(0.7);
    return {
      written: isBare ? bare : `${id}/${bare}`,
      pattern: bare.startsWith("/") ? `file://${bare}` : bare,
      on: isBare ? servers.map((server) => server.id) : [id],
    };
  });
}

/** `*`: characters of one segment; `**`: any; `{…}` of a template: some of one segment. `below`: what follows too. */
export function uriFits(pattern: string, uri: string, below = false): boolean {
  const parts = pattern.split(/(\*\*|\*|\{[^}]*\})/u).map((part) => {
    if (part === "**") return "[^]*";
    if (part.startsWith("{")) return "[^/?#]+";
    return part === "*" ? "[^/?#]*" : part.replaceAll(/[.?+^$()[\]{}|\\/]/gu, "\\$&");
  });
  return new RegExp(`^${parts.join("")}${below ? "(?:[/?;][^]*)?" : ""}$`, "u").test(uri);
}

/** URIs that somebody may read on a server, each in canonical form. */
export function urisOf(server: string): readonly string[] {
  const own = ["r0", "r1", "r22", "x/7", "x/a", "x/a1", "x/a/b", "docs/a", "docs/a/b", "docs/a/b/c", "other"];
  return [...own.map((path) => `${server}://${path}`), "file:///shared/a/b", "file:///shared/public/k"];
}

/** The pinned resource, else the pinned template, else the rule with the longest beginning before its first star. */
export function resolveUri(
  leaves: readonly Leaf[],
  rules: readonly ResourceRule[],
  { server, uri }: { readonly server: string; readonly uri: string },
): Leaf | undefined {
  const offered = leaves.filter((leaf) => leaf.server === server);
  const pinned = offered.find((leaf) => leaf.kind === "resource" && leaf.name === uri);
  const template = offered.find(
    (leaf) =>
      leaf.kind === "resource-template" &&
      new RegExp(`^${leaf.name.replace("{id}", "[^/?#]+")}$`, "u").test(uri),
  );
  const [rule] = rules
    .filter((item) => item.server === server && item.tenant === DEFAULT_TENANT)
    .filter(({ pattern }) => uriFits(pattern, uri))
    .map(({ pattern }) => pattern)
    .sort((a, b) => b.indexOf("*") - a.indexOf("*") || b.length - a.length || (a < b ? -1 : 1));
  return pinned ?? template ?? (rule === undefined ? undefined : ruleLeaf(server, rule));
}
