// Facts about a URL. Only a spelling that every parser reads alike is judged: what browsers repair (missing slashes,
// backslashes, white space) or what hides the host (user information) is not `ok`.
import { isDisguisedDotSegment } from "./dot-segments.ts";
import { isPrivateHost } from "./private-address.ts";

/** `R.url()`. What is not `ok` has empty members and counts as private. */
export interface UrlFacts {
  readonly ok: boolean;
  /** Lower case, without the colon. */
  readonly scheme: string;
  /** Lower case, IDN as punycode, without brackets and trailing dot; empty for `file:///…`. */
  readonly host: string;
  /** As written, or the default of the scheme; 0 where it has none. */
  readonly port: number;
  /** WHATWG path: dot segments resolved, percent-encoding kept. */
  readonly path: string;
  /** True where the host is not known to be on the public internet. Names are not resolved. */
  readonly isPrivate: boolean;
}

/** Facts about text that is no URL. */
export const UNKNOWN_URL: UrlFacts = { ok: false, scheme: "", host: "", port: 0, path: "", isPrivate: true };

const DEFAULT_PORTS: ReadonlyMap<string, number> = new Map([
  ["ftp", 21],
  ["git", 9418],
  ["http", 80],
  ["https", 443],
  ["ldap", 389],
  ["ldaps", 636],
  ["mysql", 3306],
  ["postgres", 5432],
  ["postgresql", 5432],
  ["redis", 6379],
  ["sftp", 22],
  ["ssh", 22],
  ["ws", 80],
  ["wss", 443],
]);

// Controls, format characters, lone surrogates, every kind of space, and the backslash that browsers take for a slash.
const UNSAFE = /[\p{C}\p{Z}\\]/u;
const ABSOLUTE = /^([A-Za-z][A-Za-z0-9+.-]*):\/\/([^/?#]*)(.*)$/s;
const AUTHORITY = /^(\[[0-9A-Fa-f:.]+\]|[^:@%[\]]*)(?::([0-9]*))?$/;
/** RFC 1035, 2.3.4. */
const MAX_HOST_LENGTH = 253;
// A label of a name, with the underscore of service names; of an IPv4 address too.
const LABEL = /^[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?$/;

/** `host` as a URL parser writes it: other characters are separators or options to some program that connects. */
function isHostName(host: string): boolean {
  return host.length <= MAX_HOST_LENGTH && host.split(".").every((label) => LABEL.test(label));
}

/** The host as `UrlFacts.host` has it; undefined where it is none. `written` may be an IPv6 address in brackets. */
export function canonicalHost(written: string): string | undefined {
  if (written === "" || UNSAFE.test(written)) return undefined;
  const match = AUTHORITY.exec(written);
  if (match === null || match[2] !== undefined) return undefined;
  const parsed = URL.parse(`http://${written}/`);
  if (parsed === null) return undefined;
  const address = /^\[([0-9a-f:.]+)\]$/.exec(parsed.hostname)?.[1];
  if (address !== undefined) return address;
  const host = parsed.hostname.replace(/\.$/, "");
  return isHostName(host) ? host : undefined;
}

/** Facts about one URL, absolute and with `//` (RFC 3986, 3.2; WHATWG URL). Never throws. */
export function readUrl(text: string): UrlFacts {
  if (UNSAFE.test(text)) return UNKNOWN_URL;
  const match = ABSOLUTE.exec(text);
  if (match === null) return UNKNOWN_URL;
  const [, rawScheme = "", authority = "", rest = ""] = match;
  const scheme = rawScheme.toLowerCase();
  const parsed = URL.parse(text);
  if (parsed === null || parsed.protocol !== `${scheme}:`) return UNKNOWN_URL;
  if (parsed.username !== "" || parsed.password !== "") return UNKNOWN_URL;
  const [path = ""] = rest.split(/[?#]/, 1);
  if (path.split("/").some(isDisguisedDotSegment)) return UNKNOWN_URL;
  if (authority === "") {
    if (scheme !== "file" || path.startsWith("//")) return UNKNOWN_URL;
    return { ok: true, scheme, host: "", port: 0, path: parsed.pathname, isPrivate: true };
  }
  const parts = AUTHORITY.exec(authority);
  const host = parts === null ? undefined : canonicalHost(parts[1] ?? "");
  if (host === undefined) return UNKNOWN_URL;
  // `file://C:/x` names a drive, not a host.
  if (scheme === "file" && authority.includes(":")) return UNKNOWN_URL;
  const port = parts?.[2] === undefined || parts[2] === "" ? DEFAULT_PORTS.get(scheme) : Number(parts[2]);
  return { ok: true, scheme, host, port: port ?? 0, path: parsed.pathname, isPrivate: isPrivateHost(host) };
}
