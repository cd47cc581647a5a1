// The segment being written: its file, its tree, its checkpoints, and its seal.
import type { Clock } from "#std";
import type { AuditKeys } from "./audit-keys.ts";
import type { AuditFile, AuditFs } from "./audit-fs.ts";
import { replaceFile, writeFully } from "./audit-fs.ts";
import type { AuditEventKind } from "./audit-log.ts";
import type { ChainHead, ChainState, OpenEffect, SegmentTally } from "./chain.ts";
import { advance, applyOpenEffect, createTally, headList, openList } from "./chain.ts";
import { checkpointName, sealName, segmentName } from "./log-files.ts";
import { headerLine, oneLineJson, recordPrefix, sealLine, ZERO_HASH } from "./record-format.ts";
import type { SealReason } from "./statements.ts";
import { checkpointStatement, sealStatement } from "./statements.ts";

/** What writer, recovery and sealing share. */
export interface LogContext {
  readonly fs: AuditFs;
  readonly dir: string;
  readonly logJson: string;
  readonly keys: AuditKeys;
  readonly clock: Clock;
  /** Told of every checkpoint line once it is durable. */
  readonly onCheckpoint?: ((line: string) => void) | undefined;
}

/** A record on its way into the log; the body is already JSON text on one line. */
export interface PendingRecord {
  readonly tenant: string;
  readonly event: AuditEventKind;
  readonly bodyJson: string;
  readonly effect: OpenEffect;
}

export interface OpenSegment {
  readonly segment: number;
  readonly openedMs: number;
  /** Adds a record to the chains and to the next write. */
  readonly add: (record: PendingRecord) => ChainHead;
  /** Writes what was added. */
  readonly write: () => Promise<void>;
  readonly datasync: () => Promise<void>;
  /** Bytes handed to the system so far. */
  readonly bytes: () => number;
  readonly lines: () => number;
  /** Lines that no checkpoint covers yet. */
  readonly uncheckpointed: () => number;
  /** Signs the present root into the checkpoint file. Everything added must have been synced. */
  readonly checkpoint: () => Promise<void>;
  /** Seals and closes. Returns the seal's hash. */
  readonly seal: (reason: SealReason) => Promise<string>;
  /** Closes the descriptors without a word; for a segment that failed. */
  readonly abandon: () => Promise<void>;
}

const NANOSECONDS_PER_MS = 1e6;

export function timeText(ms: number): string {
  return new Date(ms).toISOString();
}

/** `timeText` that remembers the last millisecond: a busy log writes several records in each. */
function rememberedTimeText(): (ms: number) => string {
  let lastMs = Number.NaN;
  let lastText = "";
  return (ms) => {
    if (ms !== lastMs) {
      lastText = timeText(ms);
      lastMs = ms;
    }
    return lastText;
  };
}

/** Writes the seal of a segment whose lines are durable. Returns the seal's hash. */
export async function writeSeal(
  context: LogContext,
  state: ChainState,
  segment: {
    readonly segment: number;
    readonly previousSeal: string;
    readonly bytes: number;
    readonly tally: SegmentTally;
  },
  reason: SealReason,
): Promise<string> {
  const seal = sealStatement(context.keys, context.logJson, {
    segment: segment.segment,
    previousSeal: segment.previousSeal,
    root: segment.tally.tree.root(),
    size: segment.tally.tree.size(),
    bytes: segment.bytes,
    globalSequence: state.globalSequence,
    tenants: [...segment.tally.ranges.values()],
    heads: headList(state),
    open: openList(state),
    closed: timeText(context.clock.nowMs()),
    reason,
  });
  await replaceFile(context.fs, context.dir, sealName(segment.segment), seal.line);
  return seal.hash;
}

async function closeQuietly(file: AuditFile | undefined): Promise<void> {
  try {
    await file?.close();
  } catch {
    // The descriptor belongs to a segment that is given up; the fault that led here is the one reported.
  }
}

