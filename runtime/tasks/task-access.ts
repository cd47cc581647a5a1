// Who may still ask for a task, or hear of it: whoever could use the tool that made it, where the method is not forbidden.
import type { LeafEntry, RequestFacts } from "#bundle";
import { taskArguments } from "#methods";
import { isListed } from "#pdp";
import type { Principal } from "#authn";
import type { Admitted } from "../pipeline/exchange.ts";
import { requestFactsOf } from "../pipeline/request-facts.ts";
import type { Route, RoutedServer, Snapshot } from "../snapshot/snapshot.ts";
import { taskDigest } from "./task-ids.ts";
import type { TaskReference } from "./task-ids.ts";

/** Who, at which endpoint and under which release. */
export interface TaskCaller {
  readonly snapshot: Snapshot;
  readonly route: Route;
  readonly principal: Pick<Principal, "bindingKey" | "issuer" | "facts" | "missingAttributes">;
  readonly request: RequestFacts;
}

/** The caller of a message. */
export function taskCallerOf(exchange: Admitted): TaskCaller {
  const { snapshot, route, principal } = exchange;
  return { snapshot, route, principal, request: requestFactsOf(exchange) };
}

interface TaskTool {
  readonly leaf: LeafEntry;
  readonly gate: LeafEntry;
}

/** The tool that made a task and the leaf of the method, where the release still has both and the caller sees the tool. */
function visibleTool(
  { snapshot, route, principal, request }: TaskCaller,
  task: TaskReference,
  method: string,
): TaskTool | undefined {
  const server: RoutedServer | undefined = route.servers.find(({ entry }) => entry.id === task.server);
  const leaf = server?.entry.leaves.find(({ action }) => action === task.action);
  const gate = server?.methods.get(method);
  if (leaf === undefined || gate === undefined) return undefined;
  const isVisible = isListed(snapshot.evaluator, route.entry.tenant, principal, request, leaf.action);
  return isVisible ? { leaf, gate } : undefined;
}

/** Decides a method on a task as the request for it would be. */
export async function mayAsk(
  caller: TaskCaller,
  task: TaskReference,
  method: string,
  signal: AbortSignal,
): Promise<boolean> {
  const tool = visibleTool(caller, task, method);
  if (tool === undefined) return false;
  const { snapshot, route, principal, request } = caller;
  const prepared = await snapshot.evaluator.prepare({
    tenant: route.entry.tenant,
    action: tool.gate.action,
    arguments: taskArguments(taskDigest(task), tool.leaf.name),
    principal: principal.facts,
    request,
    signal,
  });
  if (!prepared.ok) return false;
  const { effect, errors, reasons } = snapshot.evaluator.decide(prepared.query);
  return effect === "allow" && errors.length === 0 && reasons.length > 0;
}

/** At once: whether some `tasks/get` of the caller could be allowed. */
export function mayHear(caller: TaskCaller, task: TaskReference): boolean {
  const tool = visibleTool(caller, task, "tasks/get");
  if (tool === undefined) return false;
  const { snapshot, route, principal, request } = caller;
  return isListed(snapshot.evaluator, route.entry.tenant, principal, request, tool.gate.action);
}
