// Expiries as people write them.
import { CliError } from "./cli-error.ts";

const UNIT_MS: Readonly<Record<string, number>> = {
  m: 60_000,
  h: 3_600_000,
  d: 86_400_000,
  y: 365 * 86_400_000,
};

/** `90d`, `12h`, `30m`, `1y` from now, or an RFC 3339 instant; milliseconds since the epoch. @throws {CliError} */
export function parseExpiry(text: string, nowMs: number): number {
  const relative = /^(\d{1,5})([mhdy])$/u.exec(text);
  const unitMs = UNIT_MS[relative?.[2] ?? ""];
  const atMs =
    relative !== null && unitMs !== undefined ? nowMs + Number(relative[1]) * unitMs : Date.parse(text);
  if (Number.isNaN(atMs)) {
    throw new CliError(`${JSON.stringify(text)} is neither a duration nor an instant`, {
      help: "write 90d, 12h, 30m, 1y, or 2027-01-31T00:00:00Z",
    });
  }
  if (atMs <= nowMs) throw new CliError(`${text} is not in the future`);
  return atMs;
}

/** `90d`, `12h`, `30m` as seconds. @throws {CliError} */
export function parseSeconds(text: string): number {
  return Math.round(parseExpiry(text, 0) / 1_000);
}
