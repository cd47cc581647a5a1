// The bytes of a log line: field order, hash, and the strict reading of both.
import { hash } from "node:crypto";
import type { JsonObject } from "#std";
import type { AuditEventKind } from "./audit-log.ts";

/** Separates a record hash from every other SHA-256 in the system. */
export const RECORD_DOMAIN = "aegis-audit-v1\n";
/** `prev` of a tenant's first record, of the first segment, and of the first seal. */
export const ZERO_HASH = "0".repeat(64);
/** Longest record line. Callers shorten large values before they reach the log. */
export const MAX_RECORD_BYTES = 256 * 1024;
/** Longest header or seal line: both name every tenant and every open decision. */
export const MAX_HEADER_BYTES = 32 * 1024 * 1024;
export const MAX_TENANT_LENGTH = 128;
export const SYSTEM_TENANT = "_system";

const HASH_PATTERN = /^[0-9a-f]{64}$/;
const EVENT_KINDS: ReadonlySet<string> = new Set<AuditEventKind>([
  "decision",
  "result",
  "auth",
  "admin",
  "bundle",
  "alarm",
  "gap",
]);
// `,"h":"` + 64 hex digits + `"}`
const HASH_FIELD_BYTES = 72;
const DOMAIN_BYTES = Buffer.from(RECORD_DOMAIN, "latin1");
const CLOSING_BRACE = 0x7d;
// JSON leaves these raw, and a viewer may take them for line ends or act on them.
const UNSAFE_IN_LINE = /[\u007f-\u009f\u2028\u2029]/g;

/** True for a lower-case hex SHA-256. */
export function isHash(value: unknown): value is string {
  return typeof value === "string" && HASH_PATTERN.test(value);
}

export function isEventKind(value: unknown): value is AuditEventKind {
  return typeof value === "string" && EVENT_KINDS.has(value);
}

/** JSON text on one line for any viewer: DEL, C1 controls, U+2028 and U+2029 are escaped too. */
export function oneLineJson(value: unknown): string {
  const json = JSON.stringify(value);
  // Nearly every record is plain ASCII, and that is known sooner than a pattern has read it.
  if (Buffer.byteLength(json) === json.length && !json.includes("\u007f")) return json;
  return json.replace(UNSAFE_IN_LINE, (char) => `\\u${char.charCodeAt(0).toString(16).padStart(4, "0")}`);
}

/** Closes a line whose text lacks the last brace with its hash. */
export function sealLine(unclosed: string): { readonly line: string; readonly hash: string } {
  const digest = hash("sha256", `${RECORD_DOMAIN}${unclosed}}`, "hex");
  return { line: `${unclosed},"h":"${digest}"}\n`, hash: digest };
}

let scratch = Buffer.alloc(4096);

/** The hash a line must carry, over its exact bytes (`line` has no newline). */
export function expectedHash(line: Buffer): string {
  const length = DOMAIN_BYTES.length + line.length - HASH_FIELD_BYTES + 1;
  if (length <= DOMAIN_BYTES.length) return "";
  if (scratch.length < length) scratch = Buffer.alloc(length * 2);
  DOMAIN_BYTES.copy(scratch);
  line.copy(scratch, DOMAIN_BYTES.length, 0, line.length - HASH_FIELD_BYTES);
  scratch[length - 1] = CLOSING_BRACE;
  return hash("sha256", scratch.subarray(0, length), "hex");
}

/** Envelope of a record; everything a client can influence is inside `body`. */
export interface RecordEnvelope {
  readonly tenant: string;
  readonly sequence: number;
  readonly globalSequence: number;
  /** RFC 3339, UTC, milliseconds. */
  readonly time: string;
  /** Nanoseconds of the writer's monotonic clock; comparable within a segment only. */
  readonly monotonicNs: number;
  readonly event: AuditEventKind;
}

export interface AuditRecord extends RecordEnvelope {
  readonly body: JsonObject;
  readonly previousHash: string;
  readonly hash: string;
}

/** The start of a record line, up to the body. `logJson` and `tenantJson` are already JSON text. */
export function recordPrefix(logJson: string, tenantJson: string, envelope: RecordEnvelope): string {
  return (
    `{"v":1,"log":${logJson},"ten":${tenantJson},"seq":${String(envelope.sequence)}` +
    `,"gseq":${String(envelope.globalSequence)},"t":"${envelope.time}","mono":${String(envelope.monotonicNs)}` +
    `,"ev":"${envelope.event}","body":`
  );
}

function parseObject(text: string): Record<string, unknown> | undefined {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === "object" && value !== null && !Array.isArray(value)
      ? (value as Record<string, unknown>)
      : undefined;
  } catch {
    return undefined;
  }
}

