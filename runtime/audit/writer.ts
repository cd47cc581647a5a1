// The writer: one queue, one loop, one write and one fdatasync for all that waits. Any failed write or sync poisons it.
import { systemClock } from "#std";
import { AuditStartError, faultText } from "./audit-errors.ts";
import type { AuditKeys } from "./audit-keys.ts";
import { nodeAuditFs } from "./audit-fs.ts";
import type { AuditReceipt, AuditStats } from "./audit-log.ts";
import type { AuditLogOptions, AuditSettings } from "./audit-options.ts";
import { auditSettings } from "./audit-options.ts";
import { lockDirectory } from "./directory-lock.ts";
import { gapRecords, overflowRecords } from "./gap-records.ts";
import type { LogContext, OpenSegment, PendingRecord } from "./open-segment.ts";
import { createSegment } from "./open-segment.ts";
import { MAX_RECORD_BYTES, MAX_TENANT_LENGTH, oneLineJson } from "./record-format.ts";
import type { AcknowledgedEnd } from "./recovery.ts";
import { recoverLog, settleLogId } from "./recovery.ts";
import type { RecordSink, Waiting, Writer } from "./writer-state.ts";
import { faultOf, initialWriter, unavailable } from "./writer-state.ts";
import type { SealReason } from "./statements.ts";

const MAINTENANCE_INTERVAL_MS = 250;
const SPACE_CHECK_INTERVAL_MS = 1_000;
const REOPEN_MAX_DELAY_MS = 5_000;
/** A batch this long is written without waiting for its delay. */
const BATCH_TARGET_RECORDS = 256;
const MAX_WRITE_BYTES = 4 * 1024 * 1024;
const MAX_TENANTS = 10_000;
const MAX_OPEN_DECISIONS = 50_000;

export interface AuditWriter {
  /** @throws {AegisError} AUDIT_UNAVAILABLE */
  readonly submit: (record: PendingRecord) => Promise<AuditReceipt>;
  /** Queues a record without a promise of its own; the sink is told once. Nothing is written before `flush`, or a later record. */
  readonly enqueue: (record: PendingRecord, id: number, sink: RecordSink) => void;
  /** Starts on what is queued, without waiting for the turn to end. */
  readonly flush: () => void;
  readonly writable: () => boolean;
  /** Why the log is not writable; undefined where it is. */
  readonly fault: () => string | undefined;
  readonly heads: () => ReadonlyMap<string, { readonly sequence: number; readonly hash: string }>;
  readonly stats: () => AuditStats;
  readonly close: () => Promise<void>;
}

// ── admission ─────────────────────────────────────────────────────────────────────────────────────────────────

function refusal(writer: Writer, record: PendingRecord, bytes: number): string | undefined {
  if (writer.closing !== undefined || writer.closed) return "the audit log is closed";
  if (writer.poison !== undefined) return `the audit log failed: ${writer.poison}`;
  if (writer.lowSpace) return "too little free space for the audit log";
  if (bytes > MAX_RECORD_BYTES)
    return `an audit record of ${String(bytes)} bytes exceeds ${String(MAX_RECORD_BYTES)}`;
  if (record.tenant.length === 0 || record.tenant.length > MAX_TENANT_LENGTH) return "invalid tenant name";
  if (writer.queue.length >= writer.settings.queueMaxRecords) return "the audit queue is full";
  if (writer.queuedBytes + bytes > writer.settings.queueMaxBytes) return "the audit queue is full";
  if (writer.state.heads.size >= MAX_TENANTS && !writer.state.heads.has(record.tenant))
    return "too many tenants";
  return undefined;
}

function enqueue(writer: Writer, record: PendingRecord, id: number, sink: RecordSink): void {
  const bytes = Buffer.byteLength(record.bodyJson);
  const reason = refusal(writer, record, bytes);
  if (reason !== undefined) {
    sink.refused(id, unavailable(reason));
    return;
  }
  const { tenantModes, mode, batchAcknowledgement, batchDelayMs } = writer.settings;
  const tenantMode = Object.hasOwn(tenantModes, record.tenant) ? tenantModes[record.tenant] : mode;
  const batched = tenantMode === "batch";
  const acknowledgeWritten = batched && batchAcknowledgement === "written";
  writer.queue.push({ id, record, bytes, acknowledgeWritten, sink });
  writer.queuedBytes += bytes;
  if (!batched || acknowledgeWritten || writer.queue.length >= BATCH_TARGET_RECORDS) {
    writer.flushDue = true;
  } else {
    writer.flushTimer ??= setTimeout(() => {
      writer.flushTimer = undefined;
      writer.flushDue = true;
      schedulePump(writer);
    }, batchDelayMs);
  }
}

