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

/** Anything thrown, as a fault of the bridge. */
export function toBridgeError(fault: unknown): BridgeError {
  if (fault instanceof BridgeError) return fault;
  const message = fault instanceof Error ? fault.message : String(fault);
  return new BridgeError("CONNECTION_LOST", message, "send the request again", { cause: fault });
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
