// Append and group commit alone: no chain, no hash, no queue rules. The floor that the audit log's own cost is measured from.
import { nodeAuditFs, writeFully } from "./audit-fs.ts";

export interface AppendOnlyOptions {
  /** File to append to; made if absent. */
  readonly path: string;
  readonly recordBytes: number;
  readonly inFlight: number;
  readonly durationMs: number;
  /** False leaves out the fdatasync. */
  readonly sync: boolean;
}

export interface AppendOnlyResult {
  readonly recordsPerSecond: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
  readonly p999Ms: number;
}

function quantile(sorted: Float64Array, fraction: number): number {
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * fraction))] ?? 0;
}

/** Runs `inFlight` callers in a closed loop for `durationMs`, each waiting for its record to be durable before the next. */
export async function appendOnlyArm(options: AppendOnlyOptions): Promise<AppendOnlyResult> {
  const file = await nodeAuditFs.open(options.path, "append");
  const record = Buffer.alloc(options.recordBytes, "x");
  const latencies: number[] = [];
  const startMs = performance.now();
  try {
    let waiting: number[] = Array.from({ length: options.inFlight }, () => startMs);
    while (performance.now() - startMs < options.durationMs) {
      const batch = waiting;
      waiting = [];
      await writeFully(file, Buffer.concat(batch.map(() => record)));
      if (options.sync) await file.datasync();
      const nowMs = performance.now();
      for (const sinceMs of batch) {
        latencies.push(nowMs - sinceMs);
        waiting.push(nowMs);
      }
    }
  } finally {
    await file.close();
  }
  const elapsedSeconds = (performance.now() - startMs) / 1_000;
  const sorted = Float64Array.from(latencies).sort();
  return {
    recordsPerSecond: Math.round(sorted.length / elapsedSeconds),
    p50Ms: quantile(sorted, 0.5),
    p99Ms: quantile(sorted, 0.99),
    p999Ms: quantile(sorted, 0.999),
  };
}
