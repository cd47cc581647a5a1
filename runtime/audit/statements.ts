// What the node signs: a seal for each closed segment, checkpoints on the open one.
import { hash } from "node:crypto";
import type { KeyObject } from "node:crypto";
import type { AuditKeys } from "./audit-keys.ts";
import { verifyText } from "./audit-keys.ts";
import { isHash, oneLineJson, readHeads, readOpen } from "./record-format.ts";

const SEAL_DOMAIN = "aegis-audit-seal-v1\n";
const CHECKPOINT_DOMAIN = "aegis-audit-checkpoint-v1\n";

export type SealReason = "size" | "age" | "close" | "recovery";

/** What one tenant has in a segment. Sequences are inclusive. */
export interface TenantRange {
  readonly tenant: string;
  readonly first: number;
  readonly last: number;
  readonly firstPrevious: string;
  readonly lastHash: string;
}

export interface SealBody {
  readonly segment: number;
  /** SHA-256 of the previous seal's line. */
  readonly previousSeal: string;
  /** RFC 6962 root over the hashes of all lines, header first. */
  readonly root: string;
  /** Lines in the segment, header included. */
  readonly size: number;
  readonly bytes: number;
  /** Global sequence of the last record. */
  readonly globalSequence: number;
  readonly tenants: readonly TenantRange[];
  /** Head of every tenant chain after this segment, so that the next start need not read it. */
  readonly heads: readonly (readonly [string, number, string])[];
  readonly open: readonly (readonly [string, string])[];
  readonly closed: string;
  readonly reason: SealReason;
}

export interface CheckpointBody {
  readonly segment: number;
  readonly size: number;
  readonly root: string;
  readonly globalSequence: number;
  readonly time: string;
  /** SHA-256 of the previous checkpoint line of this segment. */
  readonly previous: string;
  /** Hash of the segment's seal, in the last checkpoint of a sealed segment. */
  readonly sealed: string | null;
}

export interface Signed<Body> {
  readonly body: Body;
  readonly keyId: string;
  /** SHA-256 of the line, which the next statement names. */
  readonly hash: string;
  /** True where `key` made the signature. */
  readonly verify: (key: KeyObject) => boolean;
}

function sealText(logJson: string, keyId: string, body: SealBody): string {
  const tenants = body.tenants.map((range) => [
    range.tenant,
    range.first,
    range.last,
    range.firstPrevious,
    range.lastHash,
  ]);
  return (
    `{"v":1,"kind":"seal","log":${logJson},"seg":${String(body.segment)},"prevSeal":"${body.previousSeal}"` +
    `,"root":"${body.root}","size":${String(body.size)},"bytes":${String(body.bytes)},"gseq":${String(body.globalSequence)}` +
    `,"tenants":${oneLineJson(tenants)},"heads":${oneLineJson(body.heads)},"open":${oneLineJson(body.open)}` +
    `,"closed":"${body.closed}","reason":"${body.reason}","key":"${keyId}"`
  );
}

function checkpointText(logJson: string, keyId: string, body: CheckpointBody): string {
  return (
    `{"v":1,"kind":"checkpoint","log":${logJson},"seg":${String(body.segment)},"size":${String(body.size)}` +
    `,"root":"${body.root}","gseq":${String(body.globalSequence)},"t":"${body.time}","prev":"${body.previous}"` +
    `,"sealed":${body.sealed === null ? "null" : `"${body.sealed}"`},"key":"${keyId}"`
  );
}

function signLine(
  keys: AuditKeys,
  domain: string,
  text: string,
): { readonly line: string; readonly hash: string } {
  const line = `${text},"sig":"${keys.sign(`${domain}${text}}`)}"}\n`;
  return { line, hash: hash("sha256", line, "hex") };
}

export function sealStatement(
  keys: AuditKeys,
  logJson: string,
  body: SealBody,
): { line: string; hash: string } {
  return signLine(keys, SEAL_DOMAIN, sealText(logJson, keys.keyId, body));
}

