// Durations and sizes as people write them.

const DURATION_UNITS_MS: ReadonlyMap<string, number> = new Map([
  ["ms", 1],
  ["s", 1000],
  ["m", 60_000],
  ["h", 3_600_000],
]);
const SIZE_UNITS_BYTES: ReadonlyMap<string, number> = new Map([
  ["B", 1],
  ["KB", 1000],
  ["KiB", 1024],
  ["MB", 1_000_000],
  ["MiB", 1024 * 1024],
]);

function parseQuantity(text: string, units: ReadonlyMap<string, number>): number | undefined {
  const match = /^(\d{1,9})([A-Za-z]+)$/u.exec(text);
  const factor = units.get(match?.[2] ?? "");
  return match === null || factor === undefined ? undefined : Number(match[1]) * factor;
}

/** Milliseconds of `500ms`, `30s`, `5m` or `1h`; undefined for anything else, and for more than a day. */
export function parseDurationMs(text: string): number | undefined {
  const value = parseQuantity(text, DURATION_UNITS_MS);
  return value === undefined || value < 1 || value > 86_400_000 ? undefined : value;
}

/** Bytes of `64KiB`, `16MB` or a plain whole number; undefined for anything else, and for more than 64 MiB. */
export function parseSizeBytes(value: string | number): number | undefined {
  const bytes = typeof value === "number" ? value : parseQuantity(value, SIZE_UNITS_BYTES);
  return bytes === undefined || bytes < 1 || bytes > 64 * 1024 * 1024 ? undefined : bytes;
}