function submit(writer: Writer, record: PendingRecord): Promise<AuditReceipt> {
  return new Promise((resolve, reject) => {
    enqueue(writer, record, 0, {
      acknowledged: (_id, tenant, { sequence, hash }) => resolve({ tenant, sequence, hash }),
      refused: (_id, fault) => reject(fault),
    });
    if (writer.flushDue) schedulePump(writer);
  });
}

function flush(writer: Writer): void {
  if (writer.flushDue && !writer.pumpScheduled && writer.pumping === undefined) startPump(writer);
}

// ── the loop ──────────────────────────────────────────────────────────────────────────────────────────────────

/** One turn later, so that all appends of this turn share a write. */
function schedulePump(writer: Writer): void {
  if (writer.pumpScheduled || writer.pumping !== undefined) return;
  writer.pumpScheduled = true;
  setImmediate(() => {
    writer.pumpScheduled = false;
    startPump(writer);
  });
}

function startPump(writer: Writer): void {
  writer.pumping ??= pump(writer).finally(() => {
    writer.pumping = undefined;
    // Work that came between the loop's last look and its end.
    if (nextStep(writer) !== undefined) schedulePump(writer);
  });
}

type Step = "commit" | "sync" | "rotate-size" | "rotate-age" | "checkpoint" | "space";

/** Upkeep comes before the queue: under steady load the queue is never empty. */
function nextStep(writer: Writer): Step | undefined {
  const { segment, settings } = writer;
  if (segment === undefined || writer.closed) return undefined;
  if (segment.bytes() >= settings.segmentMaxBytes) return "rotate-size";
  const closing = writer.closing !== undefined;
  if (!closing) {
    const now = writer.clock.monotonicMs();
    const uncovered = segment.uncheckpointed();
    if (now >= writer.spaceCheckAtMs) return "space";
    if (segment.lines() > 1 && now - segment.openedMs >= settings.segmentMaxAgeMs) return "rotate-age";
    if (uncovered >= settings.checkpointMaxRecords) return "checkpoint";
    if (uncovered > 0 && now >= writer.checkpointAtMs) return "checkpoint";
  }
  if (writer.queue.length > 0 && (writer.flushDue || closing)) return "commit";
  return writer.dirty && (writer.syncDue || closing) ? "sync" : undefined;
}

async function pump(writer: Writer): Promise<void> {
  for (;;) {
    const step = nextStep(writer);
    const { segment } = writer;
    if (step === undefined || segment === undefined) return;
    writer.busySinceMs = writer.clock.monotonicMs();
    const batch = step === "commit" ? takeBatch(writer) : [];
    try {
      await runStep(writer, segment, step, batch);
    } catch (fault) {
      await poison(writer, segment, batch, fault);
    } finally {
      writer.busySinceMs = undefined;
    }
  }
}

async function runStep(
  writer: Writer,
  segment: OpenSegment,
  step: Step,
  batch: readonly Waiting[],
): Promise<void> {
  switch (step) {
    case "commit":
      await commit(writer, segment, batch);
      return;
    case "sync":
      await syncNow(writer, segment);
      return;
    case "rotate-size":
      await rotate(writer, segment, "size");
      return;
    case "rotate-age":
      await rotate(writer, segment, "age");
      return;
    case "checkpoint":
      await checkpoint(writer, segment);
      return;
    case "space":
      await checkSpace(writer);
      return;
  }
}

function takeBatch(writer: Writer): Waiting[] {
  let bytes = 0;
  let count = 0;
  for (const waiting of writer.queue) {
    if (count > 0 && bytes + waiting.bytes > MAX_WRITE_BYTES) break;
    bytes += waiting.bytes;
    count += 1;
  }
  const batch = writer.queue.splice(0, count);
  writer.queuedBytes -= bytes;
  if (writer.queue.length === 0) writer.flushDue = false;
  return batch;
}

