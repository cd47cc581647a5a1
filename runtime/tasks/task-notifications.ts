// What a server says of a task of its own accord: mapped to the id that the caller has, redacted by the tool's transform,
// and passed on only to whoever may still use the tool.
import type { Era } from "#bundle";
import { isAegisError } from "#errors";
import { isJsonObject } from "#std";
import type { JsonObject } from "#std";
import { applyTask } from "#transform";
import type { CompiledTransform, TransformOptions } from "#transform";
import { ownerKeyOf } from "../sessions/session-table.ts";
import type { OpenTasks } from "./open-tasks.ts";
import { mayHear } from "./task-access.ts";
import type { TaskCaller } from "./task-access.ts";
import { ruleTaskParams } from "./task-answers.ts";
import type { RuledTask, TaskPlan } from "./task-answers.ts";
import { taskBinding, taskDigest } from "./task-ids.ts";
import type { TaskReference } from "./task-ids.ts";

export const TASK_STATUS = "notifications/tasks/status";
export const TASK_CHANGED = "notifications/tasks";

/**
 * `notifications/tasks/status` of a legacy server as its caller may have it; undefined for a task that this gateway
 * does not remember the caller to have, for a tool that the caller may no longer use, and for what is malformed.
 */
export function governTaskStatus(
  listener: TaskCaller,
  server: string,
  notification: JsonObject,
  open: OpenTasks,
  keys: TransformOptions,
): JsonObject | undefined {
  const { params } = notification;
  const upstreamId = isJsonObject(params) ? params["taskId"] : undefined;
  if (!isJsonObject(params) || typeof upstreamId !== "string") return undefined;
  const { principal, route } = listener;
  const owner = ownerKeyOf(principal.issuer, principal.facts);
  const binding = taskBinding(principal.bindingKey, route.entry.path);
  const held = open.find(owner, binding, { server, upstreamId });
  if (held === undefined) return undefined;
  const ruled = ruledParams(params, planFor(held.reference, held.id, "legacy"));
  if (ruled?.state === undefined || !mayHear(listener, held.reference)) return undefined;
  open.observe(owner, binding, held.reference, ruled.state);
  return written(TASK_STATUS, ruled, listener, held.reference, keys);
}

/**
 * `notifications/tasks` of a modern server for one task of a listen's filter. `asks`: the entries of `inputRequests` that
 * were decided; those of the notification itself are never passed on.
 */
export function governTaskChange(
  listener: TaskCaller,
  task: { readonly id: string; readonly reference: TaskReference },
  notification: JsonObject,
  asks: JsonObject,
  keys: TransformOptions,
): JsonObject | undefined {
  const { params } = notification;
  if (!isJsonObject(params) || params["taskId"] !== task.reference.upstreamId) return undefined;
  const ruled = ruledParams(params, planFor(task.reference, task.id, "modern"));
  if (ruled?.state === undefined || !mayHear(listener, task.reference)) return undefined;
  if (ruled.asks === undefined || ruled.answer.kind !== "result")
    return written(TASK_CHANGED, ruled, listener, task.reference, keys);
  const result = { ...ruled.answer.result, inputRequests: asks };
  return written(
    TASK_CHANGED,
    { ...ruled, answer: { ...ruled.answer, result } },
    listener,
    task.reference,
    keys,
  );
}

function planFor(reference: TaskReference, id: string, era: Era): TaskPlan {
  const { upstreamId } = reference;
  return { era, method: "tasks/get", id, upstreamId, digest: taskDigest(reference) };
}

function ruledParams(params: JsonObject, plan: TaskPlan): RuledTask | undefined {
  try {
    return ruleTaskParams(params, plan);
  } catch (fault) {
    // A notification is dispensable: the client asks when it hears nothing.
    if (isAegisError(fault)) return undefined;
    throw fault;
  }
}

function written(
  method: string,
  { answer }: RuledTask,
  { snapshot, route }: TaskCaller,
  { action }: TaskReference,
  keys: TransformOptions,
): JsonObject | undefined {
  if (answer.kind !== "result") return undefined;
  const compiled: CompiledTransform | undefined = snapshot.transformFor(route.entry.tenant, action);
  if (compiled === undefined) return { jsonrpc: "2.0", method, params: answer.result };
  const outcome = applyTask(compiled, answer.result, keys);
  return outcome.ok ? { jsonrpc: "2.0", method, params: outcome.value } : undefined;
}
