// The values that argument rules list, checked and brought into the form in which facts report them.
import { canonicalDomain, canonicalHost, readPath } from "#facts";

/** A list entry in canonical form, or what is wrong with it. */
export type Canonical =
  | { readonly ok: true; readonly entry: ListEntry }
  | { readonly ok: false; readonly message: string; readonly help: string };

/** `below`: everything under `text` as well (within), or instead of it (host and domain wildcards). */
export interface ListEntry {
  readonly text: string;
  readonly kind: "exact" | "below";
}

function bad(message: string, help: string): Canonical {
  return { ok: false, message, help };
}

function named(
  written: string,
  what: "domain" | "host",
  canonical: (text: string) => string | undefined,
): Canonical {
  const below = written.startsWith("*.");
  const bare = below ? written.slice(2) : written;
  const example = what === "host" ? "api.example.com or *.example.com" : "example.com or *.example.com";
  const quoted = JSON.stringify(written);
  if (bare.includes("*"))
    return bad(`${quoted}: * stands only at the beginning, before a dot`, `Write ${example}.`);
  const text = canonical(bare);
  if (text === undefined)
    return bad(`${quoted} is no ${what}`, `Write ${example}, without scheme, port and path.`);
  if (below && !text.includes(".")) {
    return bad(`${quoted} covers a whole top-level domain`, "Name a domain below it.");
  }
  return { ok: true, entry: { text, kind: below ? "below" : "exact" } };
}

/** An entry of `host`. */
export function hostEntry(written: string): Canonical {
  return named(written, "host", (text) => canonicalHost(text) ?? canonicalHost(`[${text}]`));
}

/** An entry of `emailDomain`. */
export function domainEntry(written: string): Canonical {
  return named(written.startsWith("@") ? written.slice(1) : written, "domain", canonicalDomain);
}

/** An entry of `schemes`. */
export function schemeEntry(written: string): Canonical {
  const text = written.toLowerCase();
  if (/^[a-z][a-z0-9+.-]*$/.test(text)) return { ok: true, entry: { text, kind: "exact" } };
  return bad(`${JSON.stringify(written)} is no URL scheme`, "Write the scheme alone: https.");
}

/** An entry of `within`; a directory and everything below it. */
export function directoryEntry(written: string): Canonical {
  const { ok, normalized } = readPath(written);
  if (ok) return { ok: true, entry: { text: normalized, kind: "below" } };
  return bad(
    `${JSON.stringify(written)} is no directory that a path can be compared with`,
    "Write an absolute path without .., ~, backslashes and encodings: /srv/public.",
  );
}

/** An entry of `tables` or `functions`: parts joined by dots, each lower case, with `*`, or in double quotes. */
export function sqlNameProblem(written: string, most: number): string | undefined {
  const parts = written.match(/"(?:[^"]|"")+"|[^."]+/g) ?? [];
  const quoted = JSON.stringify(written);
  if (parts.join(".") !== written || parts.length === 0) return `${quoted} is no SQL name`;
  if (parts.length > most) return `${quoted} has more than ${String(most)} parts`;
  if (parts.every((part) => /^\*+$/.test(part)) && parts.length === 1) return `${quoted} names everything`;
  const odd = parts.find((part) => !part.startsWith('"') && !/^[a-z_*][a-z0-9_$*]*$/.test(part));
  if (odd === undefined) return undefined;
  return `${JSON.stringify(odd)} can never match: SQL folds a name to lower case unless it stands in double quotes`;
}
