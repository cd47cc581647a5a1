// Faults of the bridge itself: what the client gets in the place of an answer, and what a person can do about it.
import type { RequestId } from "#mcp";

/** JSON-RPC numbers outside the reserved range, as the gateway's own. */
const NUMBERS = {
  LOGIN_FAILED: 4010,
  GATEWAY_UNREACHABLE: 5030,
  CONNECTION_LOST: 5030,
  GATEWAY_ANSWER_INVALID: 5030,
  MESSAGE_INVALID: -32600,
  PARSE_ERROR: -32700,
} as const;

export type BridgeCode = keyof typeof NUMBERS;

export class BridgeError extends Error {
  readonly code: BridgeCode;
  readonly remedy: string;
  constructor(code: BridgeCode, message: string, remedy: string, options?: ErrorOptions) {
    super(message, options);
    this.name = "BridgeError";
    this.code = code;
    this.remedy = remedy;
  }
}

/** What helps where nobody knows whether the gateway has acted. */
export const REPEAT = "the gateway may have seen the request; send it again if that does no harm";

/** Anything thrown, as a fault of the bridge. */
export function toBridgeError(fault: unknown): BridgeError {
  if (fault instanceof BridgeError) return fault;
  const message = fault instanceof Error ? fault.message : String(fault);
  return new BridgeError("CONNECTION_LOST", message, REPEAT, { cause: fault });
}

/** A fault after a request was sent: GATEWAY_UNREACHABLE would say that it never was. Others stay as they are. */
export function lostAfterSending(fault: unknown): unknown {
  if (!(fault instanceof BridgeError) || fault.code !== "GATEWAY_UNREACHABLE") return fault;
  return new BridgeError("CONNECTION_LOST", fault.message, REPEAT, { cause: fault });
}

/** Throws a fault of what fetches the answer to a request that the gateway has taken; even a login comes too late for it. */
export function lostAnswer(fault: unknown): never {
  if (!(fault instanceof BridgeError) || fault.code !== "LOGIN_FAILED") throw lostAfterSending(fault);
  throw new BridgeError("CONNECTION_LOST", fault.message, `${fault.remedy}; ${REPEAT}`, { cause: fault });
}

/** The error response for one request; `null` where its id could not be read. */
export function errorLine(id: RequestId | null, fault: BridgeError): string {
  return JSON.stringify({
    jsonrpc: "2.0",
    id,
    error: {
      code: NUMBERS[fault.code],
      message: fault.message,
      data: { code: fault.code, remedy: fault.remedy },
    },
  });
}
