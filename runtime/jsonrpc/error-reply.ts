// A fault as the HTTP response that carries it: the one mapping from error code to status and JSON-RPC error.
import { ERROR_CODES } from "#errors";
import type { ErrorCode } from "#errors";
import type { JsonObject } from "#std";
import type { RequestId } from "./message.ts";

export interface ErrorReply {
  readonly status: number;
  /** JSON-RPC error response. */
  readonly body: string;
}

/**
 * `data` gains `code`, the stable string. The id is null where it could not be read (JSON-RPC 2.0 section 5).
 * The caller learns the code's own message and nothing of the fault's detail.
 */
export function encodeErrorReply(
  code: ErrorCode,
  id: RequestId | undefined,
  data: JsonObject = {},
): ErrorReply {
  const entry = ERROR_CODES[code];
  const error = { code: entry.jsonrpc, message: entry.message, data: { code, ...data } };
  return { status: entry.http, body: JSON.stringify({ jsonrpc: "2.0", id: id ?? null, error }) };
}
