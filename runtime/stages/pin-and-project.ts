// Stage 6, pin + project: the live definition is the approved one, and the arguments have the approved shape.
import { checkParamHeaders } from "#mcp";
import type { PreparedCall } from "#pdp";
import type { PinCheck } from "#upstream";
import type { Projected, Target, Targeted } from "../pipeline/exchange.ts";
import type { Stage } from "../pipeline/pipeline.ts";
import { requestFactsOf } from "../pipeline/request-facts.ts";
import { deny, proceed } from "../pipeline/verdict.ts";
import type { Verdict } from "../pipeline/verdict.ts";

export function createPinAndProjectStage(): Stage<Targeted, Projected> {
  return {
    name: "pin+project",
    run: (exchange, signal) => {
      const { target, era, route } = exchange;
      if (target.kind === "server") return proceed({ ...exchange, query: undefined });
      if (era === "modern")
        checkParamHeaders(exchange.inbound.headers, target.leaf.paramHeaders, target.arguments);
      const verifier = route.server.binding.verifier;
      const pin = verifier.check(target.server, era, target.leaf);
      if (pin.ok || pin.code !== "PIN_UNVERIFIED") return projectPinned(exchange, target, pin, signal);
      return verifier
        .verify(target.server, era, signal)
        .then(() => verifier.check(target.server, era, target.leaf))
        .then((again) => projectPinned(exchange, target, again, signal));
    },
  };
}

/** Asynchronous only where deriving a fact is. */
function projectPinned(
  exchange: Targeted,
  target: Extract<Target, { kind: "leaf" }>,
  pin: PinCheck,
  signal: AbortSignal,
): Verdict<Projected> | Promise<Verdict<Projected>> {
  if (!pin.ok) return deny({ code: pin.code, detail: pin.detail });
  if (target.mode === "visibility") return proceed({ ...exchange, query: undefined });
  const { tenant } = exchange.route.entry;
  const { evaluator } = exchange.snapshot;
  const prepared = evaluator.prepare({
    tenant,
    action: target.action,
    arguments: target.arguments,
    principal: exchange.principal.facts,
    request: requestFactsOf(exchange),
    signal,
  });
  if (!(prepared instanceof Promise)) return withQuery(exchange, prepared);
  return prepared.then((call) => withQuery(exchange, call));
}

function withQuery(exchange: Targeted, prepared: PreparedCall): Verdict<Projected> {
  if (prepared.ok) return proceed({ ...exchange, query: prepared.query });
  return deny({ code: prepared.code, detail: prepared.detail, reason: prepared.detail });
}
