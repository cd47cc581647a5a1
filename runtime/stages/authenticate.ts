// Stage 3, authenticate: headers only, before the body is read. Runs on every message, inside a session too.
import type { Clock } from "#std";
import type { Authenticated, Located } from "../pipeline/exchange.ts";
import type { Stage } from "../pipeline/pipeline.ts";
import { proceed } from "../pipeline/verdict.ts";

export function createAuthenticateStage(clock: Clock): Stage<Located, Authenticated> {
  return {
    name: "authenticate",
    run: async (exchange, signal) => {
      const header = exchange.inbound.headers.get("authorization");
      const principal = await exchange.route.verifier.verify(
        header,
        exchange.route.entry,
        clock.nowMs(),
        signal,
      );
      return proceed({ ...exchange, principal });
    },
  };
}
