// `tasks/list` (MCP 2025-11-25): the caller's own tasks at this endpoint, of the tools that the caller may still use.
// What a server itself would list may be everybody's, so it is not asked.
import { requestFault } from "#errors";
import type { Sealer } from "#sealing";
import type { JsonObject } from "#std";
import type { Answer, Recorded } from "../pipeline/exchange.ts";
import { ownerKeyOf } from "../sessions/session-table.ts";
import type { HeldTask, OpenTasks } from "./open-tasks.ts";
import { mayAsk, taskCallerOf } from "./task-access.ts";
import { requireTasks } from "./task-capability.ts";
import { taskBinding } from "./task-ids.ts";
import { writeTaskState } from "./task-state.ts";

/** Tasks on one page. */
const PAGE_TASKS = 50;
const CURSOR_TTL_MS = 3_600_000;

/** @throws {AegisError} CURSOR_INVALID, METHOD_UNKNOWN */
export async function answerTaskList(
  exchange: Recorded,
  open: OpenTasks,
  sealer: Sealer,
  signal: AbortSignal,
): Promise<Answer> {
  requireTasks(exchange);
  const { principal, route, message } = exchange;
  const binding = taskBinding(principal.bindingKey, route.entry.path);
  const owner = ownerKeyOf(principal.issuer, principal.facts);
  const caller = taskCallerOf(exchange);
  const cursor = message.kind === "request" ? message.params?.["cursor"] : undefined;
  const from = cursor === undefined ? 0 : readCursor(cursor, sealer, binding);
  const held = open.list(owner, binding).filter((task) => task.era === "legacy");
  const tasks: JsonObject[] = [];
  let at = from;
  for (; at < held.length && tasks.length < PAGE_TASKS; at += 1) {
    const task = held[at] as HeldTask;
    // What a server says in its own words is shown by `tasks/get` alone, where it is transformed.
    if (await mayAsk(caller, task.reference, "tasks/list", signal))
      tasks.push(writeTaskState(task.id, { ...task.state, statusMessage: undefined }, "legacy"));
  }
  const next = at < held.length ? { nextCursor: sealer.seal("cursor", binding, { at }, CURSOR_TTL_MS) } : {};
  return { kind: "result", result: { tasks, ...next } };
}

function readCursor(cursor: unknown, sealer: Sealer, binding: string): number {
  const at = typeof cursor === "string" ? sealer.open("cursor", binding, cursor)?.["at"] : undefined;
  if (typeof at !== "number") throw requestFault("CURSOR_INVALID", "cursor of another list or caller");
  return at;
}
