// Kills the audit writer alone, again and again, under load. After each kill the log verifies clean, and at the end every record that was
// ever acknowledged is in it. Run as a script: `node test/long/audit-writer-kill.ts [kills]`.
import { createReadStream, mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { setTimeout as delay } from "node:timers/promises";
import { pathToFileURL } from "node:url";
import type { AuditProcessLog } from "#audit";
import { createAuditProcess, verifyAuditLog } from "#audit";
import { seededRandom } from "../unit/audit/seeded-random.ts";

export interface KillOptions {
  readonly kills: number;
  readonly inFlight: number;
  readonly seed: number;
}

export interface KillReport {
  readonly kills: number;
  readonly acknowledged: number;
  readonly refused: number;
  /** Acknowledged, but not in the log. Must be 0. */
  readonly lost: number;
  /** Outcome of the verifier after each kill that was not `clean`. Must be empty. */
  readonly unclean: readonly string[];
  /** Codes of refusals other than AUDIT_UNAVAILABLE. Must be empty. */
  readonly strangeCodes: readonly string[];
  readonly records: number;
  readonly openDecisions: number;
}

const RECOVERY_TIMEOUT_MS = 30_000;
const MAX_PAUSE_MS = 40;

interface Load {
  readonly acknowledged: Set<string>;
  readonly strangeCodes: Set<string>;
  refused: number;
  paused: boolean;
  stopped: boolean;
}

async function attempt(
  log: AuditProcessLog,
  load: Load,
  id: string,
  event: "decision" | "result",
): Promise<boolean> {
  const body = event === "decision" ? { id, effect: "allow", policies: ["p"] } : { id, outcome: "result" };
  try {
    await log.append({ tenant: `tenant-${id.slice(0, 1)}`, event, body });
    load.acknowledged.add(`${event} ${id}`);
    return true;
  } catch (fault) {
    load.refused += 1;
    const code = fault instanceof Error && "code" in fault ? String(fault.code) : String(fault);
    if (code !== "AUDIT_UNAVAILABLE") load.strangeCodes.add(code);
    return false;
  }
}

async function caller(log: AuditProcessLog, load: Load, name: string): Promise<void> {
  for (let call = 0; !load.stopped; call += 1) {
    if (load.paused || !log.writable()) {
      await delay(1);
      continue;
    }
    const id = `${name}-${String(call)}`;
    if (await attempt(log, load, id, "decision")) await attempt(log, load, id, "result");
  }
}

async function killOnce(
  log: AuditProcessLog,
  load: Load,
  dir: string,
  pauseMs: number,
): Promise<string | undefined> {
  await delay(pauseMs);
  const pid = log.writerPid();
  if (pid === undefined) return "no writer to kill";
  process.kill(pid, "SIGKILL");
  load.paused = true;
  // The death must be noticed before the next writer can be waited for.
  while (log.writerPid() === pid) await delay(1);
  await log.whenWritable(AbortSignal.timeout(RECOVERY_TIMEOUT_MS));
  while (log.stats().queuedRecords > 0) await delay(1);
  const verdict = await verifyAuditLog({ dir });
  load.paused = false;
  return verdict.outcome === "clean" ? undefined : `${verdict.outcome}: ${JSON.stringify(verdict.firstBad)}`;
}

async function idsInLog(dir: string): Promise<Set<string>> {
  const found = new Set<string>();
  for (const name of readdirSync(dir).filter((file) => /^segment-\d+\.jsonl$/.test(file))) {
    for await (const line of createInterface({ input: createReadStream(join(dir, name)) })) {
      const { ev, body } = JSON.parse(line) as { ev?: string; body?: { id?: string } };
      if (ev !== undefined) found.add(`${ev} ${body?.id ?? ""}`);
    }
  }
  return found;
}

/** Runs the proof. */
export async function run(options: KillOptions): Promise<KillReport> {
  const root = mkdtempSync(join(tmpdir(), "aegis-audit-kill-"));
  const dir = join(root, "log");
  const random = seededRandom(options.seed);
  const load: Load = {
    acknowledged: new Set(),
    strangeCodes: new Set(),
    refused: 0,
    paused: false,
    stopped: false,
  };
  try {
    const log = await createAuditProcess({
      dir,
      stateDir: join(root, "state"),
      logId: "kill",
      minFreeBytes: 0,
      segmentMaxBytes: 1024 * 1024,
      checkpointMaxRecords: 500,
      restartMaxDelayMs: 20,
    });
    const callers = Array.from({ length: options.inFlight }, (_, index) =>
      caller(log, load, `${String(index % 4)}${String(index)}`),
    );
    const unclean: string[] = [];
    for (let kill = 0; kill < options.kills; kill += 1) {
      const fault = await killOnce(log, load, dir, random() * MAX_PAUSE_MS);
      if (fault !== undefined) unclean.push(`kill ${String(kill)}: ${fault}`);
    }
    load.stopped = true;
    await Promise.all(callers);
    await log.close();
    const verdict = await verifyAuditLog({ dir });
    if (verdict.outcome !== "clean") unclean.push(`at the end: ${JSON.stringify(verdict.firstBad)}`);
    const found = await idsInLog(dir);
    const lost = [...load.acknowledged].filter((id) => !found.has(id)).length;
    return {
      kills: options.kills,
      acknowledged: load.acknowledged.size,
      refused: load.refused,
      lost,
      unclean,
      strangeCodes: [...load.strangeCodes],
      records: verdict.records,
      openDecisions: verdict.openDecisions,
    };
  } finally {
    load.stopped = true;
    rmSync(root, { recursive: true, force: true });
  }
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? "").href) {
  const report = await run({ kills: Number(process.argv[2] ?? "500"), inFlight: 32, seed: 1 });
  process.stdout.write(`${JSON.stringify(report, undefined, 2)}\n`);
  process.exitCode =
    report.lost === 0 && report.unclean.length === 0 && report.strangeCodes.length === 0 ? 0 : 1;
}
