// The conversation of a legacy session with one server, and what the server is told in it.
import { AegisError } from "#errors";
import type { JsonObject } from "#std";
import type { LegacyChannelKey } from "#upstream";
import type { Admitted } from "../pipeline/exchange.ts";
import type { RoutedServer } from "../snapshot/snapshot.ts";
import { callerOf } from "./ask-context.ts";
import { forwardedCapabilities } from "./client-capabilities.ts";

/** Longest that a notification to a server takes: what it came from may be over at once, and its deadline with it. */
const NOTIFY_TIMEOUT_MS = 5_000;

/**
 * The capabilities are those of the call that opens the conversation: a server that goes by older ones is refused when it
 * asks.
 * @throws {AegisError} SESSION_REQUIRED
 */
export function legacyChannel(exchange: Admitted, server: RoutedServer): LegacyChannelKey {
  const { session, snapshot, route } = exchange;
  if (session === undefined) throw new AegisError("SESSION_REQUIRED", "a legacy call without a session");
  const asked = { snapshot, route, server };
  const capabilities = forwardedCapabilities(session.clientCapabilities, asked, callerOf(exchange));
  return {
    era: "legacy",
    session: session.id,
    protocolVersion: session.protocolVersion,
    client: { capabilities, info: session.clientInfo },
  };
}

/** Tells a server what it can do without: nobody waits for it, and whether it arrived is not asked. */
export function tellServer(server: RoutedServer, channel: LegacyChannelKey, notification: JsonObject): void {
  server.binding.upstream
    .notify(channel, notification, AbortSignal.timeout(NOTIFY_TIMEOUT_MS))
    .catch(() => undefined);
}
