// One place for an answer worker: starts it when there is work, ends it when it idles, and replaces it when a job has
// to be cut off, which only the end of the thread can do.
import { Worker } from "node:worker_threads";
import type { TransferListItem } from "node:worker_threads";
import type { FinishPlan, SentPlan, WorkerReply, WorkerRequest } from "./protocol.ts";

const START_LIMIT_MS = 10_000;
/** Transforms and names of endpoints that a worker keeps compiled. */
const MAX_COMPILED = 256;

export interface SlotOptions {
  /** An idle worker is ended after this time, and its memory returned. */
  readonly idleMs: number;
  readonly heapMebibytes: number;
  /** Script of the worker; by default the one beside this module. */
  readonly entry: URL | undefined;
  /** The slot can take a job, or failed to start. */
  readonly onFree: (slot: WorkerSlot, started: boolean) => void;
}

export interface SlotJob {
  readonly send:
    { readonly kind: "inspect"; readonly input: Uint8Array | string; readonly maxBytes: number } | FinishJob;
  /** Called once; undefined where the worker ended first. */
  readonly settle: (reply: WorkerReply | undefined) => void;
}

export interface FinishJob {
  readonly kind: "finish";
  readonly bytes: Uint8Array;
  readonly plan: FinishPlan;
}

export class WorkerSlot {
  readonly #options: SlotOptions;
  readonly #known = new Set<string>();
  #worker: Worker | undefined;
  #ready = false;
  #job: SlotJob | undefined;
  #timer: NodeJS.Timeout | undefined;

  constructor(options: SlotOptions) {
    this.#options = options;
  }

  get state(): "off" | "starting" | "free" | "busy" {
    if (this.#worker === undefined) return "off";
    if (!this.#ready) return "starting";
    return this.#job === undefined ? "free" : "busy";
  }

  get threadId(): number | undefined {
    return this.#worker?.threadId;
  }

  start(): void {
    const worker = new Worker(this.#options.entry ?? defaultEntry(), {
      env: {},
      resourceLimits: { maxOldGenerationSizeMb: this.#options.heapMebibytes, stackSizeMb: 4 },
    });
    this.#worker = worker;
    this.#ready = false;
    this.#arm(START_LIMIT_MS);
    worker.on("message", (reply: WorkerReply) => this.#receive(worker, reply));
    worker.on("messageerror", () => this.#lose(worker));
    worker.on("error", () => this.#lose(worker));
    worker.on("exit", () => this.#lose(worker));
  }

  /** Only where the slot is free. */
  run(job: SlotJob): void {
    clearTimeout(this.#timer);
    this.#job = job;
    const worker = this.#worker;
    if (worker === undefined) return this.stop();
    worker.ref();
    try {
      const { message, transfer } = this.#compose(job.send);
      worker.postMessage(message, transfer);
    } catch {
      // Bytes that cannot be handed over: the job fails, and the worker's memory of transforms is no longer certain.
      this.#lose(worker);
    }
  }

  /** Ends the worker at once. The job it had is settled without a reply. */
  stop(): void {
    clearTimeout(this.#timer);
    const worker = this.#worker;
    const job = this.#job;
    this.#worker = undefined;
    this.#job = undefined;
    this.#ready = false;
    this.#known.clear();
    worker?.terminate().catch(() => undefined);
    job?.settle(undefined);
  }

  #compose(send: SlotJob["send"]): {
    readonly message: WorkerRequest;
    readonly transfer: readonly TransferListItem[];
  } {
    if (send.kind === "inspect") {
      if (typeof send.input === "string") return { message: send, transfer: [] };
      const input = exclusive(send.input);
      return { message: { ...send, input }, transfer: [input.buffer as ArrayBuffer] };
    }
    const bytes = exclusive(send.bytes);
    const message: WorkerRequest = { kind: "finish", bytes, plan: this.#sent(send.plan) };
    return { message, transfer: [bytes.buffer as ArrayBuffer] };
  }

  #sent(plan: FinishPlan): SentPlan {
    const { transform, names, translation, ...rest } = plan;
    const wanted = [transform?.digest, names?.digest].filter((digest) => digest !== undefined);
    const missing = wanted.filter((digest) => !this.#known.has(digest));
    const forget = this.#known.size + missing.length > MAX_COMPILED;
    if (forget) this.#known.clear();
    const isSent = (digest: string): boolean => forget || missing.includes(digest);
    for (const digest of wanted) this.#known.add(digest);
    const sent = {
      ...rest,
      ...(translation === undefined ? {} : { translationJson: JSON.stringify(translation) }),
      forget,
      transform: transform && {
        ...transform,
        entryJson: isSent(transform.digest) ? transform.entryJson : undefined,
      },
    };
    if (names === undefined) return sent;
    return { ...sent, names: { ...names, routeJson: isSent(names.digest) ? names.routeJson : undefined } };
  }

  #receive(worker: Worker, reply: WorkerReply): void {
    if (worker !== this.#worker) return;
    const job = this.#job;
    if (reply.kind === "ready") this.#ready = true;
    this.#job = undefined;
    worker.unref();
    this.#arm(this.#options.idleMs);
    if (reply.kind !== "ready") job?.settle(reply);
    this.#options.onFree(this, true);
  }

  #lose(worker: Worker): void {
    if (worker !== this.#worker) return;
    const started = this.#ready;
    this.stop();
    this.#options.onFree(this, started);
  }

  #arm(limitMs: number): void {
    const worker = this.#worker;
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => {
      if (worker !== undefined) this.#lose(worker);
    }, limitMs);
    this.#timer.unref();
  }
}

/** Beside this file stands the worker as source, or as the built file of the same name. */
function defaultEntry(): URL {
  const file = import.meta.url.endsWith(".ts") ? "./answer-worker.ts" : "./answer-worker.js";
  return new URL(file, import.meta.url);
}

/** The bytes in a buffer that holds nothing else, so that it can be transferred. */
function exclusive(bytes: Uint8Array): Uint8Array {
  return bytes.byteLength === bytes.buffer.byteLength && bytes.buffer instanceof ArrayBuffer
    ? new Uint8Array(bytes.buffer)
    : new Uint8Array(bytes);
}
