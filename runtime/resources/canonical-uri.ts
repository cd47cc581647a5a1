// A resource URI is accepted in one spelling only, so that what a policy judges is what the server reads. Any other
// spelling is refused rather than rewritten (RFC 3986, 6.2.2 names the equivalences).
import { isDisguisedDotSegment } from "#facts";
import { normalizeStreamSafe } from "#std";

/** UTF-16 code units. */
const MAX_URI_LENGTH = 4_096;

/** Why a URI is refused; the text names no part of it. */
export type UriFault =
  | "too long or empty"
  | "control character, space or backslash"
  | "not in Unicode normal form C"
  | "no lower-case scheme"
  | "user information"
  | "authority not in canonical form"
  | "character outside ASCII"
  | "percent-encoding not in canonical form"
  | "dot or empty path segment"
  | "empty query"
  | "fragment";

const UNSAFE = /[\p{Cc}\p{Cf}\p{Zs}\p{Zl}\p{Zp}\\]/u;
/** Schemes whose URIs have an authority, be it an empty one. */
const HIERARCHICAL: ReadonlySet<string> = new Set(["file", "ftp", "http", "https", "ws", "wss"]);
/** Schemes whose authority is a host of the Domain Name System. */
const WEB: ReadonlySet<string> = new Set(["http", "https", "ws", "wss"]);
// Sub-delimiters, `:` and `@`, all of which a path and a query may hold as they are (RFC 3986, 3.3).
const NEEDLESS_ESCAPE = /%(?:21|24|2[6-9ABC]|3A|3B|3D|40)/gu;

/** The first reason why `uri` is not in canonical form; undefined where it is. */
export function uriFault(uri: string): UriFault | undefined {
  if (uri.length === 0 || uri.length > MAX_URI_LENGTH) return "too long or empty";
  if (UNSAFE.test(uri) || !uri.isWellFormed()) return "control character, space or backslash";
  const text = decodeLetters(uri);
  if (text === undefined || UNSAFE.test(text)) return "percent-encoding not in canonical form";
  if (normalizeStreamSafe(text, "NFC") !== text) return "not in Unicode normal form C";
  const scheme = /^([a-z][a-z0-9+.-]*):/u.exec(uri);
  if (scheme === null) return "no lower-case scheme";
  if (uri.includes("#")) return "fragment";
  if (!hasCanonicalEscapes(uri)) return "percent-encoding not in canonical form";
  if (uri.endsWith("?") && uri.indexOf("?") === uri.length - 1) return "empty query";
  return hierarchyFault(scheme[1] ?? "", uri.slice(scheme[0].length));
}

function hierarchyFault(scheme: string, rest: string): UriFault | undefined {
  const hierarchy = /^\/\/([^/?]*)([^?]*)/u.exec(rest);
  const authority = hierarchy?.[1];
  if (authority === undefined && HIERARCHICAL.has(scheme)) return "authority not in canonical form";
  if (authority !== undefined) {
    if (authority.includes("@")) return "user information";
    if (!isCanonicalAuthority(scheme, authority)) return "authority not in canonical form";
  }
  const path = hierarchy === null ? (rest.split("?", 1)[0] ?? "") : (hierarchy[2] ?? "");
  if (hasOddSegments(path)) return "dot or empty path segment";
  return /[^\p{ASCII}]/u.test(rest) ? "character outside ASCII" : undefined;
}

/** True for a URI that has one spelling only. */
export function isCanonicalUri(uri: string): boolean {
  return uriFault(uri) === undefined;
}

/**
 * The URI with letters outside ASCII in percent-encoded UTF-8, and sub-delimiters, `:` and `@` as they are. Pinned names
 * and patterns may be written otherwise and mean this. Other faults of spelling stay.
 */
export function canonicalSpelling(uri: string): string {
  if (!uri.isWellFormed()) return uri;
  return uri
    .replaceAll(/[^\p{ASCII}]+/gu, encodeURIComponent)
    .replaceAll(NEEDLESS_ESCAPE, (escape) => decodeURIComponent(escape));
}

/** The URI with letters outside ASCII as they are; undefined where octets are no UTF-8. */
function decodeLetters(uri: string): string | undefined {
  try {
    return uri.replaceAll(/(?:%[89A-Fa-f][0-9A-Fa-f])+/gu, decodeURIComponent);
  } catch {
    return undefined;
  }
}

// An escape stands in capitals and never for what need not be escaped, for a separator, or for another escape.
function hasCanonicalEscapes(uri: string): boolean {
  if (uri.search(NEEDLESS_ESCAPE) >= 0) return false;
  for (const [, hex = ""] of uri.matchAll(/%(.{0,2})/gsu)) {
    if (!/^[0-9A-F]{2}$/u.test(hex)) return false;
    const octet = Number.parseInt(hex, 16);
    if (octet < 0x21 && octet !== 0x20) return false;
    if (octet === 0x25 || octet === 0x2f || octet === 0x5c || octet === 0x7f) return false;
    if (/[A-Za-z0-9._~-]/u.test(String.fromCharCode(octet)) && octet < 0x80) return false;
  }
  return true;
}

// `file://localhost/x` and `file:///x` are one file; hosts, ports and IPv4 addresses have many spellings.
function isCanonicalAuthority(scheme: string, authority: string): boolean {
  if (scheme === "file") return authority === "";
  if (/:(?:0\d*)?$/u.test(authority) || /:0\d+$/u.test(authority)) return false;
  if (!WEB.has(scheme)) return true;
  if (authority === "" || /\.(?::|$)/u.test(authority)) return false;
  return URL.parse(`${scheme}://${authority}/`)?.host === authority;
}

function hasOddSegments(path: string): boolean {
  const segments = path.split("/");
  return segments.some(
    (segment, index) =>
      segment === "." ||
      segment === ".." ||
      isDisguisedDotSegment(segment) ||
      // A leading slash and a closing one leave an empty segment at either end.
      (segment === "" && index > 0 && index < segments.length - 1),
  );
}
