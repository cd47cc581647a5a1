// The ids of tasks that clients see: the upstream's id and the tool that made the task, sealed for one caller at one
// endpoint. Whoever cannot open an id has no such task, and any replica with the key can serve it.
import { createHash } from "node:crypto";
import type { LeafAction, ServerId } from "#bundle";
import type { Sealer } from "#sealing";
import type { JsonObject } from "#std";

/** What a task is: where it is held, and the call that it stands for. */
export interface TaskReference {
  readonly server: ServerId;
  /** The id that the server gave it. */
  readonly upstreamId: string;
  /** Leaf of the tool that was called: its policies and transforms govern everything that comes of the task. */
  readonly action: LeafAction;
  /** SHA-256 of the arguments of that call, base64url. */
  readonly argumentsDigest: string;
  /** Milliseconds since the epoch. */
  readonly createdAtMs: number;
}

/** UTF-16 code units of an upstream's task id. */
export const MAX_TASK_ID_CHARS = 512;
/** UTF-16 code units of an id that a client sends. */
const MAX_SEALED_CHARS = 8_192;
/** An id opens for this long, whatever the server says: what it says of its own is the server's to keep. */
const MAX_LIFETIME_MS = 30 * 24 * 3_600_000;
const DIGEST_CHARS = 22;

/** Whom and where an id is for. */
export function taskBinding(bindingKey: string, routePath: string): string {
  return JSON.stringify([bindingKey, routePath]);
}

/** Names a task in audit records and to policies: neither can use it as an id. */
export function taskDigest({ server, upstreamId }: Pick<TaskReference, "server" | "upstreamId">): string {
  return digestOf(JSON.stringify([server, upstreamId])).slice(0, DIGEST_CHARS);
}

export function digestOf(text: string): string {
  return createHash("sha256").update(text).digest("base64url");
}

export function sealTaskId(sealer: Sealer, binding: string, task: TaskReference): string {
  const payload: JsonObject = {
    s: task.server,
    t: task.upstreamId,
    a: task.action,
    d: task.argumentsDigest,
    c: task.createdAtMs,
  };
  return sealer.seal("task", binding, payload, MAX_LIFETIME_MS);
}

/** Undefined for whatever this caller was not given at this endpoint. */
export function openTaskId(sealer: Sealer, binding: string, sealed: unknown): TaskReference | undefined {
  if (typeof sealed !== "string" || sealed.length > MAX_SEALED_CHARS) return undefined;
  const payload = sealer.open("task", binding, sealed);
  if (payload === undefined) return undefined;
  const { s, t, a, d, c } = payload;
  if (typeof s !== "string" || typeof t !== "string" || typeof a !== "string") return undefined;
  if (typeof d !== "string" || typeof c !== "number") return undefined;
  return { server: s, upstreamId: t, action: a, argumentsDigest: d, createdAtMs: c };
}
