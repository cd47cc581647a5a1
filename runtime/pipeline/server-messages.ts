// What an upstream sends of its own accord: notifications are passed on by the method table, requests are refused.
import type { AuditLog } from "#audit";
import { ERROR_CODES } from "#errors";
import { lookupMethod } from "#mcp";
import type { Era } from "#bundle";
import type { JsonObject } from "#std";
import { transformNotification } from "#transform";
import type { CompiledTransform } from "#transform";
import type { ExchangeObserver, UpstreamReply } from "#upstream";
import { decisionRecord } from "./audit-records.ts";
import type { Recorded } from "./exchange.ts";

/** Most notifications one call may relay; a server that sends more is talking to itself. */
const MAX_NOTIFICATIONS = 10_000;

export interface ServerMessageOptions {
  readonly audit: AuditLog;
  /** Counts a notification that was dropped or relayed. */
  readonly onNotification: (method: string, relayed: boolean) => void;
}

export function createObserver(options: ServerMessageOptions): (exchange: Recorded) => ExchangeObserver {
  return (exchange) => {
    const transform = exchange.target.kind === "leaf" ? exchange.snapshot.transforms.get(exchange.target.action) : undefined;
    let relayed = 0;
    return {
      onNotification: (notification) => {
        const governed = governNotification(notification, exchange.era, transform);
        const sent = governed !== undefined && relayed < MAX_NOTIFICATIONS && exchange.reply.notify(JSON.stringify(governed));
        if (sent) relayed += 1;
        options.onNotification(String(notification["method"]), sent);
      },
      onServerRequest: async (request) => {
        const method = typeof request["method"] === "string" ? request["method"] : "";
        const body = decisionRecord(
          exchange,
          { effect: "deny", policies: [], code: "SERVER_REQUEST_DENIED", detail: method, stage: "server-request" },
          options.audit,
        );
        await options.audit.append({ tenant: exchange.route.entry.tenant, event: "decision", body });
        return refusedServerRequest();
      },
    };
  };
}

/** The notification as it may go downstream, or undefined where it may not. */
export function governNotification(
  notification: JsonObject,
  era: Era,
  transform: CompiledTransform | undefined,
): JsonObject | undefined {
  const method = notification["method"];
  if (typeof method !== "string") return undefined;
  const row = lookupMethod("server-to-client", method, era);
  if (row?.kind !== "notification" || row.handling !== "forward") return undefined;
  return transform === undefined ? notification : transformNotification(transform, notification);
}

export function refusedServerRequest(): UpstreamReply {
  return { kind: "error", error: { code: -32601, message: ERROR_CODES.SERVER_REQUEST_DENIED.message } };
}
