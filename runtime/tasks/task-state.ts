// The members of a task that say how it goes, in the spelling of either era: checked, and nothing else taken over
// (MCP 2025-11-25, tasks; extension io.modelcontextprotocol/tasks).
import { AegisError } from "#errors";
import type { Era } from "#bundle";
import type { JsonObject, JsonValue } from "#std";

export type TaskStatus = "working" | "input_required" | "completed" | "failed" | "cancelled";

export interface TaskState {
  readonly status: TaskStatus;
  /** ISO 8601. */
  readonly createdAt: string;
  readonly lastUpdatedAt: string;
  /** Milliseconds from creation; null = unlimited. */
  readonly ttlMs: number | null;
  readonly pollIntervalMs: number | undefined;
  /** Free text of the server: transformed as the tool's own. */
  readonly statusMessage: string | undefined;
}

const STATUSES: ReadonlySet<JsonValue | undefined> = new Set([
  "working",
  "input_required",
  "completed",
  "failed",
  "cancelled",
]);
const INSTANT = /^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}(?:\.\d{1,9})?(?:Z|[+-]\d{2}:\d{2})$/u;

export function isTerminal(status: TaskStatus): boolean {
  return status === "completed" || status === "failed" || status === "cancelled";
}

/** @throws {AegisError} RESULT_BLOCKED where a member is not what the era defines */
export function readTaskState(task: JsonObject, era: Era): TaskState {
  const { status, createdAt, lastUpdatedAt, statusMessage } = task;
  const ttlMs = task[era === "modern" ? "ttlMs" : "ttl"] ?? null;
  const poll = task[era === "modern" ? "pollIntervalMs" : "pollInterval"];
  if (!STATUSES.has(status)) throw malformed("status");
  if (typeof createdAt !== "string" || !INSTANT.test(createdAt)) throw malformed("createdAt");
  // Servers of the first drafts leave it out.
  const updated = lastUpdatedAt ?? createdAt;
  if (typeof updated !== "string" || !INSTANT.test(updated)) throw malformed("lastUpdatedAt");
  if (ttlMs !== null && !isDuration(ttlMs)) throw malformed("ttl");
  if (poll !== undefined && !isDuration(poll)) throw malformed("poll interval");
  if (statusMessage !== undefined && typeof statusMessage !== "string") throw malformed("statusMessage");
  return {
    status: status as TaskStatus,
    createdAt,
    lastUpdatedAt: updated,
    ttlMs,
    pollIntervalMs: poll,
    statusMessage,
  };
}

/** The task as a client of an era has it, under the client's id. */
export function writeTaskState(id: string, state: TaskState, era: Era): JsonObject {
  const { status, createdAt, lastUpdatedAt, ttlMs, pollIntervalMs, statusMessage } = state;
  return {
    taskId: id,
    status,
    ...(statusMessage === undefined ? {} : { statusMessage }),
    createdAt,
    lastUpdatedAt,
    ...(era === "modern" ? { ttlMs } : { ttl: ttlMs }),
    ...(pollIntervalMs === undefined
      ? {}
      : { [era === "modern" ? "pollIntervalMs" : "pollInterval"]: pollIntervalMs }),
  };
}

function isDuration(value: JsonValue): value is number {
  return typeof value === "number" && Number.isSafeInteger(value) && value >= 0;
}

function malformed(member: string): AegisError {
  return new AegisError("RESULT_BLOCKED", `${member} of a task is not what the protocol defines`);
}
