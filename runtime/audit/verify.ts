// The offline verifier: needs the directory, and for proof of origin the public keys; no configuration, no network.
import type { KeyObject } from "node:crypto";
import { readFile } from "node:fs/promises";
import { faultText } from "./audit-errors.ts";
import { keyIdOf, readPublicKey } from "./audit-keys.ts";
import type { AuditFs } from "./audit-fs.ts";
import { nodeAuditFs, readSmallFile } from "./audit-fs.ts";
import type { ChainState } from "./chain.ts";
import { emptyChains, headList, openList } from "./chain.ts";
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
import type { AuditRecord } from "./record-format.ts";
import { MAX_HEADER_BYTES, oneLineJson, ZERO_HASH } from "./record-format.ts";
import type { SegmentScan } from "./segment-scan.ts";
import { scanSegment } from "./segment-scan.ts";
import type { CheckpointBody, SealBody, Signed } from "./statements.ts";
import { parseCheckpoint, parseSeal } from "./statements.ts";

export interface VerifyOptions {
  readonly dir: string;
  /** PEM texts of the trusted keys. Absent: the keys found in the directory, which prove consistency but not origin. */
  readonly publicKeys?: readonly string[];
  /** File with checkpoint lines that were kept elsewhere: the log must still contain all they cover. */
  readonly checkpoint?: string;
  /** Count and report only this tenant's records; everything is verified all the same. */
  readonly tenant?: string;
  /** Where the log is read from; the real file system by default. */
  readonly fs?: AuditFs;
}

/**
 * `tampered`: the bytes contradict each other, or something that was promised is not there. `incomplete`: what a crash leaves before the
 * next start mends it, or no log at all.
 */
export type VerifyOutcome = "clean" | "tampered" | "incomplete";

export interface FirstBad {
  readonly file: string;
  /** From 1; 0 where the fault is not in one line. */
  readonly line: number;
  readonly reason: string;
}

export interface TenantSummary {
  readonly records: number;
  readonly first: number;
  readonly last: number;
  readonly hash: string;
}

export interface VerifyResult {
  readonly ok: boolean;
  readonly outcome: VerifyOutcome;
  readonly records: number;
  readonly segments: number;
  readonly tenants: ReadonlyMap<string, TenantSummary>;
  /** Allowed decisions that have neither a result nor a `gap` record. Normal on a live log. */
  readonly openDecisions: number;
  readonly firstBad?: FirstBad;
  readonly warnings: readonly string[];
}

const MAX_WARNINGS = 100;

class VerifyFault extends Error {
  readonly outcome: Exclude<VerifyOutcome, "clean">;
  readonly bad: FirstBad;
  constructor(outcome: Exclude<VerifyOutcome, "clean">, file: string, line: number, reason: string) {
    super(reason);
    this.name = "VerifyFault";
    this.outcome = outcome;
    this.bad = { file, line, reason };
  }
}

interface Run {
  readonly options: VerifyOptions;
  readonly fs: AuditFs;
  readonly keys: ReadonlyMap<string, KeyObject>;
  readonly outside: readonly Signed<CheckpointBody>[];
  readonly state: ChainState;
  readonly tenants: Map<string, TenantSummary>;
  readonly warnings: string[];
  logJson: string;
  records: number;
  segments: number;
  previousSeal: string;
  lastTimeMs: number;
}

function tampered(file: string, line: number, reason: string): VerifyFault {
  return new VerifyFault("tampered", file, line, reason);
}

function warn(run: Run, text: string): void {
  if (run.warnings.length < MAX_WARNINGS) run.warnings.push(text);
  else if (run.warnings.length === MAX_WARNINGS) run.warnings.push("further warnings are left out");
}

// ── signatures ────────────────────────────────────────────────────────────────────────────────────────────────

async function directoryKeys(fs: AuditFs, dir: string, files: LogFiles): Promise<Map<string, KeyObject>> {
  const keys = new Map<string, KeyObject>();
  for (const name of files.publicKeys) {
    const key = readPublicKey((await readSmallFile(fs, `${dir}/${name}`, 4096)).toString("utf8"));
    if (key === undefined || publicKeyName(keyIdOf(key)) !== name)
      throw tampered(name, 0, "not the key its name says");
    keys.set(keyIdOf(key), key);
  }
  return keys;
}

function givenKeys(pems: readonly string[]): Map<string, KeyObject> {
  const keys = new Map<string, KeyObject>();
  for (const pem of pems) {
    const key = readPublicKey(pem);
    if (key === undefined) throw new TypeError("a trusted audit key is not an Ed25519 public key in PEM");
    keys.set(keyIdOf(key), key);
  }
  return keys;
}

function requireSignature(run: Run, statement: Signed<unknown>, file: string, line: number): void {
  const key = run.keys.get(statement.keyId);
  if (key === undefined)
    throw tampered(file, line, `signed by ${statement.keyId}, which is not a trusted key`);
  if (!statement.verify(key)) throw tampered(file, line, "the signature does not verify");
}

