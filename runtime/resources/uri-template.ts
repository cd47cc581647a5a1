// Matches a resource URI against a URI template without a backtracking regular expression (CVE-2026-0621 was one).
// Level 1 of RFC 6570: each `{name}` stands for one or more characters other than `/`, `?` and `#`.

/** True for URIs the template can expand to. An operator such as `{+path}` matches nothing: it could cross segments. */
export function templateMatcher(template: string): (uri: string) => boolean {
  const parts = template.split(/\{([^{}]*)\}/u);
  const literals = parts.filter((_, index) => index % 2 === 0);
  const variables = parts.filter((_, index) => index % 2 === 1);
  if (!variables.every((name) => /^[A-Za-z0-9_.]+$/u.test(name))) return () => false;
  // Two variables with nothing between them have no single reading.
  if (literals.slice(1, -1).some((literal) => literal === "")) return () => false;
  return (uri) => matchParts(literals, uri);
}

function matchParts(literals: readonly string[], uri: string): boolean {
  const first = literals[0] ?? "";
  if (!uri.startsWith(first)) return false;
  let position = first.length;
  for (const [index, literal] of literals.slice(1).entries()) {
    const isLast = index === literals.length - 2;
    const end = isLast ? uri.length - literal.length : uri.indexOf(literal, position + 1);
    if (end <= position || !uri.startsWith(literal, end)) return false;
    if (/[/?#]/u.test(uri.slice(position, end))) return false;
    position = end + literal.length;
  }
  return position === uri.length;
}
