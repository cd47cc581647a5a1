// Where connections to servers may go. Addresses are judged after the name was resolved, and the connection goes to the
// address that was judged, so a name that points elsewhere the next moment gains nothing. The release says which URLs
// there are; this says which networks of its own the gateway may be sent into.
import { lookup as resolveName } from "node:dns";
import type { LookupAddress, LookupOptions } from "node:dns";
import { BlockList, isIP, isIPv6 } from "node:net";
import type { LookupFunction } from "node:net";
import { canonicalHost, isPrivateHost } from "#facts";
import { UpstreamFault } from "./upstream-fault.ts";

export interface EgressRules {
  /**
   * Addresses, ranges (CIDR) and host names that may be reached although they are not public. Absent = loopback, where
   * the URL itself says so (`localhost`, `127.0.0.1`, `[::1]`).
   */
  readonly allow?: readonly string[] | undefined;
}

export interface EgressGuard {
  /** Why a connection to `address` of the URL's `host` is refused; undefined = it is not. */
  readonly refusalOf: (host: string, address: string) => string | undefined;
  /** @throws {UpstreamFault} EGRESS_DENIED, unsent, for a host that is an address which may not be reached */
  readonly requireLiteral: (host: string) => void;
  /** For the connector of one origin: resolves its name and fails where any of the addresses may not be reached. */
  readonly lookup: LookupFunction;
}

/** Where machines of clouds serve their metadata and credentials: reached only where a range names them. */
const METADATA = new BlockList();
METADATA.addSubnet("169.254.0.0", 16, "ipv4");
METADATA.addSubnet("fe80::", 10, "ipv6");
METADATA.addAddress("fd00:ec2::254", "ipv6");
METADATA.addAddress("100.100.100.200", "ipv4");
METADATA.addAddress("168.63.129.16", "ipv4");

const LOOPBACK = new BlockList();
LOOPBACK.addSubnet("127.0.0.0", 8, "ipv4");
LOOPBACK.addAddress("::1", "ipv6");

function isIn(list: BlockList, address: string): boolean {
  return list.check(address, isIPv6(address) ? "ipv6" : "ipv4");
}

/** Without brackets, lower-case, without a trailing dot. */
function plainHost(host: string): string {
  const bare = host.startsWith("[") && host.endsWith("]") ? host.slice(1, -1) : host;
  return isIP(bare) === 0 ? (canonicalHost(bare) ?? bare.toLowerCase()) : bare.toLowerCase();
}

function isLoopbackSpelled(host: string): boolean {
  return host === "localhost" || (isIP(host) !== 0 && isIn(LOOPBACK, host));
}

/** Addresses and ranges, and the names among the entries. */
function readAllowed(allow: readonly string[]): {
  readonly ranges: BlockList;
  readonly names: ReadonlySet<string>;
} {
  const ranges = new BlockList();
  const names = new Set<string>();
  for (const entry of allow) {
    const [address = "", prefix] = entry.split("/");
    const family = isIP(address);
    const type = family === 6 ? "ipv6" : "ipv4";
    if (family === 0) names.add(plainHost(entry));
    else if (prefix === undefined) ranges.addAddress(address, type);
    else ranges.addSubnet(address, Number(prefix), type);
  }
  return { ranges, names };
}

export function createEgressGuard({ allow }: EgressRules): EgressGuard {
  const { ranges, names } = readAllowed(allow ?? []);
  const refusalOf = (given: string, address: string): string | undefined => {
    const host = plainHost(given);
    if (!isPrivateHost(address.toLowerCase()) || isIn(ranges, address)) return undefined;
    if (allow === undefined && isLoopbackSpelled(host) && isIn(LOOPBACK, address)) return undefined;
    if (names.has(host) && !isIn(METADATA, address)) return undefined;
    return `${address} is no public address, and egress.allow does not name it`;
  };
  const denied = (host: string, refusal: string): UpstreamFault =>
    new UpstreamFault("EGRESS_DENIED", `${host}: ${refusal}`, { unsent: true });
  const judge = (host: string, found: readonly LookupAddress[]): UpstreamFault | undefined => {
    if (found.length === 0) return denied(host, "the name has no address");
    const [refusal] = found.flatMap(({ address }) => refusalOf(host, address) ?? []);
    return refusal === undefined ? undefined : denied(host, refusal);
  };
  return {
    refusalOf,
    requireLiteral: (given) => {
      const host = plainHost(given);
      const refusal = isIP(host) === 0 ? undefined : refusalOf(host, host);
      if (refusal !== undefined) throw denied(host, refusal);
    },
    lookup: (host: string, options: LookupOptions, callback) => {
      resolveName(host, { ...options, all: true }, (error, found) => {
        if (error !== null) return callback(error, "");
        const fault = judge(host, found);
        if (fault !== undefined) return callback(fault, "");
        const [first] = found;
        if (options.all === true) callback(null, found);
        else callback(null, first?.address ?? "", first?.family ?? 4);
      });
    },
  };
}