async function commit(writer: Writer, segment: OpenSegment, batch: readonly Waiting[]): Promise<void> {
  const heads = batch.map(({ record }) => segment.add(record));
  for (const record of overflowRecords(writer.state, MAX_OPEN_DECISIONS)) segment.add(record);
  await segment.write();
  if (batch.every((waiting) => waiting.acknowledgeWritten)) {
    writer.acknowledgedBytes = segment.bytes();
    if (!writer.dirty) markDirty(writer);
  } else {
    await syncNow(writer, segment);
  }
  for (const [index, { id, record, sink }] of batch.entries()) {
    const head = heads[index];
    if (head === undefined) continue;
    writer.published.set(record.tenant, head);
    sink.acknowledged(id, record.tenant, head);
  }
  writer.appendedRecords += batch.length;
}

function markDirty(writer: Writer): void {
  writer.dirty = true;
  clearTimeout(writer.syncTimer);
  writer.syncTimer = setTimeout(() => {
    writer.syncDue = true;
    startPump(writer);
  }, writer.settings.batchDelayMs);
}

async function syncNow(writer: Writer, segment: OpenSegment): Promise<void> {
  await segment.datasync();
  writer.dirty = false;
  writer.syncDue = false;
  writer.acknowledgedBytes = segment.bytes();
}

async function checkpoint(writer: Writer, segment: OpenSegment): Promise<void> {
  if (writer.dirty) await syncNow(writer, segment);
  await segment.checkpoint();
  writer.checkpointAtMs = writer.clock.monotonicMs() + writer.settings.checkpointIntervalMs;
}

async function checkSpace(writer: Writer): Promise<void> {
  const free = await writer.context.fs.freeBytes(writer.settings.dir);
  writer.lowSpace = free < writer.settings.minFreeBytes;
  writer.spaceCheckAtMs = writer.clock.monotonicMs() + SPACE_CHECK_INTERVAL_MS;
}

async function rotate(writer: Writer, segment: OpenSegment, reason: SealReason): Promise<void> {
  if (writer.dirty) await syncNow(writer, segment);
  const sealHash = await segment.seal(reason);
  await startSegment(writer, segment.segment + 1, sealHash, []);
}

async function startSegment(
  writer: Writer,
  number: number,
  previousSeal: string,
  firstRecords: readonly PendingRecord[],
): Promise<void> {
  writer.acknowledgedSegment = number;
  writer.acknowledgedBytes = 0;
  const segment = await createSegment(writer.context, writer.state, number, previousSeal);
  try {
    for (const record of firstRecords) segment.add(record);
    if (firstRecords.length > 0) {
      await segment.write();
      await segment.datasync();
    }
  } catch (fault) {
    await segment.abandon();
    throw fault;
  }
  for (const [tenant, head] of writer.state.heads) writer.published.set(tenant, head);
  writer.acknowledgedBytes = segment.bytes();
  writer.checkpointAtMs = writer.clock.monotonicMs() + writer.settings.checkpointIntervalMs;
  writer.segment = segment;
}

// ── failure ───────────────────────────────────────────────────────────────────────────────────────────────────

/**
 * After a failed write or sync nothing about the file is known but what was acknowledged before: a later sync on the same
 * descriptor that succeeds proves nothing. The descriptor is closed, all that waits is refused, and a new segment is tried.
 */
async function poison(
  writer: Writer,
  segment: OpenSegment,
  batch: readonly Waiting[],
  fault: unknown,
): Promise<void> {
  const reason = faultText(fault);
  writer.poison = reason;
  writer.failures += 1;
  writer.segment = undefined;
  writer.dirty = false;
  writer.syncDue = false;
  const refused = [...batch, ...writer.queue.splice(0)];
  writer.queuedBytes = 0;
  for (const { id, sink } of refused) sink.refused(id, unavailable(`the audit log failed: ${reason}`, fault));
  await segment.abandon();
  scheduleReopen(writer, refused.length);
}

function scheduleReopen(writer: Writer, refused: number): void {
  if (writer.closing !== undefined || writer.closed) return;
  writer.reopenTimer = setTimeout(() => {
    writer.reopening = reopen(writer, refused).finally(() => {
      writer.reopening = undefined;
    });
  }, writer.reopenDelayMs);
  writer.reopenDelayMs = Math.min(writer.reopenDelayMs * 2, REOPEN_MAX_DELAY_MS);
}

