// Door #audit.
export type {
  AuditEvent,
  AuditEventKind,
  AuditLog,
  AuditReceipt,
  AuditStats,
  ObservableAuditLog,
} from "./audit-log.ts";
export type { AuditLogOptions, AuditMode, AuditSettings, BatchAcknowledgement } from "./audit-options.ts";
export { AuditStartError, isAuditStartError } from "./audit-errors.ts";
export type { AuditStartCode } from "./audit-errors.ts";
export { createAuditLog } from "./in-process-log.ts";
export { openCheckpointFile } from "./checkpoint-file.ts";
export type { CheckpointFile, CheckpointFileOptions } from "./checkpoint-file.ts";
export { createAuditProcess } from "./writer-process.ts";
export type { AuditProcessLog, AuditProcessOptions } from "./writer-process.ts";
export { appendOnlyArm } from "./append-only-arm.ts";
export type { AppendOnlyOptions, AppendOnlyResult } from "./append-only-arm.ts";
export type { AuditFile, AuditFs, AuditOpenMode } from "./audit-fs.ts";
export { nodeAuditFs } from "./audit-fs.ts";
export { verifyAuditLog } from "./verify.ts";
export type { FirstBad, TenantSummary, VerifyOptions, VerifyOutcome, VerifyResult } from "./verify.ts";
export { readAuditRecords } from "./read-records.ts";
export type { BadLine } from "./read-records.ts";
export type { AuditRecord } from "./record-format.ts";
