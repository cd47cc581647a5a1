// Door #audit.
export type { AuditEvent, AuditEventKind, AuditLog, AuditReceipt } from "./audit-log.ts";
