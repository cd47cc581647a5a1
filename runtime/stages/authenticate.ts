// Stage 3, authenticate: headers only, before the body is read. Runs on every message, inside a session too.
import type { Clock } from "#std";
import { learn } from "../pipeline/exchange.ts";
import type { Authenticated, Located } from "../pipeline/exchange.ts";
import type { Stage } from "../pipeline/pipeline.ts";
import { proceed } from "../pipeline/verdict.ts";

export function createAuthenticateStage(clock: Clock): Stage<Located, Authenticated> {
  return {
    name: "authenticate",
    run: (exchange, signal) => {
      const { entry, verifier } = exchange.route;
      const header = exchange.inbound.headers.get("authorization");
      const nowMs = clock.nowMs();
      const known = verifier.known(header, entry, nowMs);
      if (known !== undefined) return proceed(learn(exchange, { principal: known }));
      return verifier
        .verify(header, entry, nowMs, signal)
        .then((principal) => proceed(learn(exchange, { principal })));
    },
  };
}
