// Builds audit logs for the tests: a directory for lock and keys, the log itself in memory or in that directory.
import { mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { hash } from "node:crypto";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { AuditEvent, AuditLogOptions, ObservableAuditLog } from "#audit";
import { createAuditLog } from "#audit";
import { MemoryFs } from "./memory-fs.ts";

export interface LogPlace {
  readonly root: string;
  readonly dir: string;
  readonly stateDir: string;
  readonly remove: () => void;
}

export function logPlace(): LogPlace {
  const root = mkdtempSync(join(tmpdir(), "aegis-audit-"));
  const dir = join(root, "log");
  mkdirSync(dir);
  return {
    root,
    dir,
    stateDir: join(root, "state"),
    remove: () => rmSync(root, { recursive: true, force: true }),
  };
}

export function placeOptions(
  place: LogPlace,
): Pick<AuditLogOptions, "dir" | "stateDir" | "logId" | "minFreeBytes" | "lockWaitMs"> {
  return { dir: place.dir, stateDir: place.stateDir, logId: "test/log", minFreeBytes: 0, lockWaitMs: 200 };
}

export function allow(id: string, tenant = "acme"): AuditEvent {
  return {
    tenant,
    event: "decision",
    body: { id, effect: "allow", policies: ["p"], target: "sql-prod.sql.query" },
  };
}

export function result(id: string, tenant = "acme"): AuditEvent {
  return { tenant, event: "result", body: { id, outcome: "result", code: null } };
}

export function deny(id: string, tenant = "acme"): AuditEvent {
  return { tenant, event: "decision", body: { id, effect: "deny", policies: [] } };
}

/** Appends `count` denials over three tenants, one after the other. */
export async function fill(log: ObservableAuditLog, count: number, label = "d"): Promise<void> {
  const tenants = ["acme", "globex", "_system"];
  for (let index = 0; index < count; index += 1) {
    await log.append(deny(`${label}${String(index)}`, tenants[index % tenants.length]));
  }
}

/** A closed log in memory with a segment for each entry of `recordsPerSegment`; the last one is left unsealed where `open`. */
export async function memoryLog(
  place: LogPlace,
  recordsPerSegment: readonly number[],
  open: boolean,
  extra: Partial<AuditLogOptions> = {},
): Promise<MemoryFs> {
  const fs = new MemoryFs();
  let current = fs;
  for (const [index, records] of recordsPerSegment.entries()) {
    const log = await createAuditLog({ ...placeOptions(place), ...extra, fs: current });
    await fill(log, records, `s${String(index)}-`);
    if (open && index === recordsPerSegment.length - 1) {
      const copy = current.copy();
      await log.close();
      return copy;
    }
    await log.close();
    current = current.copy();
  }
  return current;
}

/** What one who can write the file but has no key can do: changes the records of an only segment and makes all hashes fit again. */
export function forgeChain(lines: readonly string[], alter: (line: string) => string): string[] {
  const heads = new Map<string, string>();
  return lines.map((line, index) => {
    if (index === 0) return line;
    const { ten } = JSON.parse(line) as { ten: string };
    const previous = heads.get(ten) ?? "0".repeat(64);
    const unhashed = alter(line).replace(
      /"prev":"[0-9a-f]{64}","h":"[0-9a-f]{64}"\}$/,
      `"prev":"${previous}"`,
    );
    const digest = hash("sha256", `aegis-audit-v1\n${unhashed}}`, "hex");
    heads.set(ten, digest);
    return `${unhashed},"h":"${digest}"}`;
  });
}
