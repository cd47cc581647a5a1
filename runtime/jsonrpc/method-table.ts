// Every JSON-RPC method and notification of every MCP revision, in both directions: the one table that says what the
// gateway does with a message (MCP 2024-11-05 … 2026-07-28). What is not listed here is denied.
import type { Era } from "#bundle";
import { AegisError } from "#errors";

export type Direction = "client-to-server" | "server-to-client";

export type MessageKind = "request" | "notification" | "response";

/**
 * - `forward`: decided, recorded, sent on.
 * - `list`: answered from pins, filtered for the caller.
 * - `local`: answered or acted on by the gateway itself.
 * - `listen`: opens a long-lived stream of change notifications.
 * - `drop`: accepted, recorded, not sent on.
 * - `deny`: known, and refused.
 */
export type Handling = "forward" | "list" | "local" | "listen" | "drop" | "deny";

/** What the message is about, hence where its leaf is found: see the target stage. `method`: the method itself. */
export type MethodTarget = "tool" | "prompt" | "resource" | "completion" | "method" | "task" | "none";

/**
 * Method part of the Cedar action that decides the message. `by-ref`: `prompts/get` or `resources/read`, as
 * `params.ref` of a completion says. `none`: authentication to the endpoint decides.
 */
export type ActionGroup =
  | "tools/call"
  | "prompts/get"
  | "resources/read"
  | "logging/setLevel"
  | "elicitation/create"
  | "roots/list"
  | "sampling/createMessage"
  | "by-ref"
  | "none";

export interface MethodRow {
  readonly method: string;
  readonly direction: Direction;
  readonly eras: readonly Era[];
  readonly kind: MessageKind;
  readonly handling: Handling;
  readonly target: MethodTarget;
  readonly action: ActionGroup;
  /** May be sent upstream twice. `tools/call` is not, whatever the server's own hints say. */
  readonly idempotent: boolean;
  /** `count`: counted, without a record of its own. */
  readonly audit: "full" | "count";
  /** Member of `params` that the `Mcp-Name` header mirrors (MCP 2026-07-28, standard request headers). */
  readonly mcpNameFrom?: "name" | "uri" | "taskId";
}

const BOTH: readonly Era[] = ["legacy", "modern"];
const LEGACY: readonly Era[] = ["legacy"];
const MODERN: readonly Era[] = ["modern"];

const fromClient = {
  direction: "client-to-server",
  target: "none",
  action: "none",
  idempotent: true,
  audit: "full",
} as const;
const fromServer = { ...fromClient, direction: "server-to-client" } as const;
const request = { ...fromClient, kind: "request" } as const;
const notification = { ...fromClient, kind: "notification" } as const;
const serverRequest = { ...fromServer, kind: "request", handling: "deny", idempotent: false } as const;
const ask = { ...serverRequest, handling: "forward", target: "method" } as const;
const serverNotification = { ...fromServer, kind: "notification" } as const;
const tool = { target: "tool", action: "tools/call" } as const;
const prompt = { target: "prompt", action: "prompts/get" } as const;
const resource = { target: "resource", action: "resources/read" } as const;

