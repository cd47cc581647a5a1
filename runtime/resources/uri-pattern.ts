// Patterns over resource URIs: `*` stands for characters of one path segment, `**` for any. Both need at least none.
import { canonicalSpelling, uriFault } from "./canonical-uri.ts";
import type { UriFault } from "./canonical-uri.ts";

export type PatternFault = UriFault | "wildcard in the scheme or the host" | "braces of a template";

/** True where `name` is a pattern rather than a URI or a URI template. */
export function isUriPattern(name: string): boolean {
  return name.includes("*");
}

/** A pattern as it is matched: `/a/*` is short for `file:///a/*`. */
export function expandPattern(pattern: string): string {
  return pattern.startsWith("/") ? `file://${pattern}` : pattern;
}

/** Why a pattern can match no canonical URI, or more than it seems to; undefined where it is sound. */
export function patternFault(pattern: string): PatternFault | undefined {
  const expanded = expandPattern(pattern);
  if (/[{}]/u.test(expanded)) return "braces of a template";
  // What stands after `//` is a host only where the scheme says so.
  const head = /^(?:(?:https?|wss?|file):\/\/[^/]*|[^:]*:)/u.exec(expanded)?.[0] ?? expanded;
  if (head.includes("*")) return "wildcard in the scheme or the host";
  // A letter in place of each wildcard makes a URI that the pattern matches.
  return uriFault(canonicalSpelling(expanded.replaceAll(/\*+/gu, "x")));
}

/** What lies below a URI, or is asked of it. */
const BELOW = "(?:[/?;](?s:.*))?";

/**
 * RE2 pattern, anchored at both ends, of the URIs that the pattern matches. `and below`: and of everything below them,
 * which is what a denial means.
 */
export function patternRegex(pattern: string, reach: "alone" | "and below" = "alone"): string {
  const parts = expandPattern(pattern).split(/(\*\*|\*)/u);
  const body = parts.map((part) =>
    part === "**" ? "(?s:.*)" : part === "*" ? "[^/?#]*" : literalRegex(part),
  );
  return `\\A${body.join("")}${reach === "alone" ? "" : BELOW}\\z`;
}

/** RE2 pattern of what a URI template can expand to, and of everything below it. */
export function templateRegex(template: string): string {
  const parts = template.split(/(\{[^{}]*\})/u);
  const body = parts.map((part) => (/^\{[^{}]*\}$/u.test(part) ? "[^/?#]+" : literalRegex(part)));
  return `\\A${body.join("")}${BELOW}\\z`;
}

/** Policies see URIs in canonical form, whichever form the author wrote. */
function literalRegex(text: string): string {
  return canonicalSpelling(text).replaceAll(/[^A-Za-z0-9/_~%-]/gu, "\\$&");
}

/** Orders patterns so that the most specific of those that match a URI comes first: by length of the literal beginning. */
export function bySpecificity(a: string, b: string): number {
  const literal = (pattern: string): number => expandPattern(pattern).indexOf("*");
  return literal(b) - literal(a) || b.length - a.length || (a < b ? -1 : a > b ? 1 : 0);
}
