// Options of the audit log, and their bounds.
import type { Clock } from "#std";
import type { AuditFs } from "./audit-fs.ts";

/**
 * `sync`: each turn of the writer takes what waits and syncs it. `batch`: records wait up to `batchDelayMs` for company.
 */
export type AuditMode = "sync" | "batch";

/**
 * When a `batch` record is acknowledged. `durable`: after fdatasync. `written`: once the operating system has it, with the
 * fdatasync at most `batchDelayMs` later: that survives the death of any process, but a power failure loses the last
 * `batchDelayMs` of acknowledged records. `sync` records are always acknowledged after fdatasync.
 */
export type BatchAcknowledgement = "durable" | "written";

/** Everything but what only this process can hold, so that it can be handed to a writer process. */
export interface AuditSettings {
  /** Directory of segments, seals and checkpoints. Made 0700 if absent. */
  readonly dir: string;
  /** Directory of the keys. Made 0700 if absent; the signing key and the master key in it are 0600. */
  readonly stateDir: string;
  /**
   * Names a new log: 1 to 128 characters, no control characters. A line of another log never verifies here. A directory that holds a log
   * keeps the id it was started with.
   */
  readonly logId: string;
  readonly mode: AuditMode;
  /** Modes of single tenants, where they differ from `mode`. */
  readonly tenantModes: Readonly<Record<string, AuditMode>>;
  /** At most 5. */
  readonly batchDelayMs: number;
  readonly batchAcknowledgement: BatchAcknowledgement;
  readonly segmentMaxBytes: number;
  readonly segmentMaxAgeMs: number;
  readonly queueMaxRecords: number;
  readonly queueMaxBytes: number;
  /** Appends are refused while the file system has less. */
  readonly minFreeBytes: number;
  readonly checkpointIntervalMs: number;
  readonly checkpointMaxRecords: number;
  /** How long to wait for a writer that is just ending to let the directory go. */
  readonly lockWaitMs: number;
  /** Pause after a failed write before a new segment is tried; doubled up to 5,000 while it fails. */
  readonly reopenDelayMs: number;
}

type RequiredSettings = "dir" | "stateDir" | "logId";

export interface AuditLogOptions
  extends Pick<AuditSettings, RequiredSettings>, Partial<Omit<AuditSettings, RequiredSettings>> {
  readonly clock?: Clock;
  readonly fs?: AuditFs;
  /** Each signed checkpoint line as it becomes durable: keep it elsewhere, and a cut tail is seen. Must not throw. */
  readonly onCheckpoint?: (line: string) => void;
}

const MEBIBYTE = 1024 * 1024;
export const MAX_BATCH_DELAY_MS = 5;
const MAX_LOG_ID_LENGTH = 128;
const LOG_ID_PATTERN = /^[^\p{Cc}\p{Cs}]+$/u;

const DEFAULTS: Omit<AuditSettings, RequiredSettings> = {
  mode: "sync",
  tenantModes: {},
  batchDelayMs: MAX_BATCH_DELAY_MS,
  batchAcknowledgement: "durable",
  segmentMaxBytes: 64 * MEBIBYTE,
  segmentMaxAgeMs: 3_600_000,
  queueMaxRecords: 10_000,
  queueMaxBytes: 16 * MEBIBYTE,
  minFreeBytes: 256 * MEBIBYTE,
  checkpointIntervalMs: 5_000,
  checkpointMaxRecords: 10_000,
  lockWaitMs: 5_000,
  reopenDelayMs: 100,
};

function requireRange(name: string, value: number, least: number, most: number): void {
  if (!Number.isFinite(value) || value < least || value > most) {
    throw new RangeError(
      `audit ${name} must be from ${String(least)} to ${String(most)}, got ${String(value)}`,
    );
  }
}

/**
 * Fills in defaults.
 * @throws {RangeError} where a value is out of its bounds
 */
export function auditSettings(options: AuditLogOptions): AuditSettings {
  const { clock: _clock, fs: _fs, onCheckpoint: _onCheckpoint, ...given } = options;
  const settings: AuditSettings = { ...DEFAULTS, ...given };
  if (settings.logId.length > MAX_LOG_ID_LENGTH || !LOG_ID_PATTERN.test(settings.logId)) {
    throw new RangeError(
      `audit logId must have 1 to ${String(MAX_LOG_ID_LENGTH)} characters and no control character`,
    );
  }
  requireRange("batchDelayMs", settings.batchDelayMs, 0, MAX_BATCH_DELAY_MS);
  requireRange("segmentMaxBytes", settings.segmentMaxBytes, 4096, 4096 * MEBIBYTE);
  requireRange("segmentMaxAgeMs", settings.segmentMaxAgeMs, 1_000, 7 * 86_400_000);
  requireRange("queueMaxRecords", settings.queueMaxRecords, 1, 1_000_000);
  requireRange("queueMaxBytes", settings.queueMaxBytes, 1024, 1024 * MEBIBYTE);
  requireRange("minFreeBytes", settings.minFreeBytes, 0, Number.MAX_SAFE_INTEGER);
  requireRange("checkpointIntervalMs", settings.checkpointIntervalMs, 10, 3_600_000);
  requireRange("checkpointMaxRecords", settings.checkpointMaxRecords, 1, 10_000_000);
  requireRange("lockWaitMs", settings.lockWaitMs, 0, 600_000);
  requireRange("reopenDelayMs", settings.reopenDelayMs, 0, 5_000);
  return settings;
}
