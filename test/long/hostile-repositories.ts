// Every hostile repository against `aegis check` as a process, with time and memory measured.
import { HOSTILE_REPOSITORIES } from "../unit/compiler/hostile/hostile-repositories.ts";
import { faultsOf, measureCheck } from "../unit/compiler/hostile/measured-check.ts";

export interface HostileReport {
  readonly repositories: number;
  readonly faults: readonly string[];
  /** The slowest and the largest. */
  readonly mostCpuMs: number;
  readonly mostBytes: number;
}

/** Checks the first `count` of them. */
export async function run(count: number, onProgress: (done: number) => void): Promise<HostileReport> {
  const faults: string[] = [];
  let mostCpuMs = 0;
  let mostBytes = 0;
  const chosen = HOSTILE_REPOSITORIES.slice(0, count);
  for (const [index, repository] of chosen.entries()) {
    const measured = await measureCheck(repository);
    faults.push(...faultsOf(repository, measured).map((fault) => `${repository.name}: ${fault}`));
    mostCpuMs = Math.max(mostCpuMs, measured.cpuMs);
    mostBytes = Math.max(mostBytes, measured.peakBytes);
    onProgress(index + 1);
  }
  return { repositories: chosen.length, faults, mostCpuMs, mostBytes };
}
