// Values of facts about a request at which a decision may turn: addresses around ranges, times around instants.

/** Milliseconds of a Cedar duration such as `1d2h30m`, `-15m`; undefined for anything else. */
export function durationMsOf(text: string): number | undefined {
  const match = /^(-?)(?:(\d+)d)?(?:(\d+)h)?(?:(\d+)m)?(?:(\d+)s)?(?:(\d+)ms)?$/u.exec(text);
  if (match === null) return undefined;
  const [, sign, ...parts] = match;
  const units = [86_400_000, 3_600_000, 60_000, 1_000, 1];
  const total = units.reduce((sum, unit, index) => sum + unit * Number(parts[index] ?? 0), 0);
  return sign === "-" ? -total : total;
}

/** Milliseconds since the epoch of a Cedar datetime; undefined for anything else. */
export function datetimeMsOf(text: string): number | undefined {
  const value = Date.parse(text);
  return Number.isNaN(value) ? undefined : value;
}

interface Address {
  readonly value: bigint;
  readonly bits: 32 | 128;
}

/** First and last address of a range (`10.0.0.0/8`, `2001:db8::/32`, a single address) and their neighbours outside. */
export function addressesAround(range: string): readonly string[] {
  const [text = "", prefix] = range.split("/");
  const address = parseAddress(text);
  if (address === undefined) return [];
  const { value, bits } = address;
  const fixed = Math.min(bits, prefix === undefined ? bits : Number(prefix));
  const size = 1n << BigInt(bits - fixed);
  const first = value - (value % size);
  const last = first + size - 1n;
  const candidates = [first, last, last + 1n, first - 1n];
  const inRange = candidates.filter((candidate) => candidate >= 0n && candidate < 1n << BigInt(bits));
  return [...new Set(inRange.map((candidate) => addressText({ value: candidate, bits })))];
}

function parseAddress(text: string): Address | undefined {
  if (/^\d+(?:\.\d+){3}$/u.test(text)) {
    const value = text.split(".").reduce((sum, part) => sum * 256n + BigInt(part), 0n);
    return { value, bits: 32 };
  }
  const [head = "", tail] = text.split("::");
  const groups = (part: string | undefined): readonly string[] =>
    part === undefined || part === "" ? [] : part.split(":");
  const missing = 8 - groups(head).length - groups(tail).length;
  const all = [...groups(head), ...new Array<string>(Math.max(0, missing)).fill("0"), ...groups(tail)];
  if (all.length !== 8 || all.some((group) => !/^[0-9a-f]{1,4}$/iu.test(group))) return undefined;
  return { value: all.reduce((sum, group) => sum * 65_536n + BigInt(`0x${group}`), 0n), bits: 128 };
}

function addressText({ value, bits }: Address): string {
  const width = bits === 32 ? 8n : 16n;
  const count = bits === 32 ? 4 : 8;
  const parts = Array.from({ length: count }, (_none, index) => {
    const shift = width * BigInt(count - 1 - index);
    return Number((value >> shift) & ((1n << width) - 1n));
  });
  return bits === 32 ? parts.join(".") : parts.map((part) => part.toString(16)).join(":");
}
