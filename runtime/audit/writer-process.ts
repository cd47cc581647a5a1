// The audit log with its writer in a process of its own, so that neither the death nor the garbage of one stops the other.
// Nothing is acknowledged that the writer has not made durable; when it dies, what waits is refused and a new one recovers.
import type { ChildProcess } from "node:child_process";
import { spawn } from "node:child_process";
import { Socket } from "node:net";
import { fileURLToPath } from "node:url";
import { AegisError } from "#errors";
import { IdTable } from "#std";
import { AuditStartError } from "./audit-errors.ts";
import { loadAuditKeys } from "./audit-keys.ts";
import type { AuditEvent, AuditReceipt, AuditStats, ObservableAuditLog } from "./audit-log.ts";
import type { AuditLogOptions, AuditSettings } from "./audit-options.ts";
import { auditSettings } from "./audit-options.ts";
import type { ChainHead } from "./chain.ts";
import { headObject, pendingRecord } from "./in-process-log.ts";
import { MAX_RECORD_BYTES } from "./record-format.ts";
import type { StartFailure, WriterReply } from "./writer-messages.ts";
import { decodeReply, encodeRequest, lineSplitter } from "./writer-messages.ts";

const RESTART_FIRST_DELAY_MS = 20;
const RESTART_MAX_DELAY_MS = 1_000;
/** A writer that lived this long was healthy: its end does not lengthen the next delay. */
const HEALTHY_AFTER_MS = 5_000;
const START_TIMEOUT_MS = 60_000;
const CLOSE_TIMEOUT_MS = 15_000;
/** A record that is not durable by then: the writer hangs, and is ended. */
const ACKNOWLEDGE_TIMEOUT_MS = 10_000;
const WATCH_INTERVAL_MS = 1_000;
const WRITER_HEAP_MEBIBYTES = 256;

export interface AuditProcessOptions extends Omit<AuditLogOptions, "fs" | "clock"> {
  /** Script of the writer process; by default the one beside this module. */
  readonly writerEntry?: string;
  /** Longest pause before a writer that ended is replaced; default 1,000. */
  readonly restartMaxDelayMs?: number;
  /**
   * Told, once each time, why the log stopped taking records: its writer ended or cannot be started again, the disk is
   * full or failed. Must not throw.
   */
  readonly onFault?: (detail: string) => void;
  /** Told when it takes records again. Must not throw. */
  readonly onRecovered?: () => void;
}

export interface AuditProcessLog extends ObservableAuditLog {
  /** Process id of the present writer; undefined between two. */
  readonly writerPid: () => number | undefined;
  /** Resolves once the log is writable. Rejects with the signal's reason. */
  readonly whenWritable: (signal: AbortSignal) => Promise<void>;
}

interface Waiting {
  readonly tenant: string;
  readonly bytes: number;
  readonly sinceMs: number;
  readonly resolve: (receipt: AuditReceipt) => void;
  readonly reject: (fault: AegisError) => void;
}

interface Supervisor {
  readonly settings: AuditSettings;
  readonly entry: string;
  readonly onCheckpoint: ((line: string) => void) | undefined;
  readonly onFault: ((detail: string) => void) | undefined;
  readonly onRecovered: (() => void) | undefined;
  /** What was told last; undefined where the log takes records. */
  toldFault: string | undefined;
  readonly pending: IdTable<Waiting>;
  readonly heads: Map<string, ChainHead>;
  readonly writableWaiters: Set<() => void>;
  child: ChildProcess | undefined;
  socket: Socket | undefined;
  ready: boolean;
  writerFault: string | undefined;
  stats: AuditStats;
  outbox: string[];
  /** When the oldest record in the outbox came. */
  outboxSinceMs: number;
  readonly flush: () => void;
  pendingBytes: number;
  nextId: number;
  failures: number;
  readonly restartMaxDelayMs: number;
  restartDelayMs: number;
  restartTimer: NodeJS.Timeout | undefined;
  watch: NodeJS.Timeout | undefined;
  /** Id of the record that was overdue at the last look. */
  late: number | undefined;
  /** True once the first writer was ready: from then on one that ends is replaced. */
  supervised: boolean;
  closing: Promise<void> | undefined;
}

const NO_STATS: AuditStats = {
  queuedRecords: 0,
  queuedBytes: 0,
  segment: 0,
  segmentBytes: 0,
  appendedRecords: 0,
  failures: 0,
};

