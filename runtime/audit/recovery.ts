// Brings an audit directory to a state from which writing can go on, or refuses.
import { createHash } from "node:crypto";
import type { KeyObject } from "node:crypto";
import { AuditStartError } from "./audit-errors.ts";
import { readPublicKey } from "./audit-keys.ts";
import type { AuditFs } from "./audit-fs.ts";
import { readSmallFile, replaceFile } from "./audit-fs.ts";
import type { ChainState } from "./chain.ts";
import { chainsFrom, emptyChains } from "./chain.ts";
import { readLines } from "./line-reader.ts";
import type { LogFiles } from "./log-files.ts";
import {
  checkpointName,
  classifyFiles,
  LOG_ID_FILE,
  publicKeyName,
  sealName,
  segmentName,
} from "./log-files.ts";
import type { LogContext } from "./open-segment.ts";
import { writeSeal } from "./open-segment.ts";
import { MAX_HEADER_BYTES, ZERO_HASH } from "./record-format.ts";
import type { SegmentScan } from "./segment-scan.ts";
import { scanSegment } from "./segment-scan.ts";
import type { CheckpointBody, SealBody, Signed } from "./statements.ts";
import { parseCheckpoint, parseSeal } from "./statements.ts";

const MAX_LOG_ID_BYTES = 1024;
const CUT_CHUNK_BYTES = 1024 * 1024;

/** Bytes taken off the end of a segment; the log keeps their length and hash in a `gap` record. */
export interface CutTail {
  readonly segment: number;
  readonly bytes: number;
  /** Hex SHA-256 of the bytes cut. */
  readonly sha256: string;
}

export interface RecoveredLog {
  readonly state: ChainState;
  readonly nextSegment: number;
  readonly previousSeal: string;
  /** The segment that was left unsealed, where there was one. */
  readonly unsealed: number | undefined;
  readonly cut: CutTail | undefined;
}

/** Up to where the writer that failed had acknowledged; nothing beyond was promised to anyone. */
export interface AcknowledgedEnd {
  readonly segment: number;
  readonly bytes: number;
}

function corrupt(file: string, line: number, reason: string): AuditStartError {
  return new AuditStartError(
    "AUDIT_CORRUPT",
    file,
    line,
    `${reason}; no crash leaves this. Run aegis audit verify, keep the directory as evidence, and start with an empty one`,
  );
}

async function loadKeys(context: LogContext, files: LogFiles): Promise<Map<string, KeyObject>> {
  const keys = new Map<string, KeyObject>();
  for (const name of files.publicKeys) {
    const key = readPublicKey(
      (await readSmallFile(context.fs, `${context.dir}/${name}`, 4096)).toString("utf8"),
    );
    if (key !== undefined) keys.set(name, key);
  }
  const own = readPublicKey(context.keys.publicKeyPem);
  if (own !== undefined) keys.set(publicKeyName(context.keys.keyId), own);
  return keys;
}

async function readSeal(
  context: LogContext,
  keys: ReadonlyMap<string, KeyObject>,
  segment: number,
): Promise<Signed<SealBody>> {
  const path = `${context.dir}/${sealName(segment)}`;
  const text = (await readSmallFile(context.fs, path, MAX_HEADER_BYTES)).toString("utf8");
  const seal = parseSeal(text, context.logJson);
  if (typeof seal === "string") throw corrupt(path, 1, seal);
  const key = keys.get(publicKeyName(seal.keyId));
  if (key === undefined || !seal.verify(key)) throw corrupt(path, 1, "the seal's signature does not verify");
  if (seal.body.segment !== segment) throw corrupt(path, 1, "the seal is of another segment");
  return seal;
}

