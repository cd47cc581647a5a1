// The address of the client behind proxies that the configuration trusts. Everybody else's claim about itself is ignored.
import { BlockList, isIP } from "node:net";

/** Addresses of one header that are looked at, from the near end. */
const MAX_HOPS = 32;

/** From the peer of the socket and the request's raw headers (name, value, …) to the address of the client. */
export type ClientAddress = (peer: string, rawHeaders: readonly string[]) => string;

/**
 * `trusted`: addresses and ranges (CIDR) of proxies. Where the peer is one of them, the client is the last address of
 * `X-Forwarded-For` that is not; a header that cannot be read counts as absent.
 */
export function createClientAddress(trusted: readonly string[]): ClientAddress {
  if (trusted.length === 0) return (peer) => peer;
  const proxies = new BlockList();
  for (const range of trusted) {
    const [address = "", prefix] = range.split("/");
    const family = isIP(address) === 6 ? "ipv6" : "ipv4";
    if (prefix === undefined) proxies.addAddress(address, family);
    else proxies.addSubnet(address, Number(prefix), family);
  }
  const isProxy = (address: string): boolean => {
    const plain = address.replace(/^::ffff:(?=\d+\.)/iu, "");
    const family = isIP(plain);
    return family !== 0 && proxies.check(plain, family === 6 ? "ipv6" : "ipv4");
  };
  return (peer, rawHeaders) => {
    if (!isProxy(peer)) return peer;
    const hops = forwardedFor(rawHeaders);
    let client = peer;
    for (const hop of hops.slice(-MAX_HOPS).toReversed()) {
      if (isIP(hop) === 0) return client;
      client = hop;
      if (!isProxy(hop)) return hop;
    }
    return client;
  };
}

function forwardedFor(rawHeaders: readonly string[]): readonly string[] {
  const values: string[] = [];
  for (let at = 0; at + 1 < rawHeaders.length; at += 2) {
    if (rawHeaders[at]?.toLowerCase() === "x-forwarded-for") values.push(rawHeaders[at + 1] ?? "");
  }
  return values.flatMap((value) => value.split(",").map((hop) => hop.trim().replace(/^\[(.*)\]$/u, "$1")));
}
