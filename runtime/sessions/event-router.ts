// What upstreams send outside any request, and what a swap means for streams that are open: each message on a
// long-lived stream is governed by the snapshot that is current when it passes.
import type { AuditLog } from "#audit";
import type { ServerId } from "#bundle";
import { lookupMethod } from "#mcp";
import { canonicalSpelling } from "#resources";
import type { JsonObject } from "#std";
import type { ChannelKey, UpstreamEvents } from "#upstream";
import { answerServerRequest, governNotification } from "../pipeline/server-messages.ts";
import type { Route, RoutedServer, Snapshot } from "../snapshot/snapshot.ts";
import type { UpstreamBindings } from "../snapshot/bindings.ts";
import type { LegacySession, SessionTable } from "./session-table.ts";

export interface EventRouterOptions {
  readonly audit: AuditLog;
  readonly sessions: SessionTable;
  readonly bindings: () => UpstreamBindings;
  readonly snapshot: () => Snapshot | undefined;
  readonly onNotification: (method: string, relayed: boolean) => void;
  readonly onViolation: (server: ServerId, detail: string) => void;
}

export function createEventRouter(options: EventRouterOptions): UpstreamEvents {
  return {
    onNotification: (server, channel, notification) => {
      const method = typeof notification["method"] === "string" ? notification["method"] : "";
      if (method.endsWith("/list_changed")) {
        for (const verifier of options.bindings().verifiers()) verifier.invalidate(server);
      }
      options.onNotification(method, relay(options, server, channel, notification));
    },
    onServerRequest: (server, _channel, request) => answerServerRequest(options.audit, server, request),
    onClosed: (server) => {
      // A process that is started again may show other definitions.
      for (const verifier of options.bindings().verifiers()) verifier.invalidate(server);
    },
    onProtocolViolation: options.onViolation,
  };
}

function relay(
  options: EventRouterOptions,
  server: ServerId,
  channel: ChannelKey,
  notification: JsonObject,
): boolean {
  if (channel.era !== "legacy") return false;
  const session = options.sessions.get(channel.session);
  const snapshot = options.snapshot();
  if (session?.stream === undefined || snapshot === undefined) return false;
  if (!maySee(session, snapshot, server, notification)) return false;
  const governed = governNotification(notification, "legacy", undefined);
  return governed !== undefined && session.stream.send(JSON.stringify(governed));
}

function maySee(
  session: LegacySession,
  snapshot: Snapshot,
  server: ServerId,
  notification: JsonObject,
): boolean {
  const route = snapshot.routes.get(session.routePath);
  const routed = route?.servers.find(({ entry }) => entry.id === server);
  if (route === undefined || routed === undefined) return false;
  const method = String(notification["method"]);
  if (lookupMethod("server-to-client", method, "legacy")?.target === "resource") {
    const params = notification["params"] as JsonObject | undefined;
    const uri = params?.["uri"];
    if (typeof uri !== "string") return false;
    return mayRead(session, snapshot, route, routed, uri);
  }
  // Free text that belongs to no call could carry a value that a transform removes from some call's result.
  return !routed.entry.leaves.some(
    (leaf) => snapshot.transformFor(route.entry.tenant, leaf.action) !== undefined,
  );
}

/** Whether the session's caller could read the resource now; a decision that cannot be made at once is a no. */
function mayRead(
  session: LegacySession,
  snapshot: Snapshot,
  route: Route,
  routed: RoutedServer,
  uri: string,
): boolean {
  const { resources } = routed;
  const leaf = resources.faultOf(uri) === undefined ? resources.leafOf(uri) : undefined;
  if (leaf === undefined) return false;
  const prepared = snapshot.evaluator.prepare({
    tenant: route.entry.tenant,
    action: leaf.action,
    arguments: { uri: canonicalSpelling(uri) },
    principal: session.principal,
    request: { ...session.request, nowMs: Date.now() },
    signal: AbortSignal.abort(),
  });
  if (prepared instanceof Promise || !prepared.ok) return false;
  return snapshot.evaluator.decide(prepared.query).effect === "allow";
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
