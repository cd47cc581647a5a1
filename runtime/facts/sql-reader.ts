// SQL facts with a time limit: short text is judged on this thread, long text in a worker that is ended when it
// takes too long. Whatever goes wrong, the answer is "unknown", which denies.
import { Worker } from "node:worker_threads";
import { isJudgeable, loadSqlParser, readSql } from "./sql-parse.ts";
import { UNKNOWN_SQL } from "./sql-walk.ts";
import type { SqlFacts } from "./sql-walk.ts";

/** Longer text is judged off the main thread; 2 KB take at most a few milliseconds. */
const inlineMaxBytes = 2_048;
// The lexer takes time quadratic in a run of operator characters; no operator is longer than this.
const longOperatorRun = /[-+*/<>=~!@#%^&|`?]{64}/;
const defaultParseLimitMs = 100;
const startLimitMs = 5_000;
/** Statements waiting for the worker. */
const maxQueued = 64;

export interface SqlReader {
  /** Never throws or rejects: text that cannot be judged in time gives `UNKNOWN_SQL`. */
  readonly read: (sql: string, signal: AbortSignal) => SqlFacts | Promise<SqlFacts>;
  readonly dispose: () => void;
}

interface Job {
  readonly sql: string;
  readonly settle: (facts: SqlFacts) => void;
}

export interface SqlReaderOptions {
  /** Time the worker has for one statement. */
  readonly parseLimitMs?: number;
}

/** Loads the parser. Rejects where its wasm cannot be loaded. */
export async function createSqlReader(options: SqlReaderOptions = {}): Promise<SqlReader> {
  await loadSqlParser();
  const thread = new SqlThread(options.parseLimitMs ?? defaultParseLimitMs);
  return {
    read: (sql, signal) => {
      if (signal.aborted || !isJudgeable(sql)) return UNKNOWN_SQL;
      const isShort = Buffer.byteLength(sql) <= inlineMaxBytes && !longOperatorRun.test(sql);
      return isShort ? readSql(sql) : thread.read(sql, signal);
    },
    dispose: () => thread.dispose(),
  };
}

class SqlThread {
  readonly #queue: Job[] = [];
  #worker: Worker | undefined;
  #ready = false;
  #running: Job | undefined;
  #timer: NodeJS.Timeout | undefined;
  #disposed = false;
  readonly #parseLimitMs: number;

  constructor(parseLimitMs: number) {
    this.#parseLimitMs = parseLimitMs;
  }

  read(sql: string, signal: AbortSignal): Promise<SqlFacts> {
    if (this.#disposed || this.#queue.length >= maxQueued) return Promise.resolve(UNKNOWN_SQL);
    return new Promise((resolve) => {
      const onAbort = (): void => job.settle(UNKNOWN_SQL);
      const job: Job = {
        sql,
        settle: (facts) => {
          signal.removeEventListener("abort", onAbort);
          resolve(facts);
        },
      };
      signal.addEventListener("abort", onAbort, { once: true });
      this.#queue.push(job);
      this.#advance();
    });
  }

  dispose(): void {
    this.#disposed = true;
    this.#stop();
    for (const job of this.#queue.splice(0)) job.settle(UNKNOWN_SQL);
  }

  #advance(): void {
    if (this.#disposed || this.#running !== undefined || this.#queue.length === 0) return;
    if (this.#worker === undefined) this.#start();
    if (!this.#ready) return;
    this.#running = this.#queue.shift();
    if (this.#running === undefined) return;
    this.#armTimer(this.#parseLimitMs);
    this.#worker?.postMessage(this.#running.sql);
  }

  #start(): void {
    // Beside this file stands the worker as source, or as the built file of the same name.
    const file = import.meta.url.endsWith(".ts") ? "./sql-worker.ts" : "./sql-worker.js";
    const worker = new Worker(new URL(file, import.meta.url), {
      resourceLimits: { maxOldGenerationSizeMb: 128, stackSizeMb: 4 },
    });
    worker.unref();
    this.#worker = worker;
    this.#ready = false;
    this.#armTimer(startLimitMs);
    worker.on("message", (message: unknown) => this.#receive(worker, message));
    worker.on("error", () => this.#fail(worker));
    worker.on("exit", () => this.#fail(worker));
  }

  #receive(worker: Worker, message: unknown): void {
    if (worker !== this.#worker) return;
    clearTimeout(this.#timer);
    if (message === "ready") this.#ready = true;
    else this.#settleRunning(isFacts(message) ? message : UNKNOWN_SQL);
    this.#advance();
  }

  // Ends the thread; the statement it worked on is unknown, and the next one gets a new thread. A thread that does
  // not start fails every waiting statement, or a broken installation would be retried without end.
  #fail(worker: Worker): void {
    if (worker !== this.#worker) return;
    const started = this.#ready;
    this.#stop();
    if (!started) for (const job of this.#queue.splice(0)) job.settle(UNKNOWN_SQL);
    this.#advance();
  }

  #stop(): void {
    clearTimeout(this.#timer);
    const worker = this.#worker;
    this.#worker = undefined;
    this.#ready = false;
    worker?.terminate().catch(() => undefined);
    this.#settleRunning(UNKNOWN_SQL);
  }

  #settleRunning(facts: SqlFacts): void {
    const job = this.#running;
    this.#running = undefined;
    job?.settle(facts);
  }

  #armTimer(limitMs: number): void {
    const worker = this.#worker;
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => {
      if (worker !== undefined) this.#fail(worker);
    }, limitMs);
  }
}

function isFacts(message: unknown): message is SqlFacts {
  if (typeof message !== "object" || message === null) return false;
  const facts = message as Partial<Record<keyof SqlFacts, unknown>>;
  return (
    typeof facts.ok === "boolean" &&
    Array.isArray(facts.operations) &&
    Array.isArray(facts.tables) &&
    Array.isArray(facts.functions)
  );
}
