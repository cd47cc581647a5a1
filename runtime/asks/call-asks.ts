// Where a legacy server's request reaches its client: on the stream of the call it is made in, else on the session's own.
import type { JsonObject } from "#std";
import type { UpstreamReply } from "#upstream";
import type { Recorded } from "../pipeline/exchange.ts";
import type { LegacySession } from "../sessions/session-table.ts";
import { callerOf } from "./ask-context.ts";
import type { AskContext, AskedCaller, AskedServer } from "./ask-context.ts";
import type { AskDesk } from "./ask-desk.ts";
import { legacyChannel, tellServer } from "./legacy-channel.ts";
import { relayAsk } from "./relay-ask.ts";
import { asksOf } from "./session-asks.ts";

/**
 * A request that a server makes while a call is under way; undefined where the call has no session to ask in, or is about
 * no server in particular.
 */
export function askInCall(
  desk: AskDesk,
  exchange: Recorded,
  request: JsonObject,
  withdrawn: AbortSignal | undefined,
): Promise<UpstreamReply> | undefined {
  const { session, target, snapshot, route, control, reply } = exchange;
  if (session === undefined || target.kind !== "leaf") return undefined;
  const { server } = target;
  // A server that answers the call first takes back what it asked during it.
  const ends = [control.signal, reply.ended];
  const signal = AbortSignal.any(withdrawn === undefined ? ends : [...ends, withdrawn]);
  const context: AskContext = {
    ...{ snapshot, route, server, signal },
    caller: callerOf(exchange),
    capabilities: session.clientCapabilities,
    during: exchange.id,
    action: target.action,
  };
  const channel = legacyChannel(exchange, server);
  const client = {
    asks: asksOf(session),
    send: (json: string) => reply.notify(json) || session.stream?.send(json) === true,
    // Progress is dispensable.
    notifyServer: (notification: JsonObject) => tellServer(server, channel, notification),
  };
  return relayAsk(desk, context, request, client, signal);
}

/** Keeps who a session's caller is, for what a server asks outside any call. */
export function rememberCaller(exchange: Recorded): void {
  if (exchange.session !== undefined) asksOf(exchange.session).caller = callerOf(exchange);
}

/** Who is on the other side of a session, by the latest token that was seen in it. */
function callerNow(session: LegacySession, last: AskedCaller): AskedCaller {
  const { principal: facts, missingAttributes } = session;
  return {
    ...last,
    principal: { ...last.principal, facts, missingAttributes },
    facts,
    missingAttributes,
    request: { ...session.request, nowMs: Date.now() },
  };
}

/**
 * A request that a server makes outside any call; undefined where the session has no stream, or has made no call yet for
 * whose caller it could be decided.
 */
export function askInSession(
  desk: AskDesk,
  session: LegacySession,
  asked: AskedServer,
  request: JsonObject,
  withdrawn: AbortSignal,
): Promise<UpstreamReply> | undefined {
  const asks = asksOf(session);
  const { caller } = asks;
  const { stream } = session;
  if (caller === undefined || stream === undefined || Date.now() >= session.expiresAtMs) return undefined;
  const signal = AbortSignal.any([
    withdrawn,
    stream.closed,
    AbortSignal.timeout(asked.route.entry.deadlineMs),
  ]);
  const context: AskContext = {
    ...asked,
    caller: callerNow(session, caller),
    capabilities: session.clientCapabilities,
    during: null,
    action: undefined,
    signal,
  };
  const channel = { era: "legacy", session: session.id, protocolVersion: session.protocolVersion } as const;
  const client = {
    asks,
    send: (json: string) => session.stream?.send(json) === true,
    notifyServer: (notification: JsonObject) => tellServer(asked.server, channel, notification),
  };
  return relayAsk(desk, context, request, client, signal);
}
