// From an answer or a denial to the bytes and the HTTP status of the reply. The only place that words a refusal.
import { AegisError, ERROR_CODES } from "#errors";
import type { ErrorCode } from "#errors";
import type { JsonObject, JsonValue } from "#std";
import { answerJson } from "./answer-rules.ts";
import type { Answer } from "./exchange.ts";
import type { ReplyAddress, ReplyChannel } from "./reply-channel.ts";
import type { Denial } from "./verdict.ts";

export function sendAnswer(reply: ReplyChannel, answer: Answer): void {
  const { id, expectsAnswer } = reply.address;
  if (answer.kind === "accepted" || !expectsAnswer || id === null) {
    reply.finish(202, undefined);
    return;
  }
  switch (answer.kind) {
    case "result":
      reply.finish(200, answerJson(id, answer), answer.headers);
      return;
    case "error":
      reply.finish(200, answerJson(id, answer));
      return;
    case "written":
      reply.finish(200, answer.body);
      return;
    default:
      throw new AegisError("STAGE_FAULT", "an answer that was not read cannot be sent");
  }
}

export interface DenialReplyOptions {
  readonly decisionId: string;
  /** `WWW-Authenticate` for a 401. */
  readonly challenge: string | undefined;
}

export function sendDenial(reply: ReplyChannel, denial: Denial, options: DenialReplyOptions): void {
  const { address } = reply;
  const status = statusOf(denial.code, address);
  if (reply.messagesOnly) {
    reply.finish(status, address.expectsAnswer ? denialMessage(reply, denial, options) : undefined);
    return;
  }
  const headers = denialHeaders(denial.code, status, options.challenge);
  if (isBare(denial.code, status, address)) {
    reply.finish(status, undefined, headers);
    return;
  }
  reply.finish(status, denialMessage(reply, denial, options), headers);
}

/** Of a resource that is not there, in the legacy era (MCP 2025-11-25, resources, error handling). */
const LEGACY_RESOURCE_NOT_FOUND = -32002;
/** Of a capability that is missing: the legacy era has no number for it. */
const LEGACY_CAPABILITY_REQUIRED = -32603;

function denialMessage({ address }: ReplyChannel, denial: Denial, options: DenialReplyOptions): string {
  const told = denialError(denial, options);
  const code = address.era === "legacy" ? (legacyNumber(denial) ?? told.code) : told.code;
  return JSON.stringify({ jsonrpc: "2.0", id: address.id, error: { ...told, code } });
}

/** Undefined where both eras have the same number. */
function legacyNumber({ code, data }: Denial): number | undefined {
  if (code === "CAPABILITY_REQUIRED") return LEGACY_CAPABILITY_REQUIRED;
  return code === "TARGET_UNKNOWN" && data?.["uri"] !== undefined ? LEGACY_RESOURCE_NOT_FOUND : undefined;
}

interface DenialError {
  readonly code: number;
  readonly message: string;
  readonly data: JsonObject;
}

/** The JSON-RPC error a caller sees: number, message with the reason, stable code and decision id. */
function denialError(denial: Denial, options: Pick<DenialReplyOptions, "decisionId">): DenialError {
  const entry = ERROR_CODES[denial.code];
  const data: Record<string, JsonValue> = { code: denial.code, decisionId: options.decisionId };
  if (denial.reason !== undefined) data["reason"] = denial.reason;
  Object.assign(data, denial.data);
  const message = denial.reason === undefined ? entry.message : `${entry.message}: ${denial.reason}`;
  return { code: entry.jsonrpc, message, data };
}

function statusOf(code: ErrorCode, address: ReplyAddress): number {
  const { http } = ERROR_CODES[code];
  // A dual client that gets any JSON-RPC error to server/discover falls back to the legacy era for good, so a refusal
  // that is no protocol fault must look like an outage (MCP 2026-07-28, version negotiation).
  if (address.method === "server/discover" && http === 200) return 503;
  // In a legacy session a 404 means that the session is gone.
  if (code === "METHOD_UNKNOWN" && address.era === "legacy") return 200;
  // A legacy client reads the error of a call in a 200 alone.
  if (code === "CAPABILITY_REQUIRED" && address.era === "legacy") return 200;
  if (!address.expectsAnswer && http === 200) return 202;
  return http;
}

function isBare(code: ErrorCode, status: number, address: ReplyAddress): boolean {
  return (
    code === "NOT_READY" ||
    code === "OVERLOADED" ||
    status === 202 ||
    (address.method === "server/discover" && status === 503)
  );
}

function denialHeaders(
  code: ErrorCode,
  status: number,
  challenge: string | undefined,
): Record<string, string> {
  const headers: Record<string, string> = {};
  if (status === 401 && challenge !== undefined) headers["www-authenticate"] = challenge;
  if (status === 503) headers["retry-after"] = "1";
  if (code === "HTTP_METHOD") headers["allow"] = "POST, GET, DELETE";
  return headers;
}