function isSequence(value: unknown): value is number {
  return Number.isSafeInteger(value) && (value as number) >= 1;
}

/**
 * Reads one record line (no newline) and checks its own bytes: field order, types, log id, hash.
 * Returns the reason as a string where the line is not a record of `logJson`.
 */
export function parseRecord(line: Buffer, logJson: string): AuditRecord | string {
  const text = line.toString("utf8");
  const fields = parseObject(text);
  if (fields === undefined) return "not a JSON object";
  const { ten, seq, gseq, t, mono, ev, body, prev, h } = fields;
  if (typeof ten !== "string" || !isSequence(seq) || !isSequence(gseq) || typeof t !== "string")
    return "not a record";
  if (typeof mono !== "number" || !isEventKind(ev) || !isHash(prev) || !isHash(h)) return "not a record";
  if (typeof body !== "object" || body === null || Array.isArray(body)) return "not a record";
  const envelope: RecordEnvelope = {
    tenant: ten,
    sequence: seq,
    globalSequence: gseq,
    time: t,
    monotonicNs: mono,
    event: ev,
  };
  if (expectedHash(line) !== h) return "the hash does not match the line";
  if (!text.startsWith(recordPrefix(logJson, oneLineJson(ten), envelope)))
    return "the envelope is not in the fixed form";
  if (!text.endsWith(`,"prev":"${prev}","h":"${h}"}`)) return "the envelope is not in the fixed form";
  return { ...envelope, body: body as JsonObject, previousHash: prev, hash: h };
}

/** First line of a segment: ties it to the one before and makes it readable alone. */
export interface SegmentHeader {
  readonly segment: number;
  /** Global sequence of the last record before this segment. */
  readonly globalSequence: number;
  readonly time: string;
  readonly keyId: string;
  readonly previousSeal: string;
  /** Head of every tenant chain: tenant, sequence, hash. */
  readonly heads: readonly (readonly [string, number, string])[];
  /** Allowed decisions that have no result yet: tenant, decision id. */
  readonly open: readonly (readonly [string, string])[];
  readonly hash: string;
}

/** Writes a header line. */
export function headerLine(
  logJson: string,
  header: Omit<SegmentHeader, "hash">,
): { readonly line: string; readonly hash: string } {
  return sealLine(
    `{"v":1,"kind":"segment","log":${logJson},"seg":${String(header.segment)},"gseq":${String(header.globalSequence)}` +
      `,"t":"${header.time}","key":"${header.keyId}","prevSeal":"${header.previousSeal}"` +
      `,"heads":${oneLineJson(header.heads)},"open":${oneLineJson(header.open)}`,
  );
}

function isHead(value: unknown): value is readonly [string, number, string] {
  return Array.isArray(value) && typeof value[0] === "string" && isSequence(value[1]) && isHash(value[2]);
}

function isOpenEntry(value: unknown): value is readonly [string, string] {
  return Array.isArray(value) && typeof value[0] === "string" && typeof value[1] === "string";
}

/** Heads and open decisions as they stand in headers and seals. */
export function readHeads(value: unknown): readonly (readonly [string, number, string])[] | undefined {
  return Array.isArray(value) && value.every(isHead) ? value : undefined;
}

export function readOpen(value: unknown): readonly (readonly [string, string])[] | undefined {
  return Array.isArray(value) && value.every(isOpenEntry) ? value : undefined;
}

/** Reads a header line (no newline) and checks its own bytes. Returns the reason where it is not one. */
export function parseHeader(line: Buffer, logJson: string): SegmentHeader | string {
  const text = line.toString("utf8");
  const fields = parseObject(text);
  if (fields?.["kind"] !== "segment") return "not a segment header";
  const { seg, gseq, t, key, prevSeal, h } = fields;
  const heads = readHeads(fields["heads"]);
  const open = readOpen(fields["open"]);
  if (!isSequence(seg) || !Number.isSafeInteger(gseq) || typeof t !== "string" || typeof key !== "string") {
    return "not a segment header";
  }
  if (!isHash(prevSeal) || !isHash(h) || heads === undefined || open === undefined)
    return "not a segment header";
  const header = {
    segment: seg,
    globalSequence: gseq as number,
    time: t,
    keyId: key,
    previousSeal: prevSeal,
    heads,
    open,
  };
  if (expectedHash(line) !== h) return "the hash does not match the line";
  if (`${text}\n` !== headerLine(logJson, header).line)
    return "the header is not in the fixed form, or of another log";
  return { ...header, hash: h };
}
