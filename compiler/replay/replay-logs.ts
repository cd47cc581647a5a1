// Replays audit logs: verified first, then read a chunk at a time.
import { realpath, stat } from "node:fs/promises";
import { dirname } from "node:path";
import { readAuditRecords, verifyAuditLog } from "#audit";
import type { AuditRecord } from "#audit";
import { DecisionReplay } from "./replay-decisions.ts";
import type { ReplayOutcome } from "./replay-decisions.ts";
import type { ReplayInput } from "./replay-side.ts";

/** A log that is not as its writer wrote it. */
export class AuditTampered extends Error {
  constructor(path: string, place: string, reason: string) {
    super(`the audit log ${path} was tampered with: ${place}: ${reason}`);
    this.name = "AuditTampered";
  }
}

/** A directory that holds no segment of a log. */
export class AuditMissing extends Error {
  constructor(path: string) {
    super(`no audit log in ${path}`);
    this.name = "AuditMissing";
  }
}

/**
 * Hands over the records of a log: the directory, whose chain is verified before anything is handed over, or one of its
 * segments, of which each line is verified by itself. Returns what a reader should know of the log.
 * @throws {AuditTampered} and {AuditMissing}
 */
export async function openAuditLog(
  path: string,
  onRecords: (records: readonly AuditRecord[]) => Promise<void> | void,
): Promise<readonly string[]> {
  const warnings: string[] = [];
  if ((await stat(path)).isDirectory()) {
    const result = await verifyAuditLog({ dir: path });
    const bad = result.firstBad;
    if (result.segments === 0 && result.outcome !== "tampered") throw new AuditMissing(path);
    const place = bad === undefined ? "the log" : `${bad.file}:${String(bad.line)}`;
    if (result.outcome === "tampered") throw new AuditTampered(path, place, bad?.reason ?? "no reason");
    if (result.outcome === "incomplete")
      warnings.push(`${path} is incomplete: ${place}: ${bad?.reason ?? "no records"}`);
  } else warnings.push(`${path} is one file: its chain cannot be verified, only each line by itself`);
  const bad = await readAuditRecords(path, onRecords);
  if (bad !== undefined) throw new AuditTampered(path, `${bad.file}:${String(bad.line)}`, bad.reason);
  return warnings;
}

export interface LogReplay extends ReplayOutcome {
  readonly warnings: readonly string[];
}

/** What is named more than once, whatever it is called, is read once: a segment with the directory it stands in. */
async function distinctLogs(
  paths: readonly string[],
): Promise<{ readonly logs: readonly string[]; readonly warnings: readonly string[] }> {
  const named: { readonly path: string; readonly real: string }[] = [];
  for (const path of paths) named.push({ path, real: await realpath(path) });
  const all = new Set(named.map(({ real }) => real));
  const seen = new Set<string>();
  const logs: string[] = [];
  const warnings: string[] = [];
  for (const { path, real } of named) {
    if (seen.has(real) || all.has(dirname(real)))
      warnings.push(`${path} is given more than once: counted once`);
    else logs.push(path);
    seen.add(real);
  }
  return { logs, warnings };
}

/**
 * Decides every recorded call on both versions. @throws {AuditTampered}, {AuditMissing}, the reason of `signal`, and Error where a log
 * cannot be read or a version cannot be evaluated
 */
export async function replayLogs(
  base: ReplayInput,
  head: ReplayInput,
  paths: readonly string[],
  signal: AbortSignal,
): Promise<LogReplay> {
  const replay = await DecisionReplay.open(base, head, signal);
  try {
    const { logs, warnings: repeated } = await distinctLogs(paths);
    const warnings = [...repeated];
    for (const path of logs) warnings.push(...(await openAuditLog(path, (records) => replay.add(records))));
    return { ...replay.outcome(), warnings };
  } finally {
    replay.dispose();
  }
}
