// Cursors of lists: sealed, and bound to the caller, the list and the release. One from elsewhere is refused, not
// reinterpreted: what it counts is an order that only its own release has.
import { requestFault } from "#errors";
import type { Sealer } from "#sealing";
import type { JsonValue } from "#std";
import type { Recorded } from "../pipeline/exchange.ts";
import type { ListName } from "../snapshot/snapshot.ts";

/** How long a client may take from one page to the next. */
const CURSOR_TTL_MS = 3_600_000;

/** @param next index, in the list before it is filtered, of the first item that was not looked at. */
export function writeCursor(sealer: Sealer, next: number, exchange: Recorded, name: ListName): string {
  return sealer.seal("cursor", bindingOf(exchange, name), { next }, CURSOR_TTL_MS);
}

/** @throws {AegisError} CURSOR_INVALID */
export function readCursor(sealer: Sealer, cursor: JsonValue, exchange: Recorded, name: ListName): number {
  const payload =
    typeof cursor === "string" ? sealer.open("cursor", bindingOf(exchange, name), cursor) : undefined;
  const next = payload?.["next"];
  if (typeof next !== "number" || !Number.isSafeInteger(next) || next < 0)
    throw requestFault("CURSOR_INVALID", "cursor of another list, caller or release, or one that is too old");
  return next;
}

function bindingOf({ principal, snapshot, route, era }: Recorded, name: ListName): string {
  return JSON.stringify([principal.bindingKey, route.entry.path, snapshot.digest, era, name]);
}
