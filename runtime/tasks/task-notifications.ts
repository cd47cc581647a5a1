// What a server says of a task of its own accord: mapped to the id that the caller has, redacted by the tool's transform,
// and passed on only to whoever may still use the tool.
import { isAegisError } from "#errors";
import { isJsonObject } from "#std";
import type { JsonObject } from "#std";
import { applyTask } from "#transform";
import type { CompiledTransform, TransformOptions } from "#transform";
import { isListed } from "#pdp";
import type { Principal } from "../authn/principal.ts";
import type { Recorded } from "../pipeline/exchange.ts";
import { requestFactsOf } from "../pipeline/request-facts.ts";
import type { Route, Snapshot } from "../snapshot/snapshot.ts";
import type { RequestFacts, Era } from "#bundle";
import type { OpenTasks } from "./open-tasks.ts";
import { ruleTaskParams } from "./task-answers.ts";
import type { RuledTask, TaskPlan } from "./task-answers.ts";
import { taskBinding, taskDigest } from "./task-ids.ts";
import type { TaskReference } from "./task-ids.ts";

export const TASK_STATUS = "notifications/tasks/status";
export const TASK_CHANGED = "notifications/tasks";

/** To whom, at which endpoint and under which release something is said of a task. */
export interface TaskListener {
  readonly snapshot: Snapshot;
  readonly route: Route;
  readonly principal: Pick<Principal, "bindingKey" | "issuer" | "facts" | "missingAttributes">;
  readonly request: RequestFacts;
  readonly era: Era;
}

/**
 * `notifications/tasks/status` of a legacy server as its caller may have it; undefined for a task that this gateway
 * does not remember the caller to have, for a tool that the caller may no longer use, and for what is malformed.
 */
export function governTaskStatus(
  listener: TaskListener,
  server: string,
  notification: JsonObject,
  open: OpenTasks,
  keys: TransformOptions,
): JsonObject | undefined {
  const { params } = notification;
  const upstreamId = isJsonObject(params) ? params["taskId"] : undefined;
  if (!isJsonObject(params) || typeof upstreamId !== "string") return undefined;
  const { principal, route } = listener;
  const owner = JSON.stringify([principal.issuer, route.entry.tenant, principal.facts.id]);
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
  listener: TaskListener,
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

/** The listener of a notification that comes during a call. */
export function listenerOf(exchange: Recorded): TaskListener {
  const { snapshot, route, principal, era } = exchange;
  return { snapshot, route, principal, era, request: requestFactsOf(exchange) };
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

function mayHear({ snapshot, route, principal, request }: TaskListener, task: TaskReference): boolean {
  const server = route.servers.find(({ entry }) => entry.id === task.server);
  const isPinned = server?.entry.leaves.some(({ action }) => action === task.action) === true;
  const gate = server?.methods.get("tasks/get");
  if (!isPinned || gate === undefined) return false;
  const { tenant } = route.entry;
  return [task.action, gate.action].every((action) =>
    isListed(snapshot.evaluator, tenant, principal, request, action),
  );
}

function written(
  method: string,
  { answer }: RuledTask,
  { snapshot, route }: TaskListener,
  { action }: TaskReference,
  keys: TransformOptions,
): JsonObject | undefined {
  if (answer.kind !== "result") return undefined;
  const compiled: CompiledTransform | undefined = snapshot.transformFor(route.entry.tenant, action);
  if (compiled === undefined) return { jsonrpc: "2.0", method, params: answer.result };
  const outcome = applyTask(compiled, answer.result, keys);
  return outcome.ok ? { jsonrpc: "2.0", method, params: outcome.value } : undefined;
}
