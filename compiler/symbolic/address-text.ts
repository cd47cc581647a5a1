// An IP address as text, from its number.

/** Four octets, or eight groups of hexadecimal digits. */
export function addressText(address: bigint, isV6: boolean): string {
  const [bits, count] = isV6 ? [16n, 8n] : [8n, 4n];
  const parts: bigint[] = [];
  for (let index = count - 1n; index >= 0n; index -= 1n) {
    parts.push((address >> (bits * index)) & ((1n << bits) - 1n));
  }
  return isV6 ? parts.map((part) => part.toString(16)).join(":") : parts.join(".");
}
