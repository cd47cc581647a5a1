// What a legacy client sends that is about the requests of servers: answers, progress, and that its roots changed.
import { AegisError } from "#errors";
import type { Answer, Recorded } from "../pipeline/exchange.ts";
import { legacyChannel, tellServer } from "./legacy-channel.ts";
import { asksOf } from "./session-asks.ts";

const ACCEPTED: Answer = { kind: "accepted" };
const ROOTS_CHANGED = "notifications/roots/list_changed";

/**
 * The gateway's own answer, or undefined where the message is about something else.
 * @throws {AegisError} ASK_UNKNOWN for an answer that nothing in this session waits for
 */
export function answerAskMessage(exchange: Recorded): Answer | undefined {
  const { message, session } = exchange;
  if (message.kind === "response") {
    if (session === undefined || !asksOf(session).settle(message))
      throw new AegisError("ASK_UNKNOWN", `an answer to ${JSON.stringify(message.id).slice(0, 64)}`);
    return ACCEPTED;
  }
  if (message.kind !== "notification" || session === undefined) return undefined;
  if (message.method === "notifications/progress") {
    // Progress is dispensable, and may cross the answer that ends it.
    asksOf(session).progress(message.params);
    return ACCEPTED;
  }
  if (message.method !== ROOTS_CHANGED) return undefined;
  tellServers(exchange);
  return ACCEPTED;
}

/** Only servers that may ask for roots are told that they changed. Nobody waits for it. */
function tellServers(exchange: Recorded): void {
  for (const server of exchange.route.servers) {
    const channel = legacyChannel(exchange, server);
    if (channel.client?.capabilities["roots"] === undefined) continue;
    // A server that cannot be told asks for the roots when it needs them.
    tellServer(server, channel, { jsonrpc: "2.0", method: ROOTS_CHANGED });
  }
}