async function reopen(writer: Writer, refused: number): Promise<void> {
  const reason = writer.poison ?? "unknown";
  const end: AcknowledgedEnd = { segment: writer.acknowledgedSegment, bytes: writer.acknowledgedBytes };
  try {
    const recovered = await recoverLog(writer.context, end);
    writer.state = recovered.state;
    const gaps = gapRecords(recovered, { kind: "write-failed", error: reason, refusedRecords: refused });
    await startSegment(writer, recovered.nextSegment, recovered.previousSeal, gaps);
    await checkSpace(writer);
    writer.poison = undefined;
    writer.reopenDelayMs = writer.settings.reopenDelayMs;
  } catch (fault) {
    writer.poison = faultText(fault);
    await writer.segment?.abandon();
    writer.segment = undefined;
    scheduleReopen(writer, refused);
  }
}

// ── life ──────────────────────────────────────────────────────────────────────────────────────────────────────

async function closeWriter(writer: Writer): Promise<void> {
  clearInterval(writer.maintenance);
  clearTimeout(writer.flushTimer);
  clearTimeout(writer.syncTimer);
  clearTimeout(writer.reopenTimer);
  try {
    await writer.reopening;
    await writer.pumping;
    startPump(writer);
    await writer.pumping;
    const { segment } = writer;
    if (segment === undefined) throw unavailable(`the audit log failed: ${writer.poison ?? "unknown"}`);
    // From here no turn of the loop may touch it.
    writer.segment = undefined;
    try {
      await segment.seal("close");
    } catch (fault) {
      await segment.abandon();
      throw unavailable(`the audit log could not be sealed: ${faultText(fault)}`, fault);
    }
  } finally {
    writer.closed = true;
    writer.lock.release();
  }
}

async function openWriter(settings: AuditSettings, parts: Omit<LogContext, "logJson">): Promise<Writer> {
  const lock = await lockDirectory(settings.dir, settings.lockWaitMs);
  let writer: Writer | undefined;
  try {
    const logId = await settleLogId(parts.fs, parts.dir, settings.logId);
    const context: LogContext = { ...parts, logJson: oneLineJson(logId) };
    const recovered = await recoverLog(context);
    writer = initialWriter(settings, context, lock, recovered.state);
    const gaps = gapRecords(recovered, { kind: "start" });
    await startSegment(writer, recovered.nextSegment, recovered.previousSeal, gaps);
    await checkSpace(writer);
    const opened = writer;
    writer.maintenance = setInterval(() => startPump(opened), MAINTENANCE_INTERVAL_MS);
    writer.maintenance.unref();
    return writer;
  } catch (fault) {
    await writer?.segment?.abandon();
    lock.release();
    throw fault;
  }
}

/**
 * Opens the directory for writing: takes its lock, recovers it, starts a new segment.
 * @throws {AuditStartError} AUDIT_CORRUPT, AUDIT_LOCKED, AUDIT_STATE_INVALID
 * @throws {AegisError} AUDIT_UNAVAILABLE where the file system fails
 */
export async function createAuditWriter(options: AuditLogOptions, keys: AuditKeys): Promise<AuditWriter> {
  const settings = auditSettings(options);
  const clock = options.clock ?? systemClock;
  const fs = options.fs ?? nodeAuditFs;
  const parts = { fs, dir: settings.dir, keys, clock, onCheckpoint: options.onCheckpoint };
  let writer: Writer;
  try {
    await fs.makeDirectory(settings.dir);
    writer = await openWriter(settings, parts);
  } catch (fault) {
    if (fault instanceof AuditStartError) throw fault;
    throw unavailable(`the audit log could not be opened: ${faultText(fault)}`, fault);
  }
  return {
    submit: (record) => submit(writer, record),
    enqueue: (record, id, sink) => enqueue(writer, record, id, sink),
    flush: () => flush(writer),
    writable: () => faultOf(writer) === undefined,
    fault: () => faultOf(writer),
    heads: () => writer.published,
    stats: () => ({
      queuedRecords: writer.queue.length,
      queuedBytes: writer.queuedBytes,
      segment: writer.segment?.segment ?? writer.acknowledgedSegment,
      segmentBytes: writer.segment?.bytes() ?? 0,
      appendedRecords: writer.appendedRecords,
      failures: writer.failures,
    }),
    close: () => (writer.closing ??= closeWriter(writer)),
  };
}
