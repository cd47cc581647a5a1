// The exception classes. Match on `code`, never on the message.
import type { JsonObject } from "#std";
import type { ErrorCode } from "./codes.ts";
import type { TrustCode } from "./trust-codes.ts";

export interface AegisErrorOptions {
  readonly cause?: unknown;
  readonly data?: JsonObject;
  readonly reason?: string;
}

/**
 * A fault on the message path. `detail` is for operators and audit; it is never sent downstream.
 * `data` holds the members of `error.data` that the protocol itself demands, such as `supported` of -32022.
 * `reason` is told to the caller: set where `requestFault` or `aboutRequest` say that it is about its own request, or where
 * it is made of the gateway's own words alone.
 */
export class AegisError extends Error {
  readonly code: ErrorCode;
  readonly detail: string;
  readonly data: JsonObject | undefined;
  readonly reason: string | undefined;
  constructor(code: ErrorCode, detail: string, options?: AegisErrorOptions) {
    super(`${code}: ${detail}`, options);
    this.name = "AegisError";
    this.code = code;
    this.detail = detail;
    this.data = options?.data;
    this.reason = options?.reason;
  }
}

/** A release, root or bundle that is refused. */
export class TrustError extends Error {
  readonly code: TrustCode;
  readonly detail: string;
  constructor(code: TrustCode, detail: string, options?: { cause?: unknown }) {
    super(`${code}: ${detail}`, options);
    this.name = "TrustError";
    this.code = code;
    this.detail = detail;
  }
}

export function isAegisError(value: unknown): value is AegisError {
  return value instanceof Error && value.name === "AegisError" && "code" in value;
}

export function isTrustError(value: unknown): value is TrustError {
  return value instanceof Error && value.name === "TrustError" && "code" in value;
}