function checkpointWriter(context: LogContext, state: ChainState, segment: number, tally: SegmentTally) {
  let file: AuditFile | undefined;
  let previous = ZERO_HASH;
  let covered = 0;
  return {
    covered: () => covered,
    write: async (sealed: string | null): Promise<void> => {
      if (file === undefined) {
        file = await context.fs.open(`${context.dir}/${checkpointName(segment)}`, "create");
        await context.fs.syncDirectory(context.dir);
      }
      const size = tally.tree.size();
      const statement = checkpointStatement(context.keys, context.logJson, {
        segment,
        size,
        root: tally.tree.root(),
        globalSequence: state.globalSequence,
        time: timeText(context.clock.nowMs()),
        previous,
        sealed,
      });
      await writeFully(file, Buffer.from(statement.line, "utf8"));
      await file.datasync();
      previous = statement.hash;
      covered = size;
      context.onCheckpoint?.(statement.line);
    },
    close: async () => file?.close(),
    abandon: () => closeQuietly(file),
  };
}

function createAdd(context: LogContext, state: ChainState, tally: SegmentTally, lines: string[]) {
  const tenantJson = new Map<string, string>();
  const timeOf = rememberedTimeText();
  return (record: PendingRecord): ChainHead => {
    let tenant = tenantJson.get(record.tenant);
    if (tenant === undefined) {
      tenant = oneLineJson(record.tenant);
      tenantJson.set(record.tenant, tenant);
    }
    const head = state.heads.get(record.tenant);
    const sequence = (head?.sequence ?? 0) + 1;
    const previousHash = head?.hash ?? ZERO_HASH;
    const prefix = recordPrefix(context.logJson, tenant, {
      tenant: record.tenant,
      sequence,
      globalSequence: state.globalSequence + 1,
      time: timeOf(context.clock.nowMs()),
      monotonicNs: Math.max(0, Math.round(context.clock.monotonicMs() * NANOSECONDS_PER_MS)),
      event: record.event,
    });
    const { line, hash } = sealLine(`${prefix}${record.bodyJson},"prev":"${previousHash}"`);
    lines.push(line);
    const moved = advance(state, tally, { tenant: record.tenant, sequence, previousHash, hash });
    applyOpenEffect(state, record.tenant, record.effect);
    return moved;
  };
}

/** Creates the file of a new segment with its header, durable, directory entry included. */
export async function createSegment(
  context: LogContext,
  state: ChainState,
  segment: number,
  previousSeal: string,
): Promise<OpenSegment> {
  const { fs, dir, clock } = context;
  const tally = createTally();
  const lines: string[] = [];
  const file = await fs.open(`${dir}/${segmentName(segment)}`, "create");
  const checkpoints = checkpointWriter(context, state, segment, tally);
  let bytes = 0;
  const write = async (): Promise<void> => {
    const block = Buffer.from(lines.join(""), "utf8");
    lines.length = 0;
    await writeFully(file, block);
    bytes += block.length;
  };
  try {
    const time = timeText(clock.nowMs());
    const heads = headList(state);
    const header = {
      segment,
      globalSequence: state.globalSequence,
      time,
      keyId: context.keys.keyId,
      previousSeal,
    };
    const { line, hash } = headerLine(context.logJson, { ...header, heads, open: openList(state) });
    tally.tree.push(hash);
    lines.push(line);
    await write();
    await file.datasync();
    await fs.syncDirectory(dir);
  } catch (fault) {
    await closeQuietly(file);
    throw fault;
  }
  return {
    segment,
    openedMs: clock.monotonicMs(),
    add: createAdd(context, state, tally, lines),
    write,
    datasync: () => file.datasync(),
    bytes: () => bytes,
    lines: () => tally.tree.size(),
    uncheckpointed: () => tally.tree.size() - checkpoints.covered(),
    checkpoint: () => checkpoints.write(null),
    seal: async (reason) => {
      const hash = await writeSeal(context, state, { segment, previousSeal, bytes, tally }, reason);
      await checkpoints.write(hash);
      await checkpoints.close();
      await file.close();
      return hash;
    },
    abandon: async () => {
      await checkpoints.abandon();
      await closeQuietly(file);
    },
  };
}
