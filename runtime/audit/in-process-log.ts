// The audit log with its writer in this process.
import { AegisError } from "#errors";
import { loadAuditKeys } from "./audit-keys.ts";
import type { AuditEvent, ObservableAuditLog } from "./audit-log.ts";
import type { AuditLogOptions } from "./audit-options.ts";
import type { ChainHead } from "./chain.ts";
import { openEffect } from "./chain.ts";
import type { PendingRecord } from "./open-segment.ts";
import { oneLineJson } from "./record-format.ts";
import { createAuditWriter } from "./writer.ts";

/**
 * Serialises an event.
 * @throws {AegisError} AUDIT_UNAVAILABLE where the body is not JSON
 */
export function pendingRecord(event: AuditEvent): PendingRecord {
  let bodyJson: string;
  try {
    bodyJson = oneLineJson(event.body);
  } catch (fault) {
    throw new AegisError("AUDIT_UNAVAILABLE", "the body of an audit record is not JSON", { cause: fault });
  }
  return { tenant: event.tenant, event: event.event, bodyJson, effect: openEffect(event.event, event.body) };
}

/** Chain heads as a plain object that no tenant name can disturb. */
export function headObject(heads: ReadonlyMap<string, ChainHead>): Readonly<Record<string, ChainHead>> {
  const result = Object.create(null) as Record<string, ChainHead>;
  for (const [tenant, head] of heads) result[tenant] = head;
  return result;
}

/**
 * Opens an audit log whose writer shares this process.
 * @throws {AuditStartError} AUDIT_CORRUPT, AUDIT_LOCKED, AUDIT_STATE_INVALID
 * @throws {AegisError} AUDIT_UNAVAILABLE where the file system fails
 */
export async function createAuditLog(options: AuditLogOptions): Promise<ObservableAuditLog> {
  const keys = loadAuditKeys(options.stateDir);
  const writer = await createAuditWriter(options, keys);
  return {
    append: async (event) => writer.submit(pendingRecord(event)),
    writable: writer.writable,
    fault: writer.fault,
    heads: () => headObject(writer.heads()),
    fingerprint: keys.fingerprint,
    stats: writer.stats,
    close: writer.close,
  };
}
