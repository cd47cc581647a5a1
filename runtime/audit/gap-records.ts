// The `gap` records by which the log itself tells of what is missing or unknown.
import type { JsonObject } from "#std";
import type { ChainState } from "./chain.ts";
import type { PendingRecord } from "./open-segment.ts";
import { oneLineJson, SYSTEM_TENANT } from "./record-format.ts";
import type { RecoveredLog } from "./recovery.ts";

const MAX_IDS_PER_RECORD = 500;
const OVERFLOW_CHUNK = 1_000;

export type GapCause =
  | { readonly kind: "start" }
  | { readonly kind: "write-failed"; readonly error: string; readonly refusedRecords: number };

function gapRecord(tenant: string, body: JsonObject, closes: readonly string[]): PendingRecord {
  return { tenant, event: "gap", bodyJson: oneLineJson(body), effect: closes.length === 0 ? {} : { closes } };
}

function outcomeUnknown(
  reason: string,
  decisions: Iterable<{ tenant: string; id: string }>,
): PendingRecord[] {
  const byTenant = new Map<string, string[]>();
  for (const { tenant, id } of decisions) {
    const ids = byTenant.get(tenant) ?? [];
    ids.push(id);
    byTenant.set(tenant, ids);
  }
  const records: PendingRecord[] = [];
  for (const [tenant, ids] of byTenant) {
    for (let start = 0; start < ids.length; start += MAX_IDS_PER_RECORD) {
      const part = ids.slice(start, start + MAX_IDS_PER_RECORD);
      records.push(gapRecord(tenant, { reason, outcome: "unknown", decisions: part }, part));
    }
  }
  return records;
}

/**
 * Records that open a segment after a recovery: what was cut, what was refused, and which allowed calls have no known outcome.
 * After a failed write the process still lives, so its exchanges can still report: their decisions stay open.
 */
export function gapRecords(recovered: RecoveredLog, cause: GapCause): PendingRecord[] {
  const cut = recovered.cut === undefined ? null : { ...recovered.cut };
  if (cause.kind === "write-failed") {
    const body = {
      reason: "write-failed",
      error: cause.error.slice(0, 512),
      refused: cause.refusedRecords,
      cut,
    };
    return [gapRecord(SYSTEM_TENANT, body, [])];
  }
  const records: PendingRecord[] = [];
  if (recovered.unsealed !== undefined) {
    const body = { reason: cut === null ? "unclean-stop" : "torn-tail", segment: recovered.unsealed, cut };
    records.push(gapRecord(SYSTEM_TENANT, body, []));
  }
  return [...records, ...outcomeUnknown("restart", recovered.state.open.values())];
}

/** Gives up the oldest open decisions where there are more than `most`, so that the set stays bounded. */
export function overflowRecords(state: ChainState, most: number): PendingRecord[] {
  if (state.open.size <= most) return [];
  return outcomeUnknown("too-many-open", state.open.values().take(OVERFLOW_CHUNK));
}
