// The address of the client behind proxies that the configuration trusts. Everybody else's claim about itself is ignored.
import { BlockList, isIP } from "node:net";

/** Addresses of one header that are looked at, from the near end. */
const MAX_HOPS = 32;

/**
 * From the peer of the socket and the request's raw headers (name, value, …) to the address of the client; empty where
 * it is not known.
 */
export type ClientAddress = (peer: string, rawHeaders: readonly string[]) => string;

/**
 * `trusted`: addresses and ranges (CIDR) of proxies. Where the peer is one of them, the client is the last address of
 * `X-Forwarded-For` that is not. Where that cannot be read, or nobody is named, the client is not known: the address of
 * the proxy would say that everybody comes from the inside.
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
    const plain = withoutMapping(address);
    const family = isIP(plain);
    return family !== 0 && proxies.check(plain, family === 6 ? "ipv6" : "ipv4");
  };
  return (peer, rawHeaders) => {
    if (!isProxy(peer)) return peer;
    const hops = forwardedFor(rawHeaders);
    let client: string | undefined;
    for (const hop of hops.slice(-MAX_HOPS).toReversed()) {
      client = readHop(hop);
      if (client === undefined) return "";
      if (!isProxy(client)) return client;
    }
    return hops.length > MAX_HOPS ? "" : (client ?? "");
  };
}

function withoutMapping(address: string): string {
  return address.replace(/^::ffff:(?=\d+\.)/iu, "");
}

/** An address with or without a port: `192.0.2.1`, `192.0.2.1:4711`, `2001:db8::1`, `[2001:db8::1]:4711`. */
function readHop(hop: string): string | undefined {
  if (isIP(hop) !== 0) return hop.includes("%") ? undefined : withoutMapping(hop);
  const parts = /^(?:\[([^[\]%]*)\]|([0-9.]+)(?=:))(?::([0-9]{1,5}))?$/u.exec(hop);
  const [, bracketed, plain, port = "0"] = parts ?? [];
  if (Number(port) > 65_535) return undefined;
  if (bracketed !== undefined) return isIP(bracketed) === 6 ? withoutMapping(bracketed) : undefined;
  return plain !== undefined && isIP(plain) === 4 ? plain : undefined;
}

function forwardedFor(rawHeaders: readonly string[]): readonly string[] {
  const values: string[] = [];
  for (let at = 0; at + 1 < rawHeaders.length; at += 2) {
    if (rawHeaders[at]?.toLowerCase() === "x-forwarded-for") values.push(rawHeaders[at + 1] ?? "");
  }
  return values.flatMap((value) => value.split(",").map((hop) => hop.trim()));
}
