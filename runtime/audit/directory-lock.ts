// One writer for each audit directory.
import { DatabaseSync } from "node:sqlite";
import { setTimeout as delay } from "node:timers/promises";
import { AuditStartError, faultText } from "./audit-errors.ts";

export interface DirectoryLock {
  readonly release: () => void;
}

const RETRY_MS = 20;

function tryLock(path: string): DatabaseSync | undefined {
  const database = new DatabaseSync(path);
  try {
    database.exec("PRAGMA busy_timeout = 0; BEGIN EXCLUSIVE");
    return database;
  } catch (fault) {
    database.close();
    if (fault instanceof Error && "errcode" in fault && fault.errcode === 5) return undefined;
    throw fault;
  }
}

/**
 * Takes the lock of `directory`, waiting up to `waitMs` for a writer that is just ending.
 * Node has no flock; SQLite's exclusive transaction on an empty file is the one kernel lock it offers. The kernel drops it when the
 * process dies, so there is no stale lock to judge, and it holds between containers that share the volume.
 * @throws {AuditStartError} AUDIT_LOCKED, AUDIT_STATE_INVALID
 */
export async function lockDirectory(
  directory: string,
  waitMs: number,
  signal?: AbortSignal,
): Promise<DirectoryLock> {
  const path = `${directory}/lock`;
  const attempts = Math.max(1, Math.ceil(waitMs / RETRY_MS));
  for (let attempt = 0; attempt < attempts; attempt += 1) {
    let database: DatabaseSync | undefined;
    try {
      database = tryLock(path);
    } catch (fault) {
      throw new AuditStartError("AUDIT_STATE_INVALID", path, 0, `cannot lock: ${faultText(fault)}`, {
        cause: fault,
      });
    }
    if (database !== undefined) {
      const held = database;
      return { release: () => held.close() };
    }
    await delay(RETRY_MS, undefined, signal === undefined ? {} : { signal });
  }
  throw new AuditStartError("AUDIT_LOCKED", path, 0, "another process writes this audit directory");
}
