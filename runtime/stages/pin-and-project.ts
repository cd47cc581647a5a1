// Stage 6, pin + project: the live definition is the approved one, and the arguments have the approved shape.
import { checkParamHeaders } from "#mcp";
import type { Projected, Targeted } from "../pipeline/exchange.ts";
import type { Stage } from "../pipeline/pipeline.ts";
import { deny, proceed } from "../pipeline/verdict.ts";

export function createPinAndProjectStage(): Stage<Targeted, Projected> {
  return {
    name: "pin+project",
    run: async (exchange, signal) => {
      const { target, era, principal, snapshot, route } = exchange;
      if (target.kind === "server") return proceed({ ...exchange, query: undefined });
      if (era === "modern")
        checkParamHeaders(exchange.inbound.headers, target.leaf.paramHeaders, target.arguments);
      const verifier = route.server.binding.verifier;
      let pin = verifier.check(target.server, era, target.leaf);
      if (!pin.ok && pin.code === "PIN_UNVERIFIED") {
        await verifier.verify(target.server, era, signal);
        pin = verifier.check(target.server, era, target.leaf);
      }
      if (!pin.ok) return deny({ code: pin.code, detail: pin.detail });
      if (target.mode === "visibility") return proceed({ ...exchange, query: undefined });
      const prepared = await snapshot.evaluator.prepare(
        route.entry.tenant,
        target.action,
        target.arguments,
        principal.facts,
        signal,
      );
      if (!prepared.ok)
        return deny({ code: prepared.code, detail: prepared.detail, reason: prepared.detail });
      return proceed({ ...exchange, query: prepared.query });
    },
  };
}
