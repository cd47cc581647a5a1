// What an upstream sends of its own accord: notifications are passed on by the method table, requests to the client are
// asks, and every other request is refused.
import { randomUUID } from "node:crypto";
import type { AuditLog } from "#audit";
import { lookupMethod } from "#mcp";
import type { Era, ServerId } from "#bundle";
import { isJsonObject } from "#std";
import type { JsonObject, JsonValue } from "#std";
import { rewriteNotification } from "#naming";
import { scrubMessage } from "#transform";
import type { CompiledTransform, TransformOptions } from "#transform";
import type { ExchangeObserver, UpstreamReply } from "#upstream";
import { logThreshold, passesLogLevel } from "../streams/log-level.ts";
import { TASK_STATUS } from "../tasks/index.ts";
import { AskShare, askInCall, asksOf, isAskMethod, refusedReply } from "../asks/index.ts";
import type { AskDesk, AskRefusal } from "../asks/index.ts";
import type { LegacySession } from "../sessions/session-table.ts";
import { SYSTEM_TENANT, serverOf } from "./audit-records.ts";
import type { Recorded } from "./exchange.ts";

/** Most notifications one call may relay; a server that sends more is talking to itself. */
const MAX_NOTIFICATIONS = 10_000;

const UNASKED: AskRefusal = {
  code: "SERVER_REQUEST_DENIED",
  isUndeclared: false,
  detail: "there is nobody to ask",
  policies: [],
};

export interface ServerMessageOptions {
  readonly audit: AuditLog;
  /** Governs what servers ask of clients. */
  readonly asks: AskDesk;
  /** Counts a notification that was dropped or relayed. */
  readonly onNotification: (method: string, relayed: boolean) => void;
  /** What is said of a task, for the caller of the exchange; absent = nothing may be. */
  readonly onTaskStatus?: (exchange: Recorded, notification: JsonObject) => JsonObject | undefined;
}

export function createObserver(options: ServerMessageOptions): (exchange: Recorded) => ExchangeObserver {
  return (exchange) => {
    const transform =
      exchange.target.kind === "leaf"
        ? exchange.snapshot.transformFor(exchange.route.entry.tenant, exchange.target.action)
        : undefined;
    const { message, session, era } = exchange;
    const threshold = logThreshold(
      era,
      session?.logLevel,
      message.kind === "response" ? undefined : message.params,
    );
    let relayed = 0;
    return {
      pressure: () => exchange.reply.drained(exchange.control.signal),
      onPolled: (delayMs) => exchange.reply.letGo(delayMs),
      onNotification: (notification) => {
        const governed =
          notification["method"] === TASK_STATUS
            ? options.onTaskStatus?.(exchange, notification)
            : !passesLogLevel(notification, threshold)
              ? undefined
              : governNotification(notification, exchange.era, transform, options.audit);
        const sent =
          governed !== undefined &&
          isOfSession(exchange.session, serverOf(exchange) ?? "", governed) &&
          relayed < MAX_NOTIFICATIONS &&
          exchange.reply.notify(JSON.stringify(asClientsSee(exchange, governed)));
        if (sent) relayed += 1;
        options.onNotification(String(notification["method"]), sent);
      },
      onServerRequest: (request, withdrawn) => onServerRequest(options, exchange, request, withdrawn),
    };
  };
}

function asClientsSee({ route, target }: Recorded, notification: JsonObject): JsonObject {
  return target.kind === "leaf" ? rewriteNotification(route, target.server, notification) : notification;
}

const ELICITATION_COMPLETE = "notifications/elicitation/complete";

/** Whether the client of a session was asked what a server says is complete; any other notification passes. */
export function isOfSession(
  session: LegacySession | undefined,
  server: ServerId,
  notification: JsonObject,
): boolean {
  if (notification["method"] !== ELICITATION_COMPLETE) return true;
  return session !== undefined && asksOf(session).wasElicited(server, notification["params"]);
}

function onServerRequest(
  { asks, audit }: ServerMessageOptions,
  exchange: Recorded,
  request: JsonObject,
  withdrawn: AbortSignal | undefined,
): Promise<UpstreamReply> {
  const asked = isAskMethod(request["method"]) ? askInCall(asks, exchange, request, withdrawn) : undefined;
  return asked ?? answerServerRequest(audit, serverOf(exchange) ?? "", request, exchange);
}

/** A server may ask whether the connection lives; what it may not ask of a client is refused and recorded. */
export async function answerServerRequest(
  audit: AuditLog,
  server: ServerId,
  request: JsonObject,
  exchange?: Recorded,
): Promise<UpstreamReply> {
  const method = typeof request["method"] === "string" ? request["method"] : "";
  if (method === "ping") return { kind: "result", result: {} };
  const reply = refusedReply(method, { ...UNASKED, isUndeclared: !isAskMethod(method) });
  const share = shareOf(audit, server).take(performance.now());
  if (share === "over") return reply;
  await audit.append({
    tenant: exchange?.route.entry.tenant ?? SYSTEM_TENANT,
    event: "decision",
    body: {
      id: randomUUID(),
      during: exchange?.id ?? null,
      effect: "deny",
      code: share === "spent" ? "RATE_LIMITED" : "SERVER_REQUEST_DENIED",
      direction: "server-to-client",
      method: method.slice(0, 128),
      server,
    },
  });
  return reply;
}

/** By server, of which there are as many as the registry has. */
const sharesByLog = new WeakMap<AuditLog, Map<ServerId, AskShare>>();

function shareOf(audit: AuditLog, server: ServerId): AskShare {
  const shares = sharesByLog.get(audit) ?? new Map<ServerId, AskShare>();
  sharesByLog.set(audit, shares);
  const share = shares.get(server) ?? new AskShare();
  shares.set(server, share);
  return share;
}

/** The notification as it may go downstream, or undefined where it may not. */
export function governNotification(
  notification: JsonObject,
  era: Era,
  transform: CompiledTransform | undefined,
  /** Gives hashes their key; without it a notification that would be hashed is dropped. */
  keys?: TransformOptions,
): JsonObject | undefined {
  const method = notification["method"];
  if (typeof method !== "string") return undefined;
  const row = lookupMethod("server-to-client", method, era);
  if (row?.kind !== "notification" || row.handling !== "forward") return undefined;
  // Its task is known to whoever keeps the ids of tasks: see `governTaskStatus`.
  if (row.target === "task") return undefined;
  if (row.target === "resource") return updatedResource(method, notification["params"]);
  if (transform === undefined) return notification;
  try {
    return scrubMessage(transform, notification, [], { fingerprint: keys?.fingerprint });
  } catch {
    // A notification is dispensable: one that cannot be redacted is dropped, and the call goes on.
    return undefined;
  }
}

/** The URI is what was judged; whatever else a server adds was not. */
function updatedResource(method: string, params: JsonValue | undefined): JsonObject | undefined {
  const uri = isJsonObject(params) ? params["uri"] : undefined;
  return typeof uri === "string" ? { jsonrpc: "2.0", method, params: { uri } } : undefined;
}