function unavailable(detail: string): AegisError {
  return new AegisError("AUDIT_UNAVAILABLE", detail);
}

function defaultEntry(): string {
  const extension = import.meta.url.endsWith(".ts") ? "ts" : "js";
  return fileURLToPath(new URL(`./audit-writer.${extension}`, import.meta.url));
}

function faultOf(supervisor: Supervisor): string | undefined {
  if (supervisor.closing !== undefined) return "closed";
  return supervisor.ready ? supervisor.writerFault : "no audit writer";
}

/** Tells of a change of state; `detail` says more than the fault does. */
function announceState(supervisor: Supervisor, detail?: string): void {
  const fault = faultOf(supervisor);
  const told = supervisor.toldFault;
  supervisor.toldFault = fault === undefined ? undefined : (detail ?? told ?? fault);
  if (supervisor.supervised && supervisor.closing === undefined && supervisor.toldFault !== told) {
    if (supervisor.toldFault === undefined) supervisor.onRecovered?.();
    else supervisor.onFault?.(supervisor.toldFault);
  }
  if (fault !== undefined) return;
  for (const waiter of supervisor.writableWaiters) waiter();
  supervisor.writableWaiters.clear();
}

// ── one writer ────────────────────────────────────────────────────────────────────────────────────────────────

function settle(supervisor: Supervisor, id: number): Waiting | undefined {
  const waiting = supervisor.pending.take(id);
  if (waiting === undefined) return undefined;
  supervisor.pendingBytes -= waiting.bytes;
  return waiting;
}

function startFault(failure: StartFailure): AuditStartError | AegisError {
  const { code, file, line, detail } = failure;
  return code === "AUDIT_UNAVAILABLE" ? unavailable(detail) : new AuditStartError(code, file, line, detail);
}

interface Attempt {
  readonly ready: () => void;
  readonly failed: (fault: AuditStartError | AegisError) => void;
}

function takeReply(supervisor: Supervisor, reply: WriterReply, attempt: Attempt): void {
  switch (reply.kind) {
    case "durable": {
      const waiting = settle(supervisor, reply.id);
      if (waiting === undefined) return;
      const { sequence, hash } = reply;
      supervisor.heads.set(waiting.tenant, { sequence, hash });
      waiting.resolve({ tenant: waiting.tenant, sequence, hash });
      return;
    }
    case "refused":
      settle(supervisor, reply.id)?.reject(unavailable(reply.detail));
      return;
    case "ready":
      for (const [tenant, sequence, hash] of reply.heads) supervisor.heads.set(tenant, { sequence, hash });
      attempt.ready();
      return;
    case "failed":
      attempt.failed(startFault(reply.failure));
      return;
    case "state":
      supervisor.writerFault = reply.state.fault ?? undefined;
      supervisor.stats = reply.state.stats;
      announceState(supervisor);
      return;
    case "checkpoint":
      supervisor.onCheckpoint?.(reply.line);
      return;
    case "closed":
      if (reply.fault !== null) supervisor.writerFault = reply.fault;
      return;
  }
}

function refusePending(supervisor: Supervisor): void {
  const refused = supervisor.pending.ids().map((id) => supervisor.pending.get(id));
  supervisor.pending.clear();
  supervisor.pendingBytes = 0;
  supervisor.outbox = [];
  for (const waiting of refused)
    waiting?.reject(unavailable("the audit writer ended before the record was durable"));
}

function spawnWriter(supervisor: Supervisor): { readonly child: ChildProcess; readonly socket: Socket } {
  const flags = [
    "--disable-warning=ExperimentalWarning",
    "--disallow-code-generation-from-strings",
    `--max-old-space-size=${String(WRITER_HEAP_MEBIBYTES)}`,
  ];
  const child = spawn(process.execPath, [...flags, supervisor.entry], {
    stdio: ["ignore", "ignore", "inherit", "pipe"],
    env: {},
  });
  const channel = child.stdio[3];
  if (!(channel instanceof Socket))
    throw new Error("invariant violated: descriptor 3 of the writer is a socket");
  return { child, socket: channel };
}

