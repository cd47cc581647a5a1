// The writer's mutable state: one object with one owner, the loop in writer.ts.
import { AegisError } from "#errors";
import type { Clock } from "#std";
import type { AuditSettings } from "./audit-options.ts";
import type { ChainHead, ChainState } from "./chain.ts";
import type { DirectoryLock } from "./directory-lock.ts";
import type { LogContext, OpenSegment, PendingRecord } from "./open-segment.ts";

/** A write or sync that takes longer makes the log unwritable until it returns. */
const STALL_MS = 10_000;

/** Who is told what became of records, each under the number it was queued with. Must not throw. */
export interface RecordSink {
  readonly acknowledged: (id: number, tenant: string, head: ChainHead) => void;
  readonly refused: (id: number, fault: AegisError) => void;
}

export interface Waiting {
  readonly id: number;
  readonly record: PendingRecord;
  readonly bytes: number;
  readonly acknowledgeWritten: boolean;
  readonly sink: RecordSink;
}

export interface Writer {
  readonly settings: AuditSettings;
  readonly context: LogContext;
  readonly clock: Clock;
  readonly lock: DirectoryLock;
  readonly queue: Waiting[];
  readonly published: Map<string, ChainHead>;
  state: ChainState;
  segment: OpenSegment | undefined;
  poison: string | undefined;
  lowSpace: boolean;
  closing: Promise<void> | undefined;
  closed: boolean;
  queuedBytes: number;
  flushDue: boolean;
  flushTimer: NodeJS.Timeout | undefined;
  /** Written and acknowledged, not yet synced. */
  dirty: boolean;
  syncDue: boolean;
  syncTimer: NodeJS.Timeout | undefined;
  pumping: Promise<void> | undefined;
  reopening: Promise<void> | undefined;
  pumpScheduled: boolean;
  busySinceMs: number | undefined;
  checkpointAtMs: number;
  spaceCheckAtMs: number;
  acknowledgedBytes: number;
  acknowledgedSegment: number;
  reopenDelayMs: number;
  reopenTimer: NodeJS.Timeout | undefined;
  maintenance: NodeJS.Timeout | undefined;
  appendedRecords: number;
  failures: number;
}

export function unavailable(detail: string, cause?: unknown): AegisError {
  return new AegisError("AUDIT_UNAVAILABLE", detail, cause === undefined ? {} : { cause });
}

/** Why the log is not writable; undefined where it is. */
export function faultOf(writer: Writer): string | undefined {
  if (writer.closing !== undefined || writer.closed) return "closed";
  if (writer.poison !== undefined) return writer.poison;
  if (writer.lowSpace) return "too little free space";
  const { busySinceMs } = writer;
  return busySinceMs !== undefined && writer.clock.monotonicMs() - busySinceMs > STALL_MS
    ? "a write does not return"
    : undefined;
}

export function initialWriter(
  settings: AuditSettings,
  context: LogContext,
  lock: DirectoryLock,
  state: ChainState,
): Writer {
  return {
    settings,
    context,
    clock: context.clock,
    lock,
    queue: [],
    published: new Map(),
    state,
    segment: undefined,
    poison: undefined,
    lowSpace: false,
    closing: undefined,
    closed: false,
    queuedBytes: 0,
    flushDue: false,
    flushTimer: undefined,
    dirty: false,
    syncDue: false,
    syncTimer: undefined,
    pumping: undefined,
    reopening: undefined,
    pumpScheduled: false,
    busySinceMs: undefined,
    checkpointAtMs: 0,
    spaceCheckAtMs: 0,
    acknowledgedBytes: 0,
    acknowledgedSegment: 0,
    reopenDelayMs: settings.reopenDelayMs,
    reopenTimer: undefined,
    maintenance: undefined,
    appendedRecords: 0,
    failures: 0,
  };
}