/** THE table, sorted by direction, then method. A pin test holds every row. */
export const METHOD_TABLE: readonly MethodRow[] = [
  {
    ...request,
    method: "completion/complete",
    eras: BOTH,
    handling: "forward",
    target: "completion",
    action: "by-ref",
  },
  { ...request, method: "initialize", eras: LEGACY, handling: "local" },
  {
    ...request,
    method: "logging/setLevel",
    eras: LEGACY,
    handling: "forward",
    target: "method",
    action: "logging/setLevel",
  },
  { ...notification, method: "notifications/cancelled", eras: BOTH, handling: "local" },
  { ...notification, method: "notifications/initialized", eras: LEGACY, handling: "local" },
  { ...notification, method: "notifications/progress", eras: LEGACY, handling: "local", audit: "count" },
  { ...notification, method: "notifications/roots/list_changed", eras: LEGACY, handling: "local" },
  { ...notification, method: "notifications/tasks/status", eras: LEGACY, handling: "deny", target: "task" },
  { ...request, method: "ping", eras: LEGACY, handling: "local", audit: "count" },
  { ...request, ...prompt, method: "prompts/get", eras: BOTH, handling: "forward", mcpNameFrom: "name" },
  { ...request, method: "prompts/list", eras: BOTH, handling: "list" },
  { ...request, method: "resources/list", eras: BOTH, handling: "list" },
  { ...request, ...resource, method: "resources/read", eras: BOTH, handling: "forward", mcpNameFrom: "uri" },
  { ...request, ...resource, method: "resources/subscribe", eras: LEGACY, handling: "forward" },
  { ...request, method: "resources/templates/list", eras: BOTH, handling: "list" },
  { ...request, ...resource, method: "resources/unsubscribe", eras: LEGACY, handling: "forward" },
  { ...request, method: "server/discover", eras: MODERN, handling: "local" },
  { ...request, method: "subscriptions/listen", eras: MODERN, handling: "listen" },
  {
    ...request,
    method: "tasks/cancel",
    eras: BOTH,
    handling: "forward",
    target: "task",
    idempotent: false,
    mcpNameFrom: "taskId",
  },
  { ...request, method: "tasks/get", eras: BOTH, handling: "forward", target: "task", mcpNameFrom: "taskId" },
  { ...request, method: "tasks/list", eras: LEGACY, handling: "local" },
  { ...request, method: "tasks/result", eras: LEGACY, handling: "forward", target: "task" },
  {
    ...request,
    method: "tasks/update",
    eras: MODERN,
    handling: "forward",
    target: "task",
    idempotent: false,
    mcpNameFrom: "taskId",
  },
  {
    ...request,
    ...tool,
    method: "tools/call",
    eras: BOTH,
    handling: "forward",
    idempotent: false,
    mcpNameFrom: "name",
  },
  { ...request, method: "tools/list", eras: BOTH, handling: "list" },

  { ...ask, method: "elicitation/create", eras: BOTH, action: "elicitation/create" },
  { ...serverNotification, method: "notifications/cancelled", eras: BOTH, handling: "local" },
  { ...serverNotification, method: "notifications/elicitation/complete", eras: LEGACY, handling: "forward" },
  { ...serverNotification, method: "notifications/message", eras: BOTH, handling: "forward" },
  {
    ...serverNotification,
    method: "notifications/progress",
    eras: BOTH,
    handling: "forward",
    audit: "count",
  },
  { ...serverNotification, method: "notifications/prompts/list_changed", eras: BOTH, handling: "local" },
  { ...serverNotification, method: "notifications/resources/list_changed", eras: BOTH, handling: "local" },
  {
    ...serverNotification,
    ...resource,
    method: "notifications/resources/updated",
    eras: BOTH,
    handling: "forward",
  },
  {
    ...serverNotification,
    method: "notifications/subscriptions/acknowledged",
    eras: MODERN,
    handling: "local",
  },
  { ...serverNotification, method: "notifications/tasks", eras: MODERN, handling: "forward", target: "task" },
  {
    ...serverNotification,
    method: "notifications/tasks/status",
    eras: LEGACY,
    handling: "forward",
    target: "task",
  },
  { ...serverNotification, method: "notifications/tools/list_changed", eras: BOTH, handling: "local" },
  { ...serverRequest, method: "ping", eras: LEGACY, handling: "local", idempotent: true, audit: "count" },
  { ...ask, method: "roots/list", eras: BOTH, action: "roots/list" },
  { ...ask, method: "sampling/createMessage", eras: BOTH, action: "sampling/createMessage" },
  { ...serverRequest, method: "tasks/cancel", eras: LEGACY, target: "task" },
  { ...serverRequest, method: "tasks/get", eras: LEGACY, target: "task" },
  { ...serverRequest, method: "tasks/list", eras: LEGACY, target: "task" },
  { ...serverRequest, method: "tasks/result", eras: LEGACY, target: "task" },
];

/** Name that stands for a client's answer to a server-initiated request, which carries no method. */
const POSTED_RESPONSE = "(response)";

const postedResponseRow: MethodRow = {
  ...fromClient,
  method: POSTED_RESPONSE,
  eras: LEGACY,
  kind: "response",
  handling: "local",
};

function indexed(direction: Direction): ReadonlyMap<string, MethodRow> {
  return new Map(METHOD_TABLE.filter((row) => row.direction === direction).map((row) => [row.method, row]));
}

const rowsByDirection: Readonly<Record<Direction, ReadonlyMap<string, MethodRow>>> = {
  "client-to-server": indexed("client-to-server"),
  "server-to-client": indexed("server-to-client"),
};

/** The row of a method in an era, or undefined where the era has no such method: the caller must then refuse. */
export function lookupMethod(direction: Direction, method: string, era: Era): MethodRow | undefined {
  const row = rowsByDirection[direction].get(method);
  return row?.eras.includes(era) === true ? row : undefined;
}

/** The row of a method in any era. */
export function lookupAnyEra(direction: Direction, method: string): MethodRow | undefined {
  return rowsByDirection[direction].get(method);
}

/** Rows of what a client sends, with every refusal thrown. */
export const methodRow = {
  /**
   * @throws {AegisError} METHOD_UNKNOWN for a method that is not in the table, not of this era, or denied by it;
   *   MESSAGE_INVALID for a request without an id and for a notification with one
   */
  fromClient(method: string, kind: "request" | "notification", era: Era): MethodRow {
    const row = lookupMethod("client-to-server", method, era);
    if (row === undefined)
      throw new AegisError(
        "METHOD_UNKNOWN",
        `${JSON.stringify(method.slice(0, 128))} is not a ${era} method`,
      );
    if (row.kind !== kind)
      throw new AegisError("MESSAGE_INVALID", `${row.method} is a ${row.kind}, not a ${kind}`);
    if (row.handling === "deny") throw new AegisError("METHOD_UNKNOWN", `${row.method} is not offered`);
    return row;
  },

  /** @throws {AegisError} MESSAGE_INVALID in the modern era, where a client never answers */
  postedResponse(era: Era): MethodRow {
    if (era === "modern")
      throw new AegisError("MESSAGE_INVALID", "a response cannot be posted in the modern era");
    return postedResponseRow;
  },
} as const;
