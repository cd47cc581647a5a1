// What the gateway answers itself, by method. A local method that is not listed here is unknown.
import { AegisError } from "#errors";
import type { Sealer } from "#sealing";
import type { Answer, Recorded } from "../pipeline/exchange.ts";
import type { SessionTable } from "../sessions/session-table.ts";
import { answerDiscover, answerInitialize } from "./lifecycle.ts";
import { answerList } from "./lists.ts";

const ACCEPTED: Answer = { kind: "accepted" };

/** `listen` answers `subscriptions/listen`, with a stream that outlives the exchange. */
export function createLocalAnswers(
  sessions: SessionTable,
  sealer: Sealer,
  listen: (exchange: Recorded, signal: AbortSignal) => Promise<Answer>,
): (exchange: Recorded, signal: AbortSignal) => Answer | Promise<Answer> {
  return (exchange, signal) => {
    if (exchange.message.kind === "response" || exchange.method.handling === "drop") return ACCEPTED;
    switch (exchange.message.method) {
      case "initialize":
        return answerInitialize(exchange, sessions);
      case "server/discover":
        return answerDiscover(exchange);
      case "ping":
        return { kind: "result", result: {} };
      case "tools/list":
      case "prompts/list":
      case "resources/list":
      case "resources/templates/list":
        return answerList(exchange, sealer);
      case "subscriptions/listen":
        return listen(exchange, signal);
      case "notifications/cancelled":
        cancelInFlight(exchange);
        return ACCEPTED;
      case "notifications/initialized":
        return ACCEPTED;
      default:
        throw new AegisError("METHOD_UNKNOWN", `${exchange.message.method} has no local answer`);
    }
  };
}

/** Only a request of the same session or connection can be cancelled; an id that is not under way is ignored, as MCP has it. */
function cancelInFlight({ message, inbound, session }: Recorded): void {
  if (message.kind !== "notification") return;
  const id = message.params?.["requestId"];
  if (typeof id !== "string" && typeof id !== "number") return;
  inbound.shared?.cancelRequest(id);
  session?.inFlight.get(id)?.();
}
