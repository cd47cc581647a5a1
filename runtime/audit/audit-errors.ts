// Why the audit log refuses to start. These reach operators at start-up, never a peer.

/**
 * AUDIT_CORRUPT: bytes that no crash can explain, in the middle of the log or below a checkpoint.
 * AUDIT_LOCKED: another process writes this directory. AUDIT_STATE_INVALID: a key file is unreadable or exposed.
 */
export type AuditStartCode = "AUDIT_CORRUPT" | "AUDIT_LOCKED" | "AUDIT_STATE_INVALID";

/** A refusal to start. `file` is absolute; `line` counts from 1 and is 0 where the fault is not in one line. */
export class AuditStartError extends Error {
  readonly code: AuditStartCode;
  readonly file: string;
  readonly line: number;
  readonly detail: string;
  constructor(
    code: AuditStartCode,
    file: string,
    line: number,
    detail: string,
    options?: { cause?: unknown },
  ) {
    super(`${code}: ${line > 0 ? `${file}:${String(line)}` : file}: ${detail}`, options);
    this.name = "AuditStartError";
    this.code = code;
    this.file = file;
    this.line = line;
    this.detail = detail;
  }
}

export function isAuditStartError(value: unknown): value is AuditStartError {
  return value instanceof Error && value.name === "AuditStartError" && "code" in value;
}

/** The text of an unknown fault for `detail`: the system's code where there is one. */
export function faultText(fault: unknown): string {
  if (!(fault instanceof Error)) return String(fault);
  return "code" in fault && typeof fault.code === "string"
    ? `${fault.code}: ${fault.message}`
    : fault.message;
}
