// Exit codes of every command: a contract with scripts and CI.

export const EXIT = {
  ok: 0,
  /** Wrong use, a file that cannot be read, or a fault of Aegis itself. */
  error: 1,
  /** `plan --detailed-exitcode` found changes. */
  changes: 2,
  checkFailed: 3,
  testsFailed: 4,
  /** A gate or an invariant of the project is violated. */
  gate: 5,
  /** Signature, rollback, expiry, tampering, or a release that came second. */
  trust: 6,
  /** `pin --check` or `fmt --check` found a difference. */
  drift: 7,
  auditIncomplete: 8,
} as const;

export type ExitCode = (typeof EXIT)[keyof typeof EXIT];
