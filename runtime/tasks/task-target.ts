// From a request about a task to the tool that made the task, and what is sent upstream of it.
import { leafActionOf } from "#bundle";
import { AegisError } from "#errors";
import { taskArguments } from "#methods";
import type { Sealer } from "#sealing";
import type { JsonObject, JsonValue } from "#std";
import type { Admitted, Target } from "../pipeline/exchange.ts";
import { TASKS_EXTENSION } from "./task-answers.ts";
import { allowsTask, requireTasks, wantedTask } from "./task-capability.ts";
import { openTaskId, taskBinding, taskDigest } from "./task-ids.ts";

type LeafTarget = Extract<Target, { readonly kind: "leaf" }>;

/**
 * The tool whose task it is must still be something the caller could use, and the method must be allowed.
 * @throws {AegisError} TASK_UNKNOWN for an id that was not given to this caller here, or whose tool is gone;
 *   CAPABILITY_REQUIRED, METHOD_UNKNOWN
 */
export function taskTarget(exchange: Admitted, sealer: Sealer): LeafTarget {
  requireTasks(exchange);
  const { message, route, principal, era, method } = exchange;
  const id = message.kind === "request" ? message.params?.["taskId"] : undefined;
  const binding = taskBinding(principal.bindingKey, route.entry.path);
  const reference = openTaskId(sealer, binding, id);
  if (reference === undefined || typeof id !== "string") throw unknown("not an id of this caller");
  const server = route.servers.find(({ entry }) => entry.id === reference.server);
  if (server?.entry.eras[era] === undefined) throw unknown(`${reference.server} is not served here`);
  const prefix = leafActionOf("tools/call", reference.server, "");
  const leaf = server.tools.get(reference.action.slice(prefix.length + 1));
  if (leaf?.action !== reference.action) throw unknown(`${reference.action} is no longer pinned`);
  const gate = server.methods.get(method.method);
  if (gate === undefined) throw unknown(`the release does not offer ${method.method}`);
  const digest = taskDigest(reference);
  return {
    kind: "leaf",
    server,
    leaf,
    action: leaf.action,
    mode: "visibility",
    arguments: {},
    gate: { action: gate.action, arguments: taskArguments(digest, leaf.name) },
    task: { reference, id, digest },
  };
}

/** Capabilities that a modern server is told of beside what it may ask for. */
export function taskExtension(exchange: Admitted & { readonly target: Target }): JsonObject {
  const { target, era } = exchange;
  if (era !== "modern" || target.kind !== "leaf") return {};
  const isAbout = target.task !== undefined || allowsTask(exchange, target.server, target.leaf);
  return isAbout ? { extensions: { [TASKS_EXTENSION]: {} } } : {};
}

/** Members of `params` that say something about tasks, as they go upstream. Others are left as they are. */
export function taskParams(exchange: Admitted & { readonly target: Target }): {
  readonly taskId?: JsonValue;
  readonly task?: JsonObject;
} {
  const { target } = exchange;
  if (target.kind !== "leaf") return {};
  if (target.task !== undefined) return { taskId: target.task.reference.upstreamId };
  const task = wantedTask(exchange, target.server, target.leaf);
  return task === undefined ? {} : { task };
}

function unknown(detail: string): AegisError {
  return new AegisError("TASK_UNKNOWN", detail);
}
