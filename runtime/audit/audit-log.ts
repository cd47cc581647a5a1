// What the pipeline asks of the audit log.
import type { JsonObject } from "#std";

/** Receipt of a durable record. */
export interface AuditReceipt {
  readonly tenant: string;
  /** Per-tenant sequence, from 1. */
  readonly sequence: number;
  /** Hex sha-256 of the record line. */
  readonly hash: string;
}

export type AuditEventKind = "decision" | "result" | "auth" | "admin" | "bundle" | "alarm" | "gap";

/**
 * The body of a record; the log adds version, log id, sequences, times, `prev` and `h`.
 * A `decision` whose `body.effect` is `"allow"` is open under its `body.id` until a `result` of the same tenant has that id; a
 * restart writes a `gap` record for those that never got one.
 */
export interface AuditEvent {
  readonly tenant: string;
  readonly event: AuditEventKind;
  readonly body: JsonObject;
}

export interface AuditLog {
  /**
   * Resolves once the record is durable. Records of one tenant keep the order of the calls.
   * @throws {AegisError} AUDIT_UNAVAILABLE when the log is poisoned, full, closed, or its queue is full
   */
  readonly append: (event: AuditEvent) => Promise<AuditReceipt>;
  /** False once poisoned or below the free-space mark: readiness and every exchange depend on it. */
  readonly writable: () => boolean;
  /** Head of each chain, for /status. */
  readonly heads: () => Readonly<Record<string, { readonly sequence: number; readonly hash: string }>>;
  /** HMAC-SHA-256 of the arguments under the tenant's key, so that low-entropy values cannot be guessed. */
  readonly fingerprint: (tenant: string, text: string) => string;
  /** Drains, seals the segment and closes. */
  readonly close: () => Promise<void>;
}

/** Numbers for /status and metrics. */
export interface AuditStats {
  readonly queuedRecords: number;
  readonly queuedBytes: number;
  readonly segment: number;
  readonly segmentBytes: number;
  readonly appendedRecords: number;
  /** Times the writer was poisoned, or its process lost, since the start. */
  readonly failures: number;
}

/** An audit log with what operators see of it. */
export interface ObservableAuditLog extends AuditLog {
  /** Why the log is not writable; undefined where it is. For operators only. */
  readonly fault: () => string | undefined;
  readonly stats: () => AuditStats;
}