/** Starts a writer; settles once it is ready or cannot be. */
function startWriter(supervisor: Supervisor): Promise<void> {
  return new Promise((resolve, reject) => {
    const { child, socket } = spawnWriter(supervisor);
    const startedMs = performance.now();
    let wasReady = false;
    supervisor.child = child;
    supervisor.socket = socket;
    supervisor.writerFault = undefined;
    const timeout = setTimeout(() => child.kill("SIGKILL"), START_TIMEOUT_MS);
    const attempt: Attempt = {
      ready: () => {
        clearTimeout(timeout);
        wasReady = true;
        supervisor.ready = true;
        announceState(supervisor);
        resolve();
      },
      failed: reject,
    };
    const split = lineSplitter((line) => takeReply(supervisor, decodeReply(line), attempt));
    socket.on("data", (chunk: Buffer) => {
      try {
        split(chunk);
      } catch {
        child.kill("SIGKILL");
      }
    });
    // A write to a writer that just died; its end is handled below.
    socket.on("error", () => undefined);
    child.on("exit", () => {
      supervisor.ready = false;
    });
    let ended = false;
    const end = (detail: string): void => {
      if (ended) return;
      ended = true;
      clearTimeout(timeout);
      writerEnded(supervisor, performance.now() - startedMs > HEALTHY_AFTER_MS);
      announceState(supervisor, wasReady ? detail : undefined);
      reject(unavailable(`${detail} before it was ready`));
    };
    // `close` comes after the last reply was read, so that a durable record is never reported as lost.
    child.on("close", (code, signal) => end(`the audit writer ended (${signal ?? `code ${String(code)}`})`));
    child.on("error", (fault) => end(`the audit writer could not be started: ${fault.message}`));
    socket.write(encodeRequest({ kind: "start", settings: supervisor.settings }));
  });
}

function writerEnded(supervisor: Supervisor, healthy: boolean): void {
  supervisor.ready = false;
  supervisor.child = undefined;
  supervisor.socket = undefined;
  refusePending(supervisor);
  if (supervisor.closing !== undefined) return;
  supervisor.failures += 1;
  if (healthy) supervisor.restartDelayMs = RESTART_FIRST_DELAY_MS;
  if (supervisor.supervised) scheduleRestart(supervisor);
}

// ── restart ───────────────────────────────────────────────────────────────────────────────────────────────────

function scheduleRestart(supervisor: Supervisor): void {
  clearTimeout(supervisor.restartTimer);
  supervisor.restartTimer = setTimeout(() => {
    // A start that fails ends its process, and that schedules the next.
    startWriter(supervisor).catch((fault: unknown) =>
      announceState(supervisor, fault instanceof Error ? fault.message : String(fault)),
    );
  }, supervisor.restartDelayMs);
  supervisor.restartDelayMs = Math.min(supervisor.restartDelayMs * 2, supervisor.restartMaxDelayMs);
}

/**
 * Ends a writer that hangs. Only at the second look: where it was this process that stood still, the answer lies
 * unread, and is read before the next one.
 */
function watchPending(supervisor: Supervisor): void {
  const [id] = supervisor.pending.ids();
  const oldest = id === undefined ? undefined : supervisor.pending.get(id);
  const isLate = oldest !== undefined && performance.now() - oldest.sinceMs >= ACKNOWLEDGE_TIMEOUT_MS;
  if (isLate && supervisor.late === id) supervisor.child?.kill("SIGKILL");
  supervisor.late = isLate ? id : undefined;
}

// ── appends ───────────────────────────────────────────────────────────────────────────────────────────────────

function flush(supervisor: Supervisor): void {
  const text = supervisor.outbox.join("");
  supervisor.outbox = [];
  supervisor.socket?.write(text);
}

function append(supervisor: Supervisor, event: AuditEvent): Promise<AuditReceipt> {
  return new Promise((resolve, reject) => {
    const fault = faultOf(supervisor);
    if (fault !== undefined) throw unavailable(`the audit log is not writable: ${fault}`);
    const record = pendingRecord(event);
    const bytes = Buffer.byteLength(record.bodyJson);
    const { queueMaxRecords, queueMaxBytes } = supervisor.settings;
    if (bytes > MAX_RECORD_BYTES) throw unavailable(`an audit record of ${String(bytes)} bytes is too long`);
    if (supervisor.pending.size >= queueMaxRecords || supervisor.pendingBytes + bytes > queueMaxBytes) {
      throw unavailable("the audit queue is full");
    }
    if (supervisor.outbox.length === 0) {
      supervisor.outboxSinceMs = performance.now();
      setImmediate(supervisor.flush);
    }
    const id = supervisor.nextId;
    supervisor.nextId += 1;
    const { outboxSinceMs: sinceMs } = supervisor;
    supervisor.pending.set(id, { tenant: event.tenant, bytes, sinceMs, resolve, reject });
    supervisor.pendingBytes += bytes;
    supervisor.outbox.push(encodeRequest({ kind: "append", id, record }));
  });
}

