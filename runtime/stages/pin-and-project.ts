// Stage 6, pin + project: the live definition is the approved one, and the arguments have the approved shape.
import { checkParamHeaders } from "#mcp";
import type { DecisionQuery, PreparedCall } from "#pdp";
import type { PinCheck } from "#upstream";
import { upstreamEra } from "../bridge/index.ts";
import { learn } from "../pipeline/exchange.ts";
import type { MethodGate, Projected, Target, Targeted } from "../pipeline/exchange.ts";
import type { Stage } from "../pipeline/pipeline.ts";
import { requestFactsOf } from "../pipeline/request-facts.ts";
import { deny, proceed } from "../pipeline/verdict.ts";
import type { Verdict } from "../pipeline/verdict.ts";

export function createPinAndProjectStage(): Stage<Targeted, Projected> {
  return {
    name: "pin+project",
    run: (exchange, signal) => {
      const { target, era } = exchange;
      if (target.kind === "endpoint")
        return proceed(learn(exchange, { query: undefined, gateQuery: undefined }));
      if (era === "modern" && exchange.inbound.transport === "http")
        checkParamHeaders(exchange.inbound.headers, target.leaf.paramHeaders, target.arguments);
      // Methods and resource rules have no definition that could change.
      if (target.leaf.definitions.length === 0) return projectPinned(exchange, target, { ok: true }, signal);
      const server = target.server.entry.id;
      const { verifier } = target.server.binding;
      const pinnedEra = upstreamEra(target.server.entry, era);
      const pin = verifier.check(server, pinnedEra, target.leaf);
      if (pin.ok || pin.code !== "PIN_UNVERIFIED") return projectPinned(exchange, target, pin, signal);
      return verifier
        .verify(server, pinnedEra, signal)
        .then(() => verifier.check(server, pinnedEra, target.leaf))
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
  if (!pin.ok) {
    const isAway = pin.code === "PIN_UNVERIFIED" && !target.server.binding.isReachable();
    return deny({ code: isAway ? "UPSTREAM_UNAVAILABLE" : pin.code, detail: pin.detail });
  }
  const call = target.mode === "visibility" ? undefined : prepare(exchange, target, signal);
  const gate = target.gate === undefined ? undefined : prepare(exchange, target.gate, signal);
  if (!(call instanceof Promise) && !(gate instanceof Promise)) return withQueries(exchange, call, gate);
  return Promise.all([call, gate]).then(([preparedCall, preparedGate]) =>
    withQueries(exchange, preparedCall, preparedGate),
  );
}

function prepare(
  exchange: Targeted,
  { action, arguments: args }: MethodGate,
  signal: AbortSignal,
): PreparedCall | Promise<PreparedCall> {
  return exchange.snapshot.evaluator.prepare({
    tenant: exchange.route.entry.tenant,
    action,
    arguments: args,
    principal: exchange.principal.facts,
    request: requestFactsOf(exchange),
    signal,
  });
}

function withQueries(
  exchange: Targeted,
  call: PreparedCall | undefined,
  gate: PreparedCall | undefined,
): Verdict<Projected> {
  for (const prepared of [call, gate]) {
    if (prepared?.ok === false)
      return deny({ code: prepared.code, detail: prepared.detail, reason: prepared.detail });
  }
  return proceed(learn(exchange, { query: queryOf(call), gateQuery: queryOf(gate) }));
}

function queryOf(prepared: PreparedCall | undefined): DecisionQuery | undefined {
  return prepared?.ok === true ? prepared.query : undefined;
}
