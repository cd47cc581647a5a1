// Reads one segment under the chain rules and reports how far it is good.
import type { AuditFs } from "./audit-fs.ts";
import type { ChainState, SegmentTally } from "./chain.ts";
import { advance, applyOpenEffect, chainFault, createTally, headerFault, openEffect } from "./chain.ts";
import type { RawLine } from "./line-reader.ts";
import { readLines } from "./line-reader.ts";
import type { AuditRecord, SegmentHeader } from "./record-format.ts";
import { MAX_HEADER_BYTES, parseHeader, parseRecord } from "./record-format.ts";
import type { CheckpointBody } from "./statements.ts";

export interface ScanFault {
  readonly line: number;
  readonly reason: string;
  /** `damaged`: the line's own bytes are wrong, as a torn write leaves them. `chain`: a sound line in the wrong place. */
  readonly kind: "damaged" | "chain";
  /** False for a last line without newline. */
  readonly terminated: boolean;
  /** True where nothing follows the line. */
  readonly last: boolean;
}

export interface SegmentScan {
  readonly header: SegmentHeader | undefined;
  readonly tally: SegmentTally;
  readonly records: number;
  /** Bytes up to the end of the last good line. */
  readonly goodBytes: number;
  readonly fault: ScanFault | undefined;
}

export interface ScanOptions {
  readonly fs: AuditFs;
  readonly path: string;
  readonly logJson: string;
  readonly segment: number;
  readonly previousSeal: string;
  /** Chains before the segment; moved to its end. */
  readonly state: ChainState;
  /** Sorted by size; each root is compared when the tree has that size. */
  readonly checkpoints: readonly CheckpointBody[];
  /** Lines that end beyond this are not read. */
  readonly limitBytes?: number;
  readonly onRecord?: (record: AuditRecord, line: number) => void;
}

interface Progress {
  readonly options: ScanOptions;
  readonly tally: SegmentTally;
  header: SegmentHeader | undefined;
  records: number;
  goodBytes: number;
  nextCheckpoint: number;
  fault: Omit<ScanFault, "last"> | undefined;
  last: boolean;
}

type LineFault = { readonly kind: "damaged" | "chain"; readonly reason: string } | undefined;

function takeHeader(progress: Progress, bytes: Buffer): LineFault {
  const { logJson, state, segment, previousSeal } = progress.options;
  const header = parseHeader(bytes, logJson);
  if (typeof header === "string") return { kind: "damaged", reason: header };
  const reason = headerFault(state, header, { segment, previousSeal });
  if (reason !== undefined) return { kind: "chain", reason };
  progress.header = header;
  progress.tally.tree.push(header.hash);
  return undefined;
}

function takeRecord(progress: Progress, line: RawLine): LineFault {
  const { logJson, state, onRecord } = progress.options;
  const record = parseRecord(line.bytes, logJson);
  if (typeof record === "string") return { kind: "damaged", reason: record };
  const reason = chainFault(state, record);
  if (reason !== undefined) return { kind: "chain", reason };
  advance(state, progress.tally, record);
  applyOpenEffect(state, record.tenant, openEffect(record.event, record.body));
  progress.records += 1;
  onRecord?.(record, line.number);
  return undefined;
}

function checkpointFault(progress: Progress): LineFault {
  const { checkpoints } = progress.options;
  const { tree } = progress.tally;
  for (;;) {
    const next = checkpoints[progress.nextCheckpoint];
    if (next === undefined || next.size > tree.size()) return undefined;
    progress.nextCheckpoint += 1;
    if (next.size < tree.size() || next.root !== tree.root()) {
      return { kind: "chain", reason: `a checkpoint over ${String(next.size)} lines has another root` };
    }
  }
}

function takeLine(progress: Progress, line: RawLine): boolean {
  if (progress.fault !== undefined) {
    progress.last = false;
    return false;
  }
  const end = line.offset + line.bytes.length + 1;
  if (end > (progress.options.limitBytes ?? Infinity)) return false;
  let fault: LineFault;
  if (!line.terminated) fault = { kind: "damaged", reason: "the line has no end" };
  else fault = progress.header === undefined ? takeHeader(progress, line.bytes) : takeRecord(progress, line);
  fault ??= checkpointFault(progress);
  if (fault === undefined) {
    progress.goodBytes = end;
    return true;
  }
  progress.fault = { ...fault, line: line.number, terminated: line.terminated };
  return true;
}

/** Scans a segment. A fault ends the reading but not the call: `goodBytes` and `state` stand at the last good line. */
export async function scanSegment(options: ScanOptions): Promise<SegmentScan> {
  const progress: Progress = {
    options,
    tally: createTally(),
    header: undefined,
    records: 0,
    goodBytes: 0,
    nextCheckpoint: 0,
    fault: undefined,
    last: true,
  };
  await readLines(options.fs, options.path, MAX_HEADER_BYTES, (line) => takeLine(progress, line));
  const { header, tally, records, goodBytes, fault, last } = progress;
  return { header, tally, records, goodBytes, fault: fault === undefined ? undefined : { ...fault, last } };
}
