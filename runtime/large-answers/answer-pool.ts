// Large answers off the main thread: a bounded queue before a few workers. Whatever goes wrong, the call is denied.
import { createHash } from "node:crypto";
import { AegisError, isAegisError } from "#errors";
import { writeNames } from "#naming";
import type { NamedRoute } from "#naming";
import type { CompiledTransform } from "#transform";
import type {
  FinishPlan,
  Finished,
  Inspected,
  PlannedNames,
  PlannedTransform,
  WorkerReply,
} from "./protocol.ts";
import { LARGE_MESSAGE_BYTES } from "./protocol.ts";
import { WorkerSlot } from "./worker-slot.ts";
import type { SlotJob } from "./worker-slot.ts";

const MAX_QUEUED = 64;
const MAX_QUEUED_OF_SERVER = 32;
const MAX_QUEUED_BYTES = 256 * 1024 * 1024;
const DEFAULT_WORKERS = 2;
const DEFAULT_IDLE_MS = 30_000;
const DEFAULT_LIMIT_MS = 30_000;
/** Parsing the worst 16 MiB takes 370 MiB; a heap that is full ends the process and not only the thread. */
const HEAP_MEBIBYTES = 1_024;

export interface AnswerPoolOptions {
  readonly workers?: number;
  readonly idleMs?: number;
  /** Longest a job may take, waiting included, whatever its signal says. */
  readonly limitMs?: number;
  /** Script of the workers; by default the one that ships. */
  readonly entry?: URL;
}

export interface AnswerPool {
  readonly thresholdBytes: number;
  /**
   * Reads a message and gives it back unread, with what it is. Takes `input` over: its buffer may be detached.
   * @throws {AegisError} JSON_INVALID, MESSAGE_INVALID, MESSAGE_TOO_LARGE; RESULT_BLOCKED where no worker could do it;
   * the signal's reason
   */
  readonly inspect: (
    server: string,
    input: Uint8Array | string,
    maxBytes: number,
    signal: AbortSignal,
  ) => Promise<Inspected>;
  /**
   * Makes the caller's message. Takes `bytes` over.
   * @throws {AegisError} as `inspect`, and UPSTREAM_PROTOCOL, TRANSFORM_FAILED
   */
  readonly finish: (
    server: string,
    bytes: Uint8Array,
    plan: FinishPlan,
    signal: AbortSignal,
  ) => Promise<Finished | Extract<WorkerReply, { readonly kind: "denied" }>>;
  /** Thread ids of the workers alive. */
  readonly threads: () => readonly number[];
  /** Ends the workers; jobs under way and later ones are refused. */
  readonly dispose: () => void;
}

interface Job {
  readonly server: string;
  readonly bytes: number;
  readonly send: SlotJob["send"];
  readonly settle: (reply: WorkerReply | undefined) => void;
}

/** Starts nothing before the first large answer. */
export function createAnswerPool(options: AnswerPoolOptions = {}): AnswerPool {
  const queue = new JobQueue(options);
  const run = async (
    server: string,
    send: SlotJob["send"],
    bytes: number,
    signal: AbortSignal,
  ): Promise<WorkerReply> => {
    const reply = await queue.run({ server, send, bytes }, signal);
    if (reply.kind === "fault") throw new AegisError(reply.code, reply.detail);
    return reply;
  };
  return {
    thresholdBytes: LARGE_MESSAGE_BYTES,
    inspect: async (server, input, maxBytes, signal) => {
      const reply = await run(server, { kind: "inspect", input, maxBytes }, input.length, signal);
      if (reply.kind !== "inspected") throw blocked("a worker answered another question");
      return reply;
    },
    finish: async (server, bytes, plan, signal) => {
      const reply = await run(server, { kind: "finish", bytes, plan }, bytes.byteLength, signal);
      if (reply.kind !== "finished" && reply.kind !== "denied")
        throw blocked("a worker answered another question");
      return reply;
    },
    threads: queue.threads,
    dispose: queue.dispose,
  };
}

function blocked(detail: string): AegisError {
  return new AegisError("RESULT_BLOCKED", detail);
}

class JobQueue {
  readonly #slots: readonly WorkerSlot[];
  readonly #running = new Map<WorkerSlot, Job>();
  readonly #limitMs: number;
  #queue: Job[] = [];
  #queuedBytes = 0;
  #disposed = false;

  constructor(options: AnswerPoolOptions) {
    this.#limitMs = options.limitMs ?? DEFAULT_LIMIT_MS;
    const slot = (): WorkerSlot =>
      new WorkerSlot({
        idleMs: options.idleMs ?? DEFAULT_IDLE_MS,
        heapMebibytes: HEAP_MEBIBYTES,
        entry: options.entry,
        onFree: (freed, started) => this.#onFree(freed, started),
      });
    this.#slots = Array.from({ length: options.workers ?? DEFAULT_WORKERS }, slot);
  }

  readonly threads = (): readonly number[] =>
    this.#slots.flatMap((slot) => (slot.threadId === undefined ? [] : [slot.threadId]));

