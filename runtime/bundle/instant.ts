// Points in time as signed documents write them.
import { decodeFault, text } from "./decoder.ts";
import type { Decode } from "./decoder.ts";

/** RFC 3339, UTC, whole seconds: `2026-11-22T10:00:00Z`. One instant has one spelling. */
export const instant: Decode<string> = (value, at) => {
  const written = text(value, at);
  const ms = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/.test(written) ? Date.parse(written) : Number.NaN;
  if (Number.isNaN(ms) || formatInstant(ms) !== written)
    throw decodeFault(at, "expected YYYY-MM-DDThh:mm:ssZ");
  return written;
};

/** Writes milliseconds since the epoch, dropping the fraction of a second. */
export function formatInstant(ms: number): string {
  return `${new Date(ms).toISOString().slice(0, 19)}Z`;
}
