// Which hosts are not on the public internet. IANA special-purpose address registries (RFC 6890), RFC 6761, RFC 6762.
import { isIPv4, isIPv6 } from "node:net";

// First and last address of each block that is not globally reachable unicast.
const PRIVATE_IPV4: readonly (readonly [first: number, last: number])[] = [
  "0.0.0.0/8",
  "10.0.0.0/8",
  "100.64.0.0/10",
  "127.0.0.0/8",
  // A virtual public address under which Azure serves its own metadata.
  "168.63.129.16/32",
  "169.254.0.0/16",
  "172.16.0.0/12",
  "192.0.0.0/24",
  "192.0.2.0/24",
  "192.88.99.0/24",
  "192.168.0.0/16",
  "198.18.0.0/15",
  "198.51.100.0/24",
  "203.0.113.0/24",
  // Multicast, reserved, broadcast.
  "224.0.0.0/3",
].map(ipv4Block);

const PRIVATE_NAMES: readonly string[] = [
  "home.arpa",
  "internal",
  "intranet",
  "lan",
  "local",
  "localdomain",
  "localhost",
];

function ipv4Block(text: string): readonly [first: number, last: number] {
  const [address = "", bits = "32"] = text.split("/");
  const first = ipv4Number(address);
  return [first, first + 2 ** (32 - Number(bits)) - 1];
}

function ipv4Number(address: string): number {
  return address.split(".").reduce((sum, part) => sum * 256 + Number(part), 0);
}

function isPrivateIpv4(address: number): boolean {
  return PRIVATE_IPV4.some(([first, last]) => address >= first && address <= last);
}

/** The eight groups of an address that `isIPv6` accepts and that has no zone. */
function ipv6Groups(address: string): readonly number[] {
  const tail = /[0-9.]+$/.exec(address)?.[0] ?? "";
  const embedded = isIPv4(tail) ? ipv4Number(tail) : undefined;
  const plain =
    embedded === undefined
      ? address
      : `${address.slice(0, -tail.length)}${(embedded >>> 16).toString(16)}:${(embedded & 0xffff).toString(16)}`;
  const [head = "", rest] = plain.split("::");
  const groupsOf = (text: string): number[] =>
    text === "" ? [] : text.split(":").map((group) => Number.parseInt(group, 16));
  const left = groupsOf(head);
  if (rest === undefined) return left;
  const right = groupsOf(rest);
  return [...left, ...new Array<number>(8 - left.length - right.length).fill(0), ...right];
}

function isPrivateIpv6(address: string): boolean {
  const [a = 0, b = 0, c = 0, d = 0, e = 0, f = 0, g = 0, h = 0] = ipv6Groups(address);
  const startsWithZeros = a === 0 && b === 0 && c === 0 && d === 0 && e === 0;
  // IPv4-mapped, NAT64 and 6to4 addresses lead to the IPv4 address that they carry.
  if (startsWithZeros && f === 0xffff) return isPrivateIpv4(g * 65_536 + h);
  const isNat64 = a === 0x64 && b === 0xff9b && c === 0 && d === 0 && e === 0 && f === 0;
  if (isNat64) return isPrivateIpv4(g * 65_536 + h);
  if (a === 0x2002) return isPrivateIpv4(b * 65_536 + c);
  const isGlobalUnicast = a >= 0x2000 && a <= 0x3fff;
  if (!isGlobalUnicast) return true;
  const isProtocolBlock = a === 0x2001 && b < 0x200;
  const isDocumentation = (a === 0x2001 && b === 0xdb8) || (a === 0x3fff && b < 0x1000);
  return isProtocolBlock || isDocumentation;
}

/**
 * True for a host that is not known to be public: an address that is not globally reachable unicast (loopback,
 * private, link-local with the metadata services, unique-local, shared, documentation, multicast, reserved), an IPv6
 * address that carries such an IPv4 address, a name that only a local resolver answers, a name without a dot, and the
 * empty host. `host` is lower-case, without brackets and trailing dot. Names are not resolved.
 */
export function isPrivateHost(host: string): boolean {
  if (isIPv4(host)) return isPrivateIpv4(ipv4Number(host));
  if (isIPv6(host)) return host.includes("%") || isPrivateIpv6(host);
  if (!host.includes(".")) return true;
  return PRIVATE_NAMES.some((name) => host === name || host.endsWith(`.${name}`));
}
