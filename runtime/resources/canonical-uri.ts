// A resource URI is accepted in one spelling only, so that what a policy judges is what the server reads. Any other
// spelling is refused rather than rewritten (RFC 3986, 6.2.2 names the equivalences).

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
  | "percent-encoding not in canonical form"
  | "dot or empty path segment"
  | "fragment";

/** The first reason why `uri` is not in canonical form; undefined where it is. */
export function uriFault(uri: string): UriFault | undefined {
  if (uri.length === 0 || uri.length > MAX_URI_LENGTH) return "too long or empty";
  if (/[\p{Cc}\p{Cf}\p{Zs}\p{Zl}\p{Zp}\\]/u.test(uri) || !uri.isWellFormed())
    return "control character, space or backslash";
  if (uri.normalize("NFC") !== uri) return "not in Unicode normal form C";
  const scheme = /^([a-z][a-z0-9+.-]*):/u.exec(uri);
  if (scheme === null) return "no lower-case scheme";
  if (uri.includes("#")) return "fragment";
  if (!hasCanonicalEscapes(uri)) return "percent-encoding not in canonical form";
  const rest = uri.slice(scheme[0].length);
  const hierarchy = /^\/\/([^/?]*)([^?]*)/u.exec(rest);
  const authority = hierarchy?.[1];
  if (authority !== undefined) {
    if (authority.includes("@")) return "user information";
    if (!isCanonicalAuthority(scheme[1] ?? "", authority)) return "authority not in canonical form";
  }
  const path = hierarchy === null ? (rest.split("?", 1)[0] ?? "") : (hierarchy[2] ?? "");
  return hasOddSegments(path) ? "dot or empty path segment" : undefined;
}

/** True for a URI that has one spelling only. */
export function isCanonicalUri(uri: string): boolean {
  return uriFault(uri) === undefined;
}

// An escape stands in capitals and never for what need not be escaped, for a separator, or for another escape.
function hasCanonicalEscapes(uri: string): boolean {
  for (const [, hex = ""] of uri.matchAll(/%(.{0,2})/gsu)) {
    if (!/^[0-9A-F]{2}$/u.test(hex)) return false;
    const octet = Number.parseInt(hex, 16);
    if (octet < 0x21 && octet !== 0x20) return false;
    if (octet === 0x25 || octet === 0x2f || octet === 0x5c || octet === 0x7f) return false;
    if (/[A-Za-z0-9._~-]/u.test(String.fromCharCode(octet)) && octet < 0x80) return false;
  }
  return true;
}

// `file://localhost/x` and `file:///x` are one file; hosts and their default ports have many spellings.
function isCanonicalAuthority(scheme: string, authority: string): boolean {
  if (scheme === "file") return authority === "";
  if (scheme === "http" && authority.endsWith(":80")) return false;
  if (scheme === "https" && authority.endsWith(":443")) return false;
  const isWeb = scheme === "http" || scheme === "https" || scheme === "ws" || scheme === "wss";
  return !(
    isWeb &&
    (authority === "" || authority !== authority.toLowerCase() || /\.(?::|$)/u.test(authority))
  );
}

function hasOddSegments(path: string): boolean {
  const segments = path.split("/");
  return segments.some(
    (segment, index) =>
      segment === "." ||
      segment === ".." ||
      // A leading slash and a closing one leave an empty segment at either end.
      (segment === "" && index > 0 && index < segments.length - 1),
  );
}
