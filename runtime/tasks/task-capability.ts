// Who may use tasks: a server that announced them when it was pinned, a client that declared them, a caller whom no policy
// forbids them, in the same era on both sides. Tasks are not translated between eras.
import type { Era, LeafEntry } from "#bundle";
import { AegisError, requestFault } from "#errors";
import { META_CLIENT_CAPABILITIES } from "#mcp";
import { isJsonObject } from "#std";
import type { JsonObject } from "#std";
import type { Admitted } from "../pipeline/exchange.ts";
import { requestFactsOf } from "../pipeline/request-facts.ts";
import { definitionFor } from "../snapshot/snapshot.ts";
import type { Route, RoutedServer } from "../snapshot/snapshot.ts";
import { TASKS_EXTENSION } from "./task-answers.ts";

/** The one legacy revision that has tasks. */
const LEGACY_REVISION = "2025-11-25";

/** True where the server runs tool calls as tasks in this era. */
function offersTasks(pinned: JsonObject | undefined, era: Era): boolean {
  if (era === "modern") return isJsonObject(member(pinned, "extensions")?.[TASKS_EXTENSION]);
  const requests = member(member(pinned, "tasks"), "requests");
  return member(member(requests, "tools"), "call") !== undefined;
}

/**
 * What a client is told of tasks, as members of the capabilities of an endpoint; nothing where no server of it runs tasks
 * in this era. `protocolVersion`: as negotiated.
 */
export function taskCapabilities({ servers }: Route, era: Era, protocolVersion: string): JsonObject {
  const pinned = servers.map(({ entry }) => entry.eras[era]?.capabilities);
  const offering = pinned.filter((capabilities) => offersTasks(capabilities, era));
  if (offering.length === 0) return {};
  if (era === "modern") return { extensions: { [TASKS_EXTENSION]: {} } };
  if (protocolVersion !== LEGACY_REVISION) return {};
  const canCancel = offering.some((own) => member(member(own, "tasks"), "cancel") !== undefined);
  const cancel = canCancel ? { cancel: {} } : {};
  return { tasks: { list: {}, ...cancel, requests: { tools: { call: {} } } } };
}

/** @throws {AegisError} CAPABILITY_REQUIRED for a modern client, METHOD_UNKNOWN in a revision without tasks */
export function requireTasks(exchange: Admitted): void {
  if (exchange.era === "legacy") {
    if (exchange.protocolVersion !== LEGACY_REVISION)
      throw new AegisError("METHOD_UNKNOWN", `${exchange.protocolVersion} has no tasks`);
    return;
  }
  if (declaresTasks(exchange)) return;
  const requiredCapabilities = { extensions: { [TASKS_EXTENSION]: {} } };
  throw new AegisError("CAPABILITY_REQUIRED", TASKS_EXTENSION, { data: { requiredCapabilities } });
}

/**
 * True where the call may come back as a task: what the client says of the extension is then forwarded. A server that is
 * not told of it answers at once.
 */
export function allowsTask(exchange: Admitted, server: RoutedServer, leaf: LeafEntry): boolean {
  const { era, method } = exchange;
  if (method.method !== "tools/call" || leaf.kind !== "tool") return false;
  const isOffered = offersTasks(server.entry.eras[era]?.capabilities, era);
  if (!isOffered || !seesTasks(exchange, server)) return false;
  return era === "modern" ? declaresTasks(exchange) : exchange.protocolVersion === LEGACY_REVISION;
}

/**
 * What a legacy call says of the task it wants, as it is forwarded: its `ttl`. Undefined where it wants none or where
 * the protocol has the wish ignored.
 * @throws {AegisError} TASK_UNSUPPORTED where the approved definition of the tool does not allow it; MESSAGE_INVALID
 */
export function wantedTask(
  exchange: Admitted,
  server: RoutedServer,
  leaf: LeafEntry,
): JsonObject | undefined {
  const wanted = exchange.message.kind === "request" ? exchange.message.params?.["task"] : undefined;
  if (wanted === undefined || exchange.era === "modern" || !allowsTask(exchange, server, leaf))
    return undefined;
  const ttl = isJsonObject(wanted) ? wanted["ttl"] : null;
  const isTtl = ttl === undefined || (typeof ttl === "number" && Number.isSafeInteger(ttl) && ttl >= 0);
  if (!isTtl) throw requestFault("MESSAGE_INVALID", "params.task is not what the protocol defines");
  const execution = member(definitionFor(leaf, "legacy")?.definition, "execution");
  const support = execution?.["taskSupport"];
  if (support !== "optional" && support !== "required")
    throw new AegisError("TASK_UNSUPPORTED", `${leaf.name} does not run as a task`);
  return ttl === undefined ? {} : { ttl };
}

/** False where policies forbid the caller to ask for tasks of the server. */
function seesTasks(exchange: Admitted, server: RoutedServer): boolean {
  const { snapshot, route, principal } = exchange;
  const leaf = server.methods.get("tasks/get");
  if (leaf === undefined || principal.missingAttributes.length > 0) return false;
  const request = requestFactsOf(exchange);
  return snapshot.evaluator.visible(route.entry.tenant, leaf.action, principal.facts, request);
}

function declaresTasks({ message }: Admitted): boolean {
  const params = message.kind === "request" ? message.params : undefined;
  const declared = member(member(params, "_meta"), META_CLIENT_CAPABILITIES);
  return isJsonObject(member(declared, "extensions")?.[TASKS_EXTENSION]);
}

function member(value: JsonObject | undefined, name: string): JsonObject | undefined {
  const found = value !== undefined && Object.hasOwn(value, name) ? value[name] : undefined;
  return isJsonObject(found) ? found : undefined;
}
