// A log level at an endpoint over several servers (MCP 2025-11-25, logging): the server that the request was resolved to is
// told by its own exchange, every other one that the caller may tell by an exchange of the same request, judged and recorded
// under an id of its own.
import { randomUUID } from "node:crypto";
import { loggingArguments } from "#methods";
import { isListed } from "#pdp";
import { learn } from "../pipeline/exchange.ts";
import type {
  Answer,
  Answered,
  Concluded,
  Projected,
  Recorded,
  Target,
  Targeted,
} from "../pipeline/exchange.ts";
import { pipeline } from "../pipeline/pipeline.ts";
import type { Pipeline, Stage } from "../pipeline/pipeline.ts";
import { requestFactsOf } from "../pipeline/request-facts.ts";
import { fromTarget } from "../pipeline/request-pipeline.ts";
import { fromAnswer } from "../pipeline/response-pipeline.ts";
import { recordDenial } from "../pipeline/run-exchange.ts";
import type { ExchangeRunner } from "../pipeline/run-exchange.ts";
import { proceed, readVerdict } from "../pipeline/verdict.ts";
import type { Verdict } from "../pipeline/verdict.ts";
import type { RoutedServer } from "../snapshot/snapshot.ts";
import type { Stages } from "./stages.ts";

const SET_LEVEL = "logging/setLevel";
/** No server makes the client wait longer for what another one has taken already. */
const OTHERS_TIMEOUT_MS = 2_000;

/** Every stage between the target and the reply. */
export type LevelStages = Omit<Stages, "listener" | "endpoint" | "authenticate" | "admit" | "target">;

/**
 * These stages, but for a log level: it goes on with the first server that it is allowed for, and is answered with success
 * where any of the servers took it.
 */
export function tellingLevels(
  stages: LevelStages,
  runner: Pick<ExchangeRunner, "audit" | "clock">,
): Pick<LevelStages, "authorize" | "dispatch" | "throttle"> {
  const { authorize, pinAndProject, throttle } = stages;
  const decided = pipeline<Targeted>().stage(pinAndProject).stage(authorize);
  return {
    authorize: orAtAnother(authorize, decided.build()),
    throttle: orAtAnother(throttle, decided.stage(throttle).build()),
    dispatch: telling(stages, runner),
  };
}

/** The stage; where it denies a log level, what comes of the request at the first other server that does not. */
function orAtAnother<In extends Projected, Out>(
  stage: Stage<In, Out>,
  again: Pipeline<Targeted, Out>,
): Stage<In, Out> {
  const elsewhere = async (exchange: In, signal: AbortSignal): Promise<Verdict<Out>> => {
    const own = await stage.run(exchange, signal);
    if (readVerdict<Out>(stage.name, own).kind === "proceed") return own;
    for (const server of otherServers(exchange)) {
      const target = levelTarget(exchange, server);
      if (target === undefined) continue;
      const outcome = await again.run({ ...exchange, ...UNLEARNED, target }, signal, () => undefined);
      // The denial is recorded when the server is told, under an id of its own.
      if (outcome.kind === "proceed") return proceed(outcome.exchange as Out & object);
    }
    return own;
  };
  return {
    name: stage.name,
    run: (exchange, signal) =>
      exchange.method.method === SET_LEVEL ? elsewhere(exchange, signal) : stage.run(exchange, signal),
  };
}

function telling(
  stages: LevelStages,
  runner: Pick<ExchangeRunner, "audit" | "clock">,
): Stage<Recorded, Answered> {
  const { dispatch } = stages;
  const telling = fromAnswer(fromTarget(pipeline<Targeted>(), stages), stages).build();
  return {
    name: dispatch.name,
    run: (exchange, signal) => {
      const others = exchange.method.method === SET_LEVEL ? otherServers(exchange) : [];
      if (others.length === 0) return dispatch.run(exchange, signal);
      const tells = others.map((server) => tell(exchange, server, telling, runner, signal));
      return withOthers(exchange, dispatch, tells, signal);
    },
  };
}

/** Those with logging that the caller may use and that are not known to be away. */
function otherServers(exchange: Targeted): readonly RoutedServer[] {
  const { route, target, snapshot, principal } = exchange;
  if (target.kind !== "leaf" || route.servers.length < 2) return [];
  const request = requestFactsOf(exchange);
  return route.servers.filter((server) => {
    const action = server.methods.get(SET_LEVEL)?.action;
    if (server === target.server || action === undefined || !server.binding.isReachable()) return false;
    return isListed(snapshot.evaluator, route.entry.tenant, principal, request, action);
  });
}

/** What was learnt about another server. */
const UNLEARNED = { query: undefined, gateQuery: undefined, decision: undefined, receipt: undefined };

function levelTarget(exchange: Targeted, server: RoutedServer): Target | undefined {
  const leaf = server.methods.get(SET_LEVEL);
  if (leaf === undefined || exchange.message.kind === "response") return undefined;
  const args = loggingArguments(exchange.message.params);
  return { kind: "leaf", server, leaf, action: leaf.action, mode: "call", arguments: args };
}

async function withOthers(
  exchange: Recorded,
  dispatch: Stage<Recorded, Answered>,
  tells: readonly Promise<boolean>[],
  signal: AbortSignal,
): Promise<Verdict<Answered>> {
  const own = async (): Promise<Verdict<Answered>> => dispatch.run(exchange, signal);
  const [outcome, ...others] = await Promise.allSettled([own(), ...tells]);
  const isTold = others.some((other) => other.status === "fulfilled" && other.value);
  if (outcome.status === "fulfilled") {
    const read = readVerdict<Answered>(dispatch.name, outcome.value);
    if (!isTold || (read.kind === "proceed" && read.exchange.answer.kind === "result")) return outcome.value;
  } else if (!isTold || signal.aborted) throw outcome.reason;
  const answer: Answer = { kind: "result", result: {} };
  return proceed(learn(exchange, { answer, transformed: 0 }));
}

/** Whether the server took it. */
async function tell(
  exchange: Recorded,
  server: RoutedServer,
  telling: Pipeline<Targeted, Concluded>,
  runner: Pick<ExchangeRunner, "audit" | "clock">,
  signal: AbortSignal,
): Promise<boolean> {
  const target = levelTarget(exchange, server);
  if (target === undefined) return false;
  const own = { ...exchange, ...UNLEARNED, id: randomUUID(), target };
  const bound = AbortSignal.any([signal, AbortSignal.timeout(OTHERS_TIMEOUT_MS)]);
  const outcome = await telling.run(own, bound, () => undefined);
  if (outcome.kind === "proceed") return outcome.exchange.answer.kind === "result";
  await recordDenial(runner, own, outcome.denial, outcome.stage);
  return false;
}
