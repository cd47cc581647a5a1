// Faults whose detail the caller is told, because it speaks of nothing but the caller's own message. Anything else that
// is thrown stays between the gateway and its operators.
import { AegisError, isAegisError } from "./aegis-error.ts";
import type { ErrorCode } from "./codes.ts";

/** UTF-16 code units of what a caller is told. */
const MAX_REASON_CHARS = 200;
const UNPRINTABLE = /[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}]/gu;

/** What may be wrong with a message by itself, before a policy or a server is asked. */
const OF_MESSAGES: ReadonlySet<ErrorCode> = new Set<ErrorCode>([
  "ARGUMENTS_INVALID",
  "CURSOR_INVALID",
  "ENVELOPE_INVALID",
  "HEADER_MISMATCH",
  "HTTP_HEADER_INVALID",
  "JSON_INVALID",
  "MESSAGE_INVALID",
  "PROTOCOL_VERSION_UNSUPPORTED",
]);

/** A fault whose `detail` names nothing but what the caller itself has sent. */
export function requestFault(code: ErrorCode, detail: string): AegisError {
  return new AegisError(code, detail, { reason: reasonOf(detail) });
}

/**
 * What `work` returns. Only for work that reads the caller's message and nothing else: the detail of a protocol fault
 * that it throws is told to the caller; other faults are thrown as they are.
 */
export function aboutRequest<T>(work: () => T): T {
  try {
    return work();
  } catch (fault) {
    if (!isAegisError(fault) || !OF_MESSAGES.has(fault.code)) throw fault;
    const { code, detail, data } = fault;
    const told = data === undefined ? {} : { data };
    throw new AegisError(code, detail, { cause: fault.cause, reason: reasonOf(detail), ...told });
  }
}

function reasonOf(detail: string): string {
  const printable = detail.replace(UNPRINTABLE, "");
  return printable.length <= MAX_REASON_CHARS ? printable : `${printable.slice(0, MAX_REASON_CHARS - 1)}…`;
}
