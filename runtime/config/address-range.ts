// Addresses and ranges of addresses as an operator writes them.
import { isIP } from "node:net";

/** True where `text` is an IPv4 or IPv6 address, or one with a prefix length (CIDR). */
export function isAddressRange(text: string): boolean {
  const [address = "", prefix, ...rest] = text.split("/");
  const family = isIP(address);
  if (family === 0 || rest.length > 0) return false;
  if (prefix === undefined) return true;
  return /^\d{1,3}$/u.test(prefix) && Number(prefix) <= (family === 4 ? 32 : 128);
}