// ── statements ────────────────────────────────────────────────────────────────────────────────────────────────

async function readCheckpoints(
  run: Run,
  files: LogFiles,
  segment: number,
): Promise<readonly Signed<CheckpointBody>[]> {
  if (!files.checkpoints.includes(segment)) return [];
  const name = checkpointName(segment);
  const statements: Signed<CheckpointBody>[] = [];
  let previous = ZERO_HASH;
  let torn = false;
  await readLines(run.fs, `${run.options.dir}/${name}`, MAX_HEADER_BYTES, (line) => {
    if (!line.terminated) {
      torn = true;
      return false;
    }
    const statement = parseCheckpoint(`${line.bytes.toString("utf8")}\n`, run.logJson);
    if (typeof statement === "string") throw tampered(name, line.number, statement);
    requireSignature(run, statement, name, line.number);
    const { body } = statement;
    if (body.segment !== segment) throw tampered(name, line.number, "the checkpoint is of another segment");
    if (body.previous !== previous)
      throw tampered(name, line.number, "the checkpoint does not follow the one before it");
    previous = statement.hash;
    statements.push(statement);
    return true;
  });
  if (torn) warn(run, `${name}: the last checkpoint is torn, as a crash leaves it`);
  return statements;
}

async function readOutside(run: Omit<Run, "outside">, path: string): Promise<Signed<CheckpointBody>[]> {
  const lines = (await readFile(path, "utf8")).split("\n").filter((line) => line !== "");
  return lines.map((line, index) => {
    const statement = parseCheckpoint(`${line}\n`, run.logJson);
    if (typeof statement === "string") throw tampered(path, index + 1, statement);
    requireSignature({ ...run, outside: [] }, statement, path, index + 1);
    return statement;
  });
}

async function readSeal(run: Run, files: LogFiles, segment: number): Promise<Signed<SealBody> | undefined> {
  if (!files.seals.includes(segment)) return undefined;
  const name = sealName(segment);
  const text = (await readSmallFile(run.fs, `${run.options.dir}/${name}`, MAX_HEADER_BYTES)).toString("utf8");
  const seal = parseSeal(text, run.logJson);
  if (typeof seal === "string") throw tampered(name, 1, seal);
  requireSignature(run, seal, name, 1);
  if (seal.body.segment !== segment) throw tampered(name, 1, "the seal is of another segment");
  if (seal.body.previousSeal !== run.previousSeal)
    throw tampered(name, 1, "the seal does not follow the one before it");
  return seal;
}

function sealFault(run: Run, seal: SealBody, scan: SegmentScan): string | undefined {
  if (seal.size !== scan.tally.tree.size()) return "the seal counts other lines";
  if (seal.root !== scan.tally.tree.root()) return "the seal has another root";
  if (seal.bytes !== scan.goodBytes) return "the seal counts other bytes";
  if (seal.globalSequence !== run.state.globalSequence) return "the seal has another global sequence";
  if (JSON.stringify(seal.tenants) !== JSON.stringify([...scan.tally.ranges.values()]))
    return "the seal has other ranges";
  if (JSON.stringify(seal.heads) !== JSON.stringify(headList(run.state)))
    return "the seal has other chain heads";
  return JSON.stringify(seal.open) === JSON.stringify(openList(run.state))
    ? undefined
    : "the seal has other open decisions";
}

// ── segments ──────────────────────────────────────────────────────────────────────────────────────────────────

function countRecord(
  run: Run,
  record: AuditRecord,
  name: string,
  line: number,
  lastMono: { ns: number },
): void {
  const timeMs = Date.parse(record.time);
  if (Number.isNaN(timeMs)) throw tampered(name, line, "the time is not a time");
  if (timeMs < run.lastTimeMs) warn(run, `${name}:${String(line)}: the wall clock went backwards`);
  if (record.monotonicNs < lastMono.ns)
    warn(run, `${name}:${String(line)}: the monotonic clock went backwards`);
  run.lastTimeMs = Math.max(run.lastTimeMs, timeMs);
  lastMono.ns = record.monotonicNs;
  if (run.options.tenant !== undefined && run.options.tenant !== record.tenant) return;
  run.records += 1;
  const known = run.tenants.get(record.tenant);
  run.tenants.set(record.tenant, {
    records: (known?.records ?? 0) + 1,
    first: known?.first ?? record.sequence,
    last: record.sequence,
    hash: record.hash,
  });
}

function requirePromised(
  run: Run,
  scan: SegmentScan,
  name: string,
  checkpoints: readonly Signed<CheckpointBody>[],
  seal: Signed<SealBody> | undefined,
): void {
  const found = scan.tally.tree.size();
  for (const { body } of checkpoints) {
    if (body.size > found) {
      throw tampered(
        name,
        found + 1,
        `the segment ends at ${String(found)} lines, a checkpoint covers ${String(body.size)}`,
      );
    }
    if (body.sealed !== null && body.sealed !== seal?.hash) {
      throw tampered(sealName(body.segment), 0, "a checkpoint names a seal that is not there");
    }
  }
  if (seal === undefined) return;
  const reason = sealFault(run, seal.body, scan);
  if (reason !== undefined) throw tampered(sealName(seal.body.segment), 1, reason);
}