/** The checkpoints of a segment, without a torn last line. */
async function readCheckpoints(
  context: LogContext,
  keys: ReadonlyMap<string, KeyObject>,
  segment: number,
): Promise<readonly CheckpointBody[]> {
  const path = `${context.dir}/${checkpointName(segment)}`;
  const bodies: CheckpointBody[] = [];
  let previous = ZERO_HASH;
  await readLines(context.fs, path, MAX_HEADER_BYTES, (line) => {
    if (!line.terminated) return false;
    const statement = parseCheckpoint(`${line.bytes.toString("utf8")}\n`, context.logJson);
    if (typeof statement === "string") throw corrupt(path, line.number, statement);
    const key = keys.get(publicKeyName(statement.keyId));
    if (key === undefined || !statement.verify(key)) {
      throw corrupt(path, line.number, "the checkpoint's signature does not verify");
    }
    if (statement.body.previous !== previous || statement.body.segment !== segment) {
      throw corrupt(path, line.number, "the checkpoint does not follow the one before it");
    }
    previous = statement.hash;
    bodies.push(statement.body);
    return true;
  });
  return bodies;
}

async function hashTail(fs: AuditFs, path: string, from: number): Promise<{ bytes: number; sha256: string }> {
  const digest = createHash("sha256");
  const file = await fs.open(path, "read");
  try {
    const chunk = Buffer.alloc(CUT_CHUNK_BYTES);
    let position = from;
    for (;;) {
      const count = await file.read(chunk, position);
      if (count === 0) break;
      digest.update(chunk.subarray(0, count));
      position += count;
    }
    return { bytes: position - from, sha256: digest.digest("hex") };
  } finally {
    await file.close();
  }
}

async function cutTail(
  context: LogContext,
  segment: number,
  keepBytes: number,
): Promise<CutTail | undefined> {
  const path = `${context.dir}/${segmentName(segment)}`;
  const tail = await hashTail(context.fs, path, keepBytes);
  const file = await context.fs.open(path, "update");
  try {
    if (tail.bytes > 0) await file.truncate(keepBytes);
    await file.datasync();
  } finally {
    await file.close();
  }
  return tail.bytes === 0 ? undefined : { segment, ...tail };
}

function refuseUnexplained(path: string, scan: SegmentScan, checkpoints: readonly CheckpointBody[]): void {
  const { fault } = scan;
  if (fault !== undefined && !(fault.kind === "damaged" && fault.last))
    throw corrupt(path, fault.line, fault.reason);
  const promised = checkpoints.at(-1)?.size ?? 0;
  const found = scan.tally.tree.size();
  if (found < promised) {
    throw corrupt(
      path,
      found + 1,
      `the file ends at ${String(found)} lines where a checkpoint names ${String(promised)}`,
    );
  }
}

/** A file whose header never became durable holds nothing that was acknowledged. */
async function dropHeaderless(
  context: LogContext,
  files: LogFiles,
  segment: number,
): Promise<CutTail | undefined> {
  const path = `${context.dir}/${segmentName(segment)}`;
  const tail = await hashTail(context.fs, path, 0);
  if (files.checkpoints.includes(segment))
    await context.fs.remove(`${context.dir}/${checkpointName(segment)}`);
  await context.fs.remove(path);
  await context.fs.syncDirectory(context.dir);
  return tail.bytes === 0 ? undefined : { segment, ...tail };
}

function refuseHoles(context: LogContext, files: LogFiles): void {
  const first = files.segments[0] ?? files.seals[0];
  if (first === undefined) return;
  const last = Math.max(files.segments.at(-1) ?? 0, files.seals.at(-1) ?? 0);
  for (let segment = first; segment <= last; segment += 1) {
    if (!files.segments.includes(segment)) {
      throw corrupt(`${context.dir}/${segmentName(segment)}`, 0, "the segment is missing");
    }
    if (segment < last && !files.seals.includes(segment)) {
      throw corrupt(`${context.dir}/${sealName(segment)}`, 0, "the seal is missing");
    }
  }
  if (first !== 1) throw corrupt(`${context.dir}/${segmentName(1)}`, 0, "the segment is missing");
}

