// Sends statements to the PostgreSQL of `postgres-worker.ts`, each with a time limit.
import { once } from "node:events";
import { Worker } from "node:worker_threads";
import type { Mode, Run } from "./postgres-worker.ts";

export type Judged = Run | { readonly outcome: "timeout"; readonly effects: readonly string[] };

export interface Postgres {
  /** `fresh`: on a new copy of the database. */
  readonly run: (sql: string, mode: Mode, fresh?: boolean) => Promise<Judged>;
  readonly close: () => Promise<void>;
}

export const STATEMENT_LIMIT_MS = 4_000;

async function start(): Promise<Worker> {
  const worker = new Worker(new URL("./postgres-worker.ts", import.meta.url));
  await once(worker, "message");
  return worker;
}

/** One statement at a time. A statement that takes too long ends the database it ran in. */
export async function startPostgres(): Promise<Postgres> {
  let worker = await start();
  return {
    run: async (sql, mode, fresh = false) => {
      const limit = AbortSignal.timeout(STATEMENT_LIMIT_MS);
      const answer = once(worker, "message", { signal: limit });
      worker.postMessage({ sql, mode, fresh });
      try {
        const [result] = (await answer) as [Run];
        return result;
      } catch (cause) {
        if (!limit.aborted) throw cause;
        await worker.terminate();
        worker = await start();
        return { outcome: "timeout", effects: [] };
      }
    },
    close: async () => {
      await worker.terminate();
    },
  };
}