async function verifySegment(run: Run, files: LogFiles, segment: number, isLast: boolean): Promise<void> {
  const name = segmentName(segment);
  const seal = await readSeal(run, files, segment);
  if (seal === undefined && !isLast) throw tampered(sealName(segment), 0, "the seal is missing");
  const kept = run.outside.filter(({ body }) => body.segment === segment);
  const checkpoints = [...(await readCheckpoints(run, files, segment)), ...kept];
  const lastMono = { ns: 0 };
  const scan = await scanSegment({
    fs: run.fs,
    path: `${run.options.dir}/${name}`,
    logJson: run.logJson,
    segment,
    previousSeal: run.previousSeal,
    state: run.state,
    checkpoints: checkpoints.map(({ body }) => body).sort((left, right) => left.size - right.size),
    onRecord: (record, line) => countRecord(run, record, name, line, lastMono),
  });
  run.segments += 1;
  const { fault } = scan;
  const torn = fault?.last === true && fault.kind === "damaged" && isLast && seal === undefined;
  if (fault !== undefined && !torn) throw tampered(name, fault.line, fault.reason);
  requirePromised(run, scan, name, checkpoints, seal);
  if (fault !== undefined) {
    throw new VerifyFault(
      "incomplete",
      name,
      fault.line,
      `${fault.reason}: the tail is torn; the next start cuts it`,
    );
  }
  if (scan.header === undefined) {
    throw new VerifyFault("incomplete", name, 0, "the last segment is empty; the next start removes it");
  }
  if (seal !== undefined) run.previousSeal = seal.hash;
}

async function verifyAll(run: Run, files: LogFiles): Promise<void> {
  const last = Math.max(...files.segments, ...files.seals, ...files.checkpoints, 0);
  if (last === 0) throw new VerifyFault("incomplete", run.options.dir, 0, "no segment in the directory");
  for (let segment = 1; segment <= last; segment += 1) {
    if (!files.segments.includes(segment)) throw tampered(segmentName(segment), 0, "the segment is missing");
    await verifySegment(run, files, segment, segment === last);
  }
  for (const { body } of run.outside) {
    if (body.segment > last)
      throw tampered(segmentName(body.segment), 0, "a checkpoint names a segment that is not there");
  }
}

async function readLogJson(fs: AuditFs, dir: string, files: LogFiles): Promise<string> {
  if (files.segments.length === 0) return "";
  const text = (await readSmallFile(fs, `${dir}/${LOG_ID_FILE}`, 1024)).toString("utf8");
  return oneLineJson(text.replace(/\n$/, ""));
}

function report(run: Run, fault: VerifyFault | undefined): VerifyResult {
  const outcome: VerifyOutcome = fault?.outcome ?? "clean";
  let openDecisions = 0;
  for (const { tenant } of run.state.open.values()) {
    if (run.options.tenant === undefined || run.options.tenant === tenant) openDecisions += 1;
  }
  if (openDecisions > 0) warn(run, `${String(openDecisions)} allowed decisions have no result yet`);
  const { records, segments, tenants, warnings } = run;
  const result = { ok: outcome === "clean", outcome, records, segments, tenants, openDecisions, warnings };
  return fault === undefined ? result : { ...result, firstBad: fault.bad };
}

/**
 * Verifies a log, streaming: memory does not grow with the log. May run beside a live writer; a record being written at that moment can then
 * show as a torn tail.
 * @throws {TypeError} where a given key is not an Ed25519 public key; any other fault is in the result
 */
export async function verifyAuditLog(options: VerifyOptions): Promise<VerifyResult> {
  const fs = options.fs ?? nodeAuditFs;
  const trusted = options.publicKeys === undefined ? undefined : givenKeys(options.publicKeys);
  let run: Run = {
    options,
    fs,
    keys: new Map(),
    outside: [],
    state: emptyChains(),
    tenants: new Map(),
    warnings: [],
    logJson: "",
    records: 0,
    segments: 0,
    previousSeal: ZERO_HASH,
    lastTimeMs: 0,
  };
  try {
    const files = classifyFiles(await fs.list(options.dir));
    const keys = trusted ?? (await directoryKeys(fs, options.dir, files));
    run = { ...run, keys, logJson: await readLogJson(fs, options.dir, files) };
    if (trusted === undefined)
      warn(run, "signatures were checked with the keys found beside the log, which prove no origin");
    if (options.checkpoint !== undefined)
      run = { ...run, outside: await readOutside(run, options.checkpoint) };
    await verifyAll(run, files);
    return report(run, undefined);
  } catch (fault) {
    if (fault instanceof VerifyFault) return report(run, fault);
    return report(run, new VerifyFault("incomplete", options.dir, 0, `cannot be read: ${faultText(fault)}`));
  }
}
