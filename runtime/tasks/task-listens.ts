// `taskIds` of a `subscriptions/listen` (extension io.modelcontextprotocol/tasks): which tasks of the filter the caller may
// hear of, and one listen at each server for them. It ends with the caller's stream; a client that hears nothing asks.
import { randomUUID } from "node:crypto";
import type { AuditLog } from "#audit";
import type { ServerId } from "#bundle";
import { requestFault } from "#errors";
import { META_CLIENT_CAPABILITIES } from "#mcp";
import type { Sealer } from "#sealing";
import type { JsonObject } from "#std";
import { gatewayEnvelope } from "#upstream";
import type { ExchangeObserver, OutboundRequest } from "#upstream";
import type { Recorded } from "../pipeline/exchange.ts";
import type { Listener } from "../streams/resource-access.ts";
import type { Route, Snapshot } from "../snapshot/snapshot.ts";
import { mayAsk, taskCallerOf } from "./task-access.ts";
import { TASKS_EXTENSION } from "./task-answers.ts";
import { requireTasks } from "./task-capability.ts";
import { openTaskId, taskBinding, taskDigest } from "./task-ids.ts";
import type { TaskReference } from "./task-ids.ts";
import { TASK_CHANGED, governTaskChange } from "./task-notifications.ts";

/** Task ids of one filter. */
const MAX_LISTEN_TASKS = 64;
const MAX_NOTIFICATION_BYTES = 262_144;
const REFUSED = { kind: "error", error: { code: -32601, message: "Method not found" } } as const;

/** The tasks of a filter that are honoured. */
export interface TaskWatch {
  readonly taskIds: readonly string[];
  /** Tells of changes until the signal aborts. `caller`: who listens, as its token reads at the moment. */
  readonly start: (
    notify: (method: string, params: JsonObject) => void,
    closed: AbortSignal,
    caller: () => Listener,
  ) => void;
}

export interface TaskListenOptions {
  readonly sealer: Sealer;
  readonly audit: AuditLog;
  readonly snapshot: () => Snapshot | undefined;
}

interface Heard {
  readonly id: string;
  readonly reference: TaskReference;
}

/** Undefined where the filter names no task. @throws {AegisError} ARGUMENTS_INVALID, CAPABILITY_REQUIRED */
export async function watchTasks(
  exchange: Recorded,
  signal: AbortSignal,
  options: TaskListenOptions,
): Promise<TaskWatch | undefined> {
  const { message, route } = exchange;
  const filter = message.kind === "request" ? message.params?.["notifications"] : undefined;
  const ids = (filter as JsonObject | undefined)?.["taskIds"];
  if (ids === undefined) return undefined;
  requireTasks(exchange);
  if (!Array.isArray(ids) || ids.length > MAX_LISTEN_TASKS)
    throw requestFault("ARGUMENTS_INVALID", "params.notifications: taskIds");
  const caller = taskCallerOf(exchange);
  const heard: Heard[] = [];
  for (const id of new Set<unknown>(ids)) {
    const binding = taskBinding(exchange.principal.bindingKey, route.entry.path);
    const reference = openTaskId(options.sealer, binding, id);
    // An id that is not the caller's is not honoured, as the acknowledgement says.
    if (reference === undefined || typeof id !== "string") continue;
    const isAllowed = await mayAsk(caller, reference, "tasks/get", signal);
    await record(exchange, reference, isAllowed, options.audit);
    if (isAllowed) heard.push({ id, reference });
  }
  return { taskIds: heard.map(({ id }) => id), start: starter(exchange, heard, options) };
}

async function record(
  exchange: Recorded,
  task: TaskReference,
  isAllowed: boolean,
  audit: AuditLog,
): Promise<void> {
  const { digest, sequence, channel } = exchange.snapshot;
  const { tenant, path } = exchange.route.entry;
  const id = randomUUID();
  const body: JsonObject = {
    ...{ id, during: exchange.id, effect: isAllowed ? "allow" : "deny", policies: [] },
    ...{ method: "tasks/get", target: task.action, server: task.server, route: path },
    task: taskDigest(task),
    bundle: { digest, sequence, channel },
    ...(isAllowed ? {} : { code: "POLICY_DENIED" }),
  };
  await audit.append({ tenant, event: "decision", body });
  if (isAllowed)
    await audit.append({ tenant, event: "result", body: { id, outcome: "accepted", code: null } });
}

function starter(
  exchange: Recorded,
  heard: readonly Heard[],
  options: TaskListenOptions,
): TaskWatch["start"] {
  const opened = taskCallerOf(exchange).principal;
  const { path } = exchange.route.entry;
  const byServer = new Map<ServerId, Heard[]>();
  for (const task of heard) {
    const { server } = task.reference;
    byServer.set(server, [...(byServer.get(server) ?? []), task]);
  }
  return (notify, closed, caller) => {
    const tell = (task: Heard, notification: JsonObject): void => {
      const snapshot = options.snapshot();
      const route: Route | undefined = snapshot?.routes.get(path);
      if (snapshot === undefined || route === undefined) return;
      const { principal: facts, missingAttributes, request } = caller();
      // Whose tasks they are does not change: a listen whose token names another caller is ended.
      const principal = { ...opened, facts, missingAttributes };
      const listener = { snapshot, route, principal, request };
      // What is asked is decided where the client can answer: in `tasks/get`.
      const keys = { fingerprint: options.audit.fingerprint };
      const governed = governTaskChange(listener, task, notification, {}, keys);
      if (governed !== undefined) notify(TASK_CHANGED, governed["params"] as JsonObject);
    };
    for (const [server, tasks] of byServer) {
      const routed = options
        .snapshot()
        ?.routes.get(path)
        ?.servers.find(({ entry }) => entry.id === server);
      const observer: ExchangeObserver = {
        onNotification: (notification) => {
          if (notification["method"] !== TASK_CHANGED) return;
          for (const task of tasks) tell(task, notification);
        },
        onServerRequest: () => Promise.resolve(REFUSED),
      };
      const limits = { maxResponseBytes: MAX_NOTIFICATION_BYTES };
      routed?.binding.upstream
        .request({ era: "modern" }, listenRequest(tasks), observer, limits, closed)
        // A server may refuse to tell, or stop: the client asks when it hears nothing.
        .catch(() => undefined);
    }
  };
}

function listenRequest(tasks: readonly Heard[]): OutboundRequest {
  const taskIds = tasks.map(({ reference }) => reference.upstreamId);
  const _meta = {
    ...gatewayEnvelope(),
    [META_CLIENT_CAPABILITIES]: { extensions: { [TASKS_EXTENSION]: {} } },
  };
  return { method: "subscriptions/listen", params: { notifications: { taskIds }, _meta }, paramHeaders: {} };
}
