// What upstreams send outside any request, and what a swap means for streams that are open: each message on a
// long-lived stream is governed by the snapshot that is current when it passes.
import type { AuditLog } from "#audit";
import type { ServerId } from "#bundle";
import { lookupMethod } from "#mcp";
import { rewriteNotification } from "#naming";
import type { JsonObject } from "#std";
import type { ChannelKey, UpstreamEvents, UpstreamReply } from "#upstream";
import { askInSession, isAskMethod } from "../asks/index.ts";
import type { AskDesk } from "../asks/index.ts";
import type { Bridge } from "../bridge/index.ts";
import { answerServerRequest, governNotification, isOfSession } from "../pipeline/server-messages.ts";
import type { Route, RoutedServer, Snapshot } from "../snapshot/snapshot.ts";
import type { UpstreamBindings } from "../snapshot/bindings.ts";
import { passesLogLevel } from "../streams/log-level.ts";
import { changedList } from "../streams/list-changes.ts";
import type { ListChanges } from "../streams/list-changes.ts";
import { mayRead } from "../streams/resource-access.ts";
import type { ResourceUpdates } from "../streams/resource-updates.ts";
import { TASK_STATUS, governTaskStatus } from "../tasks/index.ts";
import type { OpenTasks } from "../tasks/index.ts";
import { listenerOf, notifySession } from "./session-table.ts";
import type { LegacySession, SessionTable } from "./session-table.ts";

export interface EventRouterOptions {
  readonly audit: AuditLog;
  /** Governs what servers ask of clients. */
  readonly asks: AskDesk;
  readonly sessions: SessionTable;
  readonly updates: Pick<ResourceUpdates, "onNotification" | "onClosed">;
  readonly listChanges: Pick<ListChanges, "heard">;
  readonly bindings: () => UpstreamBindings;
  /** Takes what comes on channels of its own. */
  readonly bridge: Pick<Bridge, "onNotification" | "onClosed">;
  /** Which tasks a session's caller has. */
  readonly openTasks: OpenTasks;
  readonly snapshot: () => Snapshot | undefined;
  readonly onNotification: (method: string, relayed: boolean) => void;
  readonly onViolation: (server: ServerId, detail: string) => void;
}

export function createEventRouter(options: EventRouterOptions): UpstreamEvents {
  return {
    onNotification: (server, channel, notification) => {
      const method = typeof notification["method"] === "string" ? notification["method"] : "";
      const changed = changedList(method);
      if (changed !== undefined) {
        // The pins come first: whoever is told asks for the list, or calls, at once.
        for (const verifier of options.bindings().verifiers()) verifier.invalidate(server);
        options.listChanges.heard(server, changed);
        return;
      }
      if (options.bridge.onNotification(channel, notification)) return;
      options.onNotification(method, relay(options, server, channel, notification));
    },
    onServerRequest: (server, channel, request, withdrawn) =>
      ask(options, server, channel, request, withdrawn) ??
      answerServerRequest(options.audit, server, request),
    onClosed: (server, channel) => {
      options.bridge.onClosed(channel);
      if (channel.era === "legacy") options.updates.onClosed(channel.session);
      // A process that is started again may show other definitions.
      for (const verifier of options.bindings().verifiers()) verifier.invalidate(server);
    },
    onProtocolViolation: options.onViolation,
  };
}

/** Undefined where there is no client to ask. */
function ask(
  { asks, sessions, snapshot: current }: EventRouterOptions,
  server: ServerId,
  channel: ChannelKey,
  request: JsonObject,
  withdrawn: AbortSignal,
): Promise<UpstreamReply> | undefined {
  const session = channel.era === "legacy" ? sessions.get(channel.session) : undefined;
  const snapshot = current();
  if (session === undefined || snapshot === undefined || !isAskMethod(request["method"])) return undefined;
  const route = snapshot.routes.get(session.routePath);
  const routed = route?.servers.find(({ entry }) => entry.id === server);
  if (route === undefined || routed === undefined) return undefined;
  return askInSession(asks, session, { snapshot, route, server: routed }, request, withdrawn);
}

function relay(
  options: EventRouterOptions,
  server: ServerId,
  channel: ChannelKey,
  notification: JsonObject,
): boolean {
  if (channel.era !== "legacy") return false;
  if (options.updates.onNotification(channel.session, notification)) return true;
  const session = options.sessions.get(channel.session);
  const snapshot = options.snapshot();
  const route = session === undefined ? undefined : snapshot?.routes.get(session.routePath);
  const routed = route?.names.byId.get(server);
  if (session === undefined || snapshot === undefined || route === undefined || routed === undefined)
    return false;
  if (notification["method"] === TASK_STATUS) {
    const told = taskStatus(options, session, snapshot, route, server, notification);
    return told !== undefined && notifySession(session, JSON.stringify(told));
  }
  if (!passesLogLevel(notification, session.logLevel ?? "all")) return false;
  if (!maySee(session, snapshot, route, routed, notification)) return false;
  const governed = governNotification(notification, "legacy", undefined);
  if (governed === undefined || !isOfSession(session, server, governed)) return false;
  return notifySession(session, JSON.stringify(rewriteNotification(route, routed, governed)));
}

function taskStatus(
  { openTasks, audit }: EventRouterOptions,
  session: LegacySession,
  snapshot: Snapshot,
  route: Route,
  server: ServerId,
  notification: JsonObject,
): JsonObject | undefined {
  const { bindingKey, issuer, principal: facts, missingAttributes, request } = session;
  const principal = { bindingKey, issuer, facts, missingAttributes };
  const caller = { snapshot, route, principal, request };
  return governTaskStatus(caller, server, notification, openTasks, { fingerprint: audit.fingerprint });
}

function maySee(
  session: LegacySession,
  snapshot: Snapshot,
  route: Route,
  routed: RoutedServer,
  notification: JsonObject,
): boolean {
  const method = String(notification["method"]);
  if (lookupMethod("server-to-client", method, "legacy")?.target === "resource") {
    const params = notification["params"] as JsonObject | undefined;
    const uri = params?.["uri"];
    return typeof uri === "string" && mayRead(snapshot, route, listenerOf(session), { server: routed, uri });
  }
  // Free text that belongs to no call could carry a value that a transform removes from some call's result.
  return !routed.entry.leaves.some(
    (leaf) => snapshot.transformFor(route.entry.tenant, leaf.action) !== undefined,
  );
}

function serverIds({ servers }: Route): string {
  return JSON.stringify(servers.map(({ entry }) => entry.id));
}

/** Ends the sessions whose route is gone or changed hands. Called on every swap. */
export function reauthoriseSessions(
  sessions: SessionTable,
  next: Snapshot | undefined,
  previous: Snapshot | undefined,
): void {
  for (const session of [...sessions.values()]) {
    const route = next?.routes.get(session.routePath);
    const before = previous?.routes.get(session.routePath);
    const isSame =
      route !== undefined &&
      before !== undefined &&
      route.entry.tenant === before.entry.tenant &&
      serverIds(route) === serverIds(before) &&
      route.entry.issuers.includes(session.issuer);
    if (!isSame) sessions.end(session);
  }
}