export function checkpointStatement(
  keys: AuditKeys,
  logJson: string,
  body: CheckpointBody,
): { line: string; hash: string } {
  return signLine(keys, CHECKPOINT_DOMAIN, checkpointText(logJson, keys.keyId, body));
}

type Fields = Record<string, unknown>;

function parseFields(line: string, kind: string): Fields | undefined {
  try {
    const value: unknown = JSON.parse(line);
    if (typeof value !== "object" || value === null || (value as Fields)["kind"] !== kind) return undefined;
    return value as Fields;
  } catch {
    return undefined;
  }
}

function isCount(value: unknown): value is number {
  return Number.isSafeInteger(value) && (value as number) >= 0;
}

function signed<Body>(
  line: string,
  domain: string,
  text: string,
  fields: Fields,
  body: Body,
): Signed<Body> | string {
  const { key, sig } = fields;
  if (typeof key !== "string" || typeof sig !== "string") return "no signature";
  if (line !== `${text},"sig":"${sig}"}\n`)
    return "the statement is not in the fixed form, or of another log";
  return {
    body,
    keyId: key,
    hash: hash("sha256", line, "hex"),
    verify: (publicKey) => verifyText(publicKey, `${domain}${text}}`, sig),
  };
}

function readRange(value: unknown): TenantRange | undefined {
  if (!Array.isArray(value)) return undefined;
  const [tenant, first, last, firstPrevious, lastHash] = value as unknown[];
  if (typeof tenant !== "string" || !isCount(first) || !isCount(last)) return undefined;
  return isHash(firstPrevious) && isHash(lastHash)
    ? { tenant, first, last, firstPrevious, lastHash }
    : undefined;
}

function readRanges(value: unknown): readonly TenantRange[] | undefined {
  if (!Array.isArray(value)) return undefined;
  const ranges = value.map(readRange);
  return ranges.every((range) => range !== undefined) ? ranges : undefined;
}

function isReason(value: unknown): value is SealReason {
  return value === "size" || value === "age" || value === "close" || value === "recovery";
}

/** Reads a seal line (with its newline). Returns the reason where it is not a seal of `logJson`. */
export function parseSeal(line: string, logJson: string): Signed<SealBody> | string {
  const fields = parseFields(line, "seal");
  if (fields === undefined) return "not a seal";
  const { seg, prevSeal, root, size, bytes, gseq, closed, reason, key } = fields;
  const tenants = readRanges(fields["tenants"]);
  const heads = readHeads(fields["heads"]);
  const open = readOpen(fields["open"]);
  if (
    !isCount(seg) ||
    !isHash(prevSeal) ||
    !isHash(root) ||
    !isCount(size) ||
    !isCount(bytes) ||
    !isCount(gseq)
  ) {
    return "not a seal";
  }
  if (typeof closed !== "string" || !isReason(reason) || typeof key !== "string") return "not a seal";
  if (tenants === undefined || heads === undefined || open === undefined) return "not a seal";
  const body: SealBody = {
    segment: seg,
    previousSeal: prevSeal,
    root,
    size,
    bytes,
    globalSequence: gseq,
    tenants,
    heads,
    open,
    closed,
    reason,
  };
  return signed(line, SEAL_DOMAIN, sealText(logJson, key, body), fields, body);
}

/** Reads a checkpoint line (with its newline). Returns the reason where it is not a checkpoint of `logJson`. */
export function parseCheckpoint(line: string, logJson: string): Signed<CheckpointBody> | string {
  const fields = parseFields(line, "checkpoint");
  if (fields === undefined) return "not a checkpoint";
  const { seg, size, root, gseq, t, prev, sealed, key } = fields;
  if (!isCount(seg) || !isCount(size) || !isHash(root) || !isCount(gseq) || !isHash(prev))
    return "not a checkpoint";
  if (typeof t !== "string" || typeof key !== "string" || !(sealed === null || isHash(sealed)))
    return "not a checkpoint";
  const body: CheckpointBody = {
    segment: seg,
    size,
    root,
    globalSequence: gseq,
    time: t,
    previous: prev,
    sealed,
  };
  return signed(line, CHECKPOINT_DOMAIN, checkpointText(logJson, key, body), fields, body);
}
