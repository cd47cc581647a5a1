// `resources/subscribe` of a legacy session at a modern server (MCP 2026-07-28 has no such method): the gateway listens for
// the session. What comes is told on the session's own stream.
import { AegisError } from "#errors";
import { rewriteNotification } from "#naming";
import { isBridged } from "../bridge/index.ts";
import type { Answer, Recorded } from "../pipeline/exchange.ts";
import { listenerOf, notifySession } from "../sessions/session-table.ts";
import type { LegacySession } from "../sessions/session-table.ts";
import type { Snapshot } from "../snapshot/snapshot.ts";
import { mayRead } from "./resource-access.ts";
import type { ResourceUpdates } from "./resource-updates.ts";

export interface SessionSubscriptionsOptions {
  readonly updates: ResourceUpdates;
  readonly snapshot: () => Snapshot | undefined;
  readonly onNotification: (method: string, relayed: boolean) => void;
}

/** URIs that one session may be subscribed to. */
const MAX_SESSION_SUBSCRIPTIONS = 1_024;

const UPDATED = "notifications/resources/updated";
const EMPTY: Answer = { kind: "result", result: {} };

/**
 * The answer to a subscription that the gateway keeps itself; undefined for every other message.
 * @throws {AegisError} STREAM_LIMIT
 */
export function answerSubscription(
  exchange: Recorded,
  options: SessionSubscriptionsOptions,
): Answer | undefined {
  const { message, target, session, era } = exchange;
  if (era !== "legacy" || session === undefined || message.kind !== "request" || target.kind !== "leaf")
    return undefined;
  if (message.method !== "resources/subscribe" && message.method !== "resources/unsubscribe")
    return undefined;
  if (!isBridged(target.server.entry, era)) return undefined;
  const clientUri = message.params?.["uri"];
  const own = exchange.outbound?.params?.["uri"];
  if (typeof clientUri !== "string" || typeof own !== "string")
    throw new AegisError("STAGE_FAULT", "a subscription without its URI");
  const known = session.subscriptions.get(clientUri);
  if (message.method === "resources/unsubscribe") {
    known?.();
    session.subscriptions.delete(clientUri);
    return EMPTY;
  }
  if (known !== undefined) return EMPTY;
  const server = target.server.entry.id;
  const unwatch =
    session.subscriptions.size < MAX_SESSION_SUBSCRIPTIONS
      ? options.updates.watch(server, "modern", own, (uri) => tell(session, server, uri, options))
      : undefined;
  if (unwatch === undefined) throw new AegisError("STREAM_LIMIT", "too many resources are subscribed to");
  session.subscriptions.set(clientUri, unwatch);
  return EMPTY;
}

function tell(
  session: LegacySession,
  serverId: string,
  uri: string,
  { snapshot: current, onNotification }: SessionSubscriptionsOptions,
): void {
  const snapshot = current();
  const route = snapshot?.routes.get(session.routePath);
  const server = route?.servers.find(({ entry }) => entry.id === serverId);
  if (snapshot === undefined || route === undefined || server === undefined) return;
  if (!mayRead(snapshot, route, listenerOf(session), { server, uri })) return onNotification(UPDATED, false);
  const notification = { jsonrpc: "2.0", method: UPDATED, params: { uri } };
  onNotification(
    UPDATED,
    notifySession(session, JSON.stringify(rewriteNotification(route, server, notification))),
  );
}