async function recoverUnsealed(
  context: LogContext,
  files: LogFiles,
  keys: ReadonlyMap<string, KeyObject>,
  acknowledged: AcknowledgedEnd | undefined,
): Promise<RecoveredLog> {
  const segment = files.segments.at(-1) ?? 0;
  const path = `${context.dir}/${segmentName(segment)}`;
  const seal = segment > 1 ? await readSeal(context, keys, segment - 1) : undefined;
  const previousSeal = seal?.hash ?? ZERO_HASH;
  const body = seal?.body;
  const state = body === undefined ? emptyChains() : chainsFrom(body.globalSequence, body.heads, body.open);
  const checkpoints = files.checkpoints.includes(segment)
    ? await readCheckpoints(context, keys, segment)
    : [];
  const { fs, logJson } = context;
  const limit = acknowledged?.segment === segment ? { limitBytes: acknowledged.bytes } : {};
  const scan = await scanSegment({ fs, path, logJson, segment, previousSeal, state, checkpoints, ...limit });
  refuseUnexplained(path, scan, checkpoints);
  if (scan.header === undefined) {
    const cut = await dropHeaderless(context, files, segment);
    return { state, nextSegment: segment, previousSeal, unsealed: segment, cut };
  }
  const cut = await cutTail(context, segment, scan.goodBytes);
  const sealed = { segment, previousSeal, bytes: scan.goodBytes, tally: scan.tally };
  const hash = await writeSeal(context, state, sealed, "recovery");
  return { state, nextSegment: segment + 1, previousSeal: hash, unsealed: segment, cut };
}

async function recoverSealed(
  context: LogContext,
  keys: ReadonlyMap<string, KeyObject>,
  segment: number,
): Promise<RecoveredLog> {
  const { body, hash } = await readSeal(context, keys, segment);
  const path = `${context.dir}/${segmentName(segment)}`;
  const file = await context.fs.open(path, "read");
  let size: number;
  try {
    size = await file.sizeBytes();
  } finally {
    await file.close();
  }
  if (size !== body.bytes)
    throw corrupt(path, 0, `the file has ${String(size)} bytes, its seal names ${String(body.bytes)}`);
  const state = chainsFrom(body.globalSequence, body.heads, body.open);
  return { state, nextSegment: segment + 1, previousSeal: hash, unsealed: undefined, cut: undefined };
}

/**
 * The id of the log in `dir`: the one it was started with, or `wanted` for an empty directory. A host that is renamed goes on with
 * its log.
 */
export async function settleLogId(fs: AuditFs, dir: string, wanted: string): Promise<string> {
  const names = await fs.list(dir);
  if (names.includes(LOG_ID_FILE)) {
    const text = (await readSmallFile(fs, `${dir}/${LOG_ID_FILE}`, MAX_LOG_ID_BYTES)).toString("utf8");
    if (!text.endsWith("\n") || text.length < 2) throw corrupt(`${dir}/${LOG_ID_FILE}`, 1, "not a log id");
    return text.slice(0, -1);
  }
  const { segments, leftovers } = classifyFiles(names);
  if (segments.length > 0) throw corrupt(`${dir}/${LOG_ID_FILE}`, 0, "the id of the log is missing");
  for (const name of leftovers) await fs.remove(`${dir}/${name}`);
  await replaceFile(fs, dir, LOG_ID_FILE, `${wanted}\n`);
  return wanted;
}

/**
 * Makes the directory consistent: removes unfinished temporary files, cuts a torn tail off the last segment and seals it.
 * Only what a crash can leave is mended; `acknowledged` narrows it further after a failed write in this process.
 * @throws {AuditStartError} AUDIT_CORRUPT
 */
export async function recoverLog(context: LogContext, acknowledged?: AcknowledgedEnd): Promise<RecoveredLog> {
  const { fs, dir } = context;
  const files = classifyFiles(await fs.list(dir));
  for (const name of files.leftovers) await fs.remove(`${dir}/${name}`);
  const ownKey = publicKeyName(context.keys.keyId);
  if (!files.publicKeys.includes(ownKey)) {
    await replaceFile(fs, dir, ownKey, context.keys.publicKeyPem);
  }
  refuseHoles(context, files);
  const last = files.segments.at(-1);
  if (last === undefined) {
    return {
      state: emptyChains(),
      nextSegment: 1,
      previousSeal: ZERO_HASH,
      unsealed: undefined,
      cut: undefined,
    };
  }
  const keys = await loadKeys(context, files);
  return files.seals.includes(last)
    ? recoverSealed(context, keys, last)
    : recoverUnsealed(context, files, keys, acknowledged);
}
