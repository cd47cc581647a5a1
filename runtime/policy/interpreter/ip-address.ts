// Cedar's ipaddr: an address or a range in prefix form. https://docs.cedarpolicy.com/policies/syntax-datatypes.html#datatype-ipaddr
import { EvaluationError } from "./long.ts";

/** IPv4 numbers are numbers, IPv6 numbers bigints. */
export class IpValue {
  readonly isV6: boolean;
  readonly address: number | bigint;
  /** 0–32 or 0–128. */
  readonly prefix: number;
  constructor(isV6: boolean, address: number | bigint, prefix: number) {
    this.isV6 = isV6;
    this.address = address;
    this.prefix = prefix;
  }
  /** Two ranges are equal where address and prefix are, not where they hold the same addresses. */
  get key(): string {
    return `i${this.isV6 ? "6" : "4"}:${String(this.address)}/${String(this.prefix)}`;
  }
}

const V4_BITS = 32;
const V6_BITS = 128;
const V6_GROUPS = 8;
const ZERO = 48;
const NINE = 57;
const DOT = 46;
const GROUP = /^[0-9a-fA-F]{1,4}$/u;
const PREFIX = /^(?:0|[1-9][0-9]{0,2})$/u;
/** No valid text is longer: eight groups of four digits, and a prefix. */
const maxLength = 43;

/** @throws {EvaluationError} for text that Cedar's `ip` refuses, IPv4 embedded in IPv6 among it */
export function parseIp(text: string): IpValue {
  const ip = text.length <= maxLength ? readIp(text) : undefined;
  if (ip === undefined) throw new EvaluationError("not an IP address");
  return ip;
}

function readIp(text: string): IpValue | undefined {
  const slash = text.indexOf("/");
  const host = slash === -1 ? text : text.slice(0, slash);
  const isV6 = host.includes(":");
  const address = isV6 ? readV6(host) : readV4(host);
  if (address === undefined) return undefined;
  const bits = isV6 ? V6_BITS : V4_BITS;
  if (slash === -1) return new IpValue(isV6, address, bits);
  const prefix = text.slice(slash + 1);
  return PREFIX.test(prefix) && Number(prefix) <= bits
    ? new IpValue(isV6, address, Number(prefix))
    : undefined;
}

/** Four octets without leading zeros. */
function readV4(text: string): number | undefined {
  let address = 0;
  let octet = 0;
  let length = 0;
  let octets = 0;
  for (let index = 0; index <= text.length; index += 1) {
    const code = text.charCodeAt(index);
    if (code >= ZERO && code <= NINE) {
      if (length > 0 && octet === 0) return undefined;
      octet = octet * 10 + code - ZERO;
      length += 1;
      if (octet > 255) return undefined;
    } else {
      if (length === 0 || (index < text.length && code !== DOT)) return undefined;
      address = address * 256 + octet;
      octets += 1;
      octet = 0;
      length = 0;
    }
  }
  return octets === 4 ? address : undefined;
}

function readV6(text: string): bigint | undefined {
  const gap = text.indexOf("::");
  const head = readGroups(gap === -1 ? text : text.slice(0, gap));
  const tail = readGroups(gap === -1 ? "" : text.slice(gap + 2));
  if (head === undefined || tail === undefined) return undefined;
  const missing = V6_GROUPS - head.length - tail.length;
  // `::` stands for at least one group.
  if (gap === -1 ? missing !== 0 : missing < 1) return undefined;
  let address = 0n;
  for (const group of [...head, ...new Array<number>(missing).fill(0), ...tail])
    address = address * 65_536n + BigInt(group);
  return address;
}

function readGroups(text: string): readonly number[] | undefined {
  if (text === "") return [];
  const groups = text.split(":");
  return groups.every((group) => GROUP.test(group))
    ? groups.map((group) => Number.parseInt(group, 16))
    : undefined;
}

/** True where every address of `inner` is one of `outer`; never across the two families. */
export function isInRange(inner: IpValue, outer: IpValue): boolean {
  if (inner.isV6 !== outer.isV6 || inner.prefix < outer.prefix) return false;
  return network(inner, outer.prefix) === network(outer, outer.prefix);
}

/** The address without its host part, as the number of the network among those of this prefix. */
function network({ isV6, address }: IpValue, prefix: number): number | bigint {
  if (isV6) return BigInt(address) >> BigInt(V6_BITS - prefix);
  return Math.floor(Number(address) / 2 ** (V4_BITS - prefix));
}

const V4_LOOPBACK = new IpValue(false, 127 * 2 ** 24, 8);
const V6_LOOPBACK = new IpValue(true, 1n, V6_BITS);
const V4_MULTICAST = new IpValue(false, 224 * 2 ** 24, 4);
const V6_MULTICAST = new IpValue(true, 0xffn << 120n, 8);

/** 127.0.0.0/8 and ::1; a range only where all of it is. */
export function isLoopback(ip: IpValue): boolean {
  return isInRange(ip, ip.isV6 ? V6_LOOPBACK : V4_LOOPBACK);
}

/** 224.0.0.0/4 and ff00::/8; a range only where all of it is. */
export function isMulticast(ip: IpValue): boolean {
  return isInRange(ip, ip.isV6 ? V6_MULTICAST : V4_MULTICAST);
}