// ── end ───────────────────────────────────────────────────────────────────────────────────────────────────────

async function closeProcess(supervisor: Supervisor): Promise<void> {
  clearTimeout(supervisor.restartTimer);
  clearInterval(supervisor.watch);
  const { child, socket } = supervisor;
  if (child === undefined || socket === undefined)
    throw unavailable("the audit log was closed without a writer");
  flush(supervisor);
  socket.write(encodeRequest({ kind: "close" }));
  const timeout = setTimeout(() => child.kill("SIGKILL"), CLOSE_TIMEOUT_MS);
  const code = await new Promise<number | null>((resolve) => child.once("close", resolve));
  clearTimeout(timeout);
  refusePending(supervisor);
  if (code !== 0) throw unavailable("the audit writer ended before the log was sealed");
  if (supervisor.writerFault !== undefined)
    throw unavailable(`the audit log was not sealed: ${supervisor.writerFault}`);
}

function whenWritable(supervisor: Supervisor, signal: AbortSignal): Promise<void> {
  if (faultOf(supervisor) === undefined) return Promise.resolve();
  return new Promise((resolve, reject) => {
    const onAbort = (): void => {
      supervisor.writableWaiters.delete(onWritable);
      reject(signal.reason as Error);
    };
    const onWritable = (): void => {
      signal.removeEventListener("abort", onAbort);
      resolve();
    };
    if (signal.aborted) return onAbort();
    signal.addEventListener("abort", onAbort, { once: true });
    supervisor.writableWaiters.add(onWritable);
  });
}

function createSupervisor(options: AuditProcessOptions): Supervisor {
  const { writerEntry, onCheckpoint, onFault, onRecovered, ...rest } = options;
  const { restartMaxDelayMs = RESTART_MAX_DELAY_MS, ...given } = rest;
  const supervisor: Supervisor = {
    settings: auditSettings(given),
    entry: writerEntry ?? defaultEntry(),
    onCheckpoint,
    onFault,
    onRecovered,
    toldFault: undefined,
    pending: new IdTable(),
    heads: new Map(),
    writableWaiters: new Set(),
    child: undefined,
    socket: undefined,
    ready: false,
    writerFault: undefined,
    stats: NO_STATS,
    outbox: [],
    outboxSinceMs: 0,
    flush: () => flush(supervisor),
    pendingBytes: 0,
    nextId: 1,
    failures: 0,
    restartMaxDelayMs,
    restartDelayMs: Math.min(RESTART_FIRST_DELAY_MS, restartMaxDelayMs),
    restartTimer: undefined,
    watch: undefined,
    late: undefined,
    supervised: false,
    closing: undefined,
  };
  return supervisor;
}

/**
 * Opens an audit log whose writer is a child process. A writer that dies is replaced, with a growing delay between attempts.
 * @throws {AuditStartError} AUDIT_CORRUPT, AUDIT_LOCKED, AUDIT_STATE_INVALID
 * @throws {AegisError} AUDIT_UNAVAILABLE where the writer cannot be started
 */
export async function createAuditProcess(options: AuditProcessOptions): Promise<AuditProcessLog> {
  const supervisor = createSupervisor(options);
  const { fingerprint } = loadAuditKeys(options.stateDir);
  await startWriter(supervisor);
  supervisor.supervised = true;
  supervisor.watch = setInterval(() => watchPending(supervisor), WATCH_INTERVAL_MS);
  supervisor.watch.unref();
  return {
    append: (event) => append(supervisor, event),
    writable: () => faultOf(supervisor) === undefined,
    fault: () => faultOf(supervisor),
    heads: () => headObject(supervisor.heads),
    fingerprint,
    stats: () => ({
      ...supervisor.stats,
      queuedRecords: supervisor.pending.size,
      queuedBytes: supervisor.pendingBytes,
      failures: supervisor.stats.failures + supervisor.failures,
    }),
    close: () => (supervisor.closing ??= closeProcess(supervisor)),
    writerPid: () => (supervisor.ready ? supervisor.child?.pid : undefined),
    whenWritable: (signal) => whenWritable(supervisor, signal),
  };
}
