// Stage 6, pin + project: the live definition is the approved one, and the arguments have the approved shape.
import { aboutRequest } from "#errors";
import { checkParamHeaders } from "#mcp";
import { isListed } from "#pdp";
import type { DecisionQuery, PreparedCall } from "#pdp";
import type { PinCheck } from "#upstream";
import { upstreamEra } from "../bridge/index.ts";
import { learn } from "../pipeline/exchange.ts";
import type { MethodGate, Projected, Target, Targeted } from "../pipeline/exchange.ts";
import type { Stage } from "../pipeline/pipeline.ts";
import { requestFactsOf } from "../pipeline/request-facts.ts";
import { deny, proceed } from "../pipeline/verdict.ts";
import type { Verdict } from "../pipeline/verdict.ts";

type LeafTarget = Extract<Target, { kind: "leaf" }>;

export function createPinAndProjectStage(): Stage<Targeted, Projected> {
  return {
    name: "pin+project",
    run: (exchange, signal) => {
      const { target, era } = exchange;
      if (target.kind === "endpoint")
        return proceed(learn(exchange, { query: undefined, gateQuery: undefined }));
      if (era === "modern" && exchange.inbound.transport === "http") requireParamHeaders(exchange, target);
      // Methods and resource rules have no definition that could change.
      if (target.leaf.definitions.length === 0) return projectPinned(exchange, target, { ok: true }, signal);
      const server = target.server.entry.id;
      const { verifier } = target.server.binding;
      const pinnedEra = upstreamEra(target.server.entry, era);
      const pin = verifier.check(server, pinnedEra, target.leaf);
      if (pin.ok || pin.code !== "PIN_UNVERIFIED") return projectPinned(exchange, target, pin, signal);
      const stopWaiting = exchange.control.waitForServer();
      return verifier
        .verify(server, pinnedEra, signal)
        .finally(stopWaiting)
        .then((read) => {
          const again = verifier.check(server, pinnedEra, target.leaf);
          const isRead = again.ok || again.code !== "PIN_UNVERIFIED" || read.ok;
          return projectPinned(exchange, target, isRead ? again : read, signal);
        });
    },
  };
}

/** Which headers a tool has is told to whoever may see the tool. @throws {AegisError} HEADER_MISMATCH */
function requireParamHeaders(exchange: Targeted, { leaf, action, arguments: args }: LeafTarget): void {
  const { inbound, snapshot, route, principal } = exchange;
  const check = (): void => checkParamHeaders(inbound.headers, leaf.paramHeaders, args);
  if (leaf.paramHeaders.length === 0) return;
  const { tenant } = route.entry;
  const request = requestFactsOf(exchange);
  if (isListed(snapshot.evaluator, tenant, principal, request, action)) aboutRequest(check);
  else check();
}

/** Asynchronous only where deriving a fact is. */
function projectPinned(
  exchange: Targeted,
  target: LeafTarget,
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
