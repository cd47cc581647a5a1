// Stage 1, listener: Host and Origin, header duplicates, target form, media type. Reads no body.
import { AegisError } from "#errors";
import type { Clock } from "#std";
import { checkTransport } from "../listener/check-transport.ts";
import type { TransportRules } from "../listener/check-transport.ts";
import type { Checked, Exchange } from "../pipeline/exchange.ts";
import type { Stage } from "../pipeline/pipeline.ts";
import { deny, proceed } from "../pipeline/verdict.ts";

export function createListenerStage(rules: TransportRules, clock: Clock): Stage<Exchange, Checked> {
  return {
    name: "listener",
    run: (exchange) => {
      if (clock.nowMs() >= exchange.snapshot.hardExpiryMs) {
        return deny({ code: "NOT_READY", detail: "the active release is past its expiry and grace" });
      }
      // Standard input and output have no address that a name could be rebound to, and no headers of a client.
      const { inbound, snapshot } = exchange;
      if (inbound.transport !== "stdio") checkTransport(inbound, rules, snapshot.routes.has(inbound.path));
      return proceed(exchange as Checked);
    },
  };
}

/** Refuses every verb but the ones an MCP endpoint has. @throws {AegisError} HTTP_METHOD */
export function requirePost(method: string): void {
  if (method !== "POST") throw new AegisError("HTTP_METHOD", `${method} on an MCP endpoint`);
}