  run(work: Omit<Job, "settle">, signal: AbortSignal): Promise<WorkerReply> {
    return new Promise((resolve, reject) => {
      if (signal.aborted) return reject(abortError(signal));
      if (this.#disposed) return reject(blocked("the gateway is stopping"));
      if (!this.#hasRoom(work)) return reject(blocked("too many large answers wait"));
      let cause: AegisError | undefined;
      const give = (why: AegisError): void => {
        cause = why;
        this.#drop(job);
      };
      const onAbort = (): void => give(abortError(signal));
      const timer = setTimeout(() => give(blocked("a large answer took too long")), this.#limitMs);
      const job: Job = {
        ...work,
        settle: (reply) => {
          clearTimeout(timer);
          signal.removeEventListener("abort", onAbort);
          if (reply === undefined) reject(cause ?? blocked("the worker of a large answer ended"));
          else resolve(reply);
        },
      };
      signal.addEventListener("abort", onAbort, { once: true });
      this.#queue.push(job);
      this.#queuedBytes += job.bytes;
      this.#advance();
    });
  }

  readonly dispose = (): void => {
    this.#disposed = true;
    const waiting = this.#takeAll();
    for (const slot of this.#slots) slot.stop();
    for (const job of waiting) job.settle(undefined);
  };

  #hasRoom({ server, bytes }: Omit<Job, "settle">): boolean {
    if (this.#queue.length >= MAX_QUEUED || this.#queuedBytes + bytes > MAX_QUEUED_BYTES) return false;
    return this.#queue.filter((job) => job.server === server).length < MAX_QUEUED_OF_SERVER;
  }

  /** Takes a job out of the queue, or ends the worker that is at it. */
  #drop(job: Job): void {
    const at = this.#queue.indexOf(job);
    if (at !== -1) {
      this.#queue.splice(at, 1);
      this.#queuedBytes -= job.bytes;
      job.settle(undefined);
      return;
    }
    for (const [slot, running] of this.#running) {
      if (running !== job) continue;
      slot.stop();
      this.#advance();
    }
  }

  #advance(): void {
    if (this.#disposed) return;
    for (const slot of this.#slots) {
      if (slot.state !== "free") continue;
      const job = this.#next();
      if (job === undefined) return;
      this.#assign(slot, job);
    }
    // One start at a time for each job that could run at once.
    const starting = this.#slots.filter((slot) => slot.state === "starting").length;
    const wanted = Math.min(this.#runnable(), this.#slots.length) - starting;
    for (const slot of this.#slots.filter(({ state }) => state === "off").slice(0, Math.max(0, wanted)))
      slot.start();
  }

  /** How many jobs of the queue could run now if there were workers. */
  #runnable(): number {
    const busy = this.#busyServers();
    if (this.#slots.length === 1) return this.#queue.length;
    return new Set(this.#queue.flatMap((job) => (busy.has(job.server) ? [] : [job.server]))).size;
  }

  #busyServers(): Set<string> {
    return new Set([...this.#running.values()].map((job) => job.server));
  }

  /** One server never holds every worker: its large answers are read one after the other. */
  #next(): Job | undefined {
    const busy = this.#busyServers();
    const at = this.#queue.findIndex((job) => this.#slots.length === 1 || !busy.has(job.server));
    const [job] = at === -1 ? [] : this.#queue.splice(at, 1);
    if (job !== undefined) this.#queuedBytes -= job.bytes;
    return job;
  }

  #assign(slot: WorkerSlot, job: Job): void {
    this.#running.set(slot, job);
    const settle = (reply: WorkerReply | undefined): void => {
      this.#running.delete(slot);
      job.settle(reply);
    };
    slot.run({ send: job.send, settle });
  }

  /** A worker that does not start fails every waiting job, or a broken installation would be retried without end. */
  #onFree(slot: WorkerSlot, started: boolean): void {
    if (!started && slot.state === "off") {
      for (const job of this.#takeAll()) job.settle(undefined);
      return;
    }
    this.#advance();
  }

  #takeAll(): readonly Job[] {
    const waiting = this.#queue;
    this.#queue = [];
    this.#queuedBytes = 0;
    return waiting;
  }
}

function abortError(signal: AbortSignal): AegisError {
  const reason: unknown = signal.reason;
  return isAegisError(reason)
    ? reason
    : new AegisError("EXCHANGE_ABORTED", "the exchange ended while a large answer was read", {
        cause: reason,
      });
}

type SentRoute = Pick<PlannedNames, "digest" | "routeJson">;
const sentRoutes = new WeakMap<NamedRoute["names"], SentRoute>();

/** The names of an endpoint as workers get them; their text and digest are made once for each release. */
export function planNames(route: NamedRoute, server: string, method: string): PlannedNames {
  let sent = sentRoutes.get(route.names);
  if (sent === undefined) {
    const routeJson = writeNames(route);
    sent = { digest: createHash("sha256").update(routeJson).digest("hex"), routeJson };
    sentRoutes.set(route.names, sent);
  }
  return { ...sent, server, method };
}

type SentEntry = Pick<PlannedTransform, "digest" | "entryJson">;
const sentEntries = new WeakMap<CompiledTransform, SentEntry>();

/** The transform as workers get it; its text and digest are made once. */
export function planTransform(compiled: CompiledTransform, hashKey: Uint8Array): PlannedTransform {
  let sent = sentEntries.get(compiled);
  if (sent === undefined) {
    const entryJson = JSON.stringify(compiled.entry);
    sent = { digest: createHash("sha256").update(entryJson).digest("hex"), entryJson };
    sentEntries.set(compiled, sent);
  }
  return { ...sent, hashKey };
}
