// Stage 11, dispatch: one upstream call, or the gateway's own answer. Accepts nothing less than a recorded exchange.
import type { ChannelKey, ExchangeObserver, OutboundRequest, UpstreamReply } from "#upstream";
import { AegisError, isAegisError } from "#errors";
import { isJsonObject } from "#std";
import type { Clock } from "#std";
import { answerAskMessage, declaredBy, legacyChannel, rememberCaller } from "../asks/index.ts";
import type { InputRounds } from "../asks/index.ts";
import { answerOf } from "../pipeline/answer-rules.ts";
import type { Bridge } from "../bridge/index.ts";
import { isBridged } from "../bridge/index.ts";
import { learn } from "../pipeline/exchange.ts";
import type { Answer, Answered, ExchangeControl, Recorded } from "../pipeline/exchange.ts";
import type { Stage } from "../pipeline/pipeline.ts";
import { proceed } from "../pipeline/verdict.ts";
import type { Verdict } from "../pipeline/verdict.ts";

export interface DispatchOptions {
  /** Answers the methods the gateway serves itself: lifecycle, liveness, lists. */
  readonly answerLocally: (exchange: Recorded, signal: AbortSignal) => Answer | Promise<Answer>;
  /** Governs what the upstream sends while a call is under way. */
  readonly observe: (exchange: Recorded) => ExchangeObserver;
  /** Told how each upstream request ended: `result`, `error`, or the code of the fault. Must not throw. */
  readonly onUpstream: (server: string, outcome: string, durationMs: number) => void;
  readonly clock: Clock;
  /** The gateway's own answer to a subscription that the server does not keep; undefined for everything else. */
  readonly subscribe: (exchange: Recorded) => Answer | undefined;
  /** Governs answers that came with a call before anything was asked. */
  readonly answersAhead: InputRounds["ahead"];
  /** Serves a server that was not pinned in the caller's era. */
  readonly bridge: Bridge;
  /** Large answers are left to a worker instead of being read on this thread. */
  readonly deferLarge: boolean;
}

export function createDispatchStage(options: DispatchOptions): Stage<Recorded, Answered> {
  return {
    name: "dispatch",
    run: (exchange, signal) => {
      if (exchange.outbound === undefined) return answerHere(exchange, options, signal);
      const subscribed = options.subscribe(exchange);
      if (subscribed !== undefined) return answered(exchange, subscribed);
      return send(exchange, exchange.outbound, options, signal);
    },
  };
}

async function answerHere(
  exchange: Recorded,
  options: DispatchOptions,
  signal: AbortSignal,
): Promise<Verdict<Answered>> {
  const ofAsk = answerAskMessage(exchange);
  return answered(exchange, ofAsk ?? (await options.answerLocally(exchange, signal)));
}

function answered(exchange: Recorded, answer: Answer): Verdict<Answered> {
  return proceed(learn(exchange, { answer, transformed: 0 }));
}

async function send(
  exchange: Recorded,
  outbound: OutboundRequest,
  options: DispatchOptions,
  signal: AbortSignal,
): Promise<Verdict<Answered>> {
  if (exchange.target.kind === "endpoint")
    throw new AegisError("STAGE_FAULT", "a message of the endpoint itself has no server to go to");
  const { upstream } = exchange.target.server.binding;
  let large: Uint8Array | undefined;
  const onLarge = (bytes: Uint8Array): void => {
    large = bytes;
  };
  const { maxResponseBytes } = exchange.route.entry;
  // The answer to a subscription names it by an id that only the upstream leg can map back.
  const defers = options.deferLarge && outbound.callerId === undefined;
  const limits = defers ? { maxResponseBytes, onLarge } : { maxResponseBytes };
  const { clock, observe, onUpstream } = options;
  const channel = channelOf(exchange);
  rememberCaller(exchange);
  const { entry } = exchange.target.server;
  const { bindingKey } = exchange.principal;
  const sender = isBridged(entry, exchange.era)
    ? options.bridge.over({
        ...{ entry, upstream, bindingKey },
        logLevel: exchange.session?.logLevel,
        answerAhead: options.answersAhead(exchange, signal),
      })
    : upstream;
  const startedMs = clock.monotonicMs();
  const waiting = waitingForServer(exchange.control, observe(exchange));
  let outcome = "STAGE_FAULT";
  try {
    const reply = await sender.request(channel, outbound, waiting.observer, limits, signal);
    outcome = reply.kind;
    requireCapabilities(exchange, reply);
    return answered(
      exchange,
      large === undefined ? answerOf(reply, exchange.era) : { kind: "unread", bytes: large },
    );
  } catch (fault) {
    if (isAegisError(fault)) outcome = fault.code;
    throw fault;
  } finally {
    waiting.end();
    onUpstream(upstream.server, outcome, clock.monotonicMs() - startedMs);
  }
}

/** While the server waits for the client's answer, or its own is being read, the time is not the server's. */
function waitingForServer(
  control: ExchangeControl,
  observer: ExchangeObserver,
): { readonly observer: ExchangeObserver; readonly end: () => void } {
  let asks = 0;
  let isOver = false;
  let stop = control.waitForServer();
  const asking: ExchangeObserver["onServerRequest"] = async (asked, withdrawn) => {
    asks += 1;
    stop();
    try {
      return await observer.onServerRequest(asked, withdrawn);
    } finally {
      asks -= 1;
      if (asks === 0 && !isOver) stop = control.waitForServer();
    }
  };
  const end = (): void => {
    isOver = true;
    stop();
  };
  return { observer: { ...observer, onServerRequest: asking, onReceived: end }, end };
}

/** A server that needs what the client does not declare (MCP 2026-07-28). */
const MISSING_CAPABILITY = -32021;

/**
 * Where the client declared all that the server needs, the gateway did not pass that on, as nothing of it is permitted.
 * @throws {AegisError} SERVER_REQUEST_DENIED
 */
function requireCapabilities(exchange: Recorded, reply: UpstreamReply): void {
  if (exchange.era !== "modern" || reply.kind !== "error" || reply.error.code !== MISSING_CAPABILITY) return;
  const { data } = reply.error;
  const needed = isJsonObject(data) ? data["requiredCapabilities"] : undefined;
  const declared = declaredBy(exchange);
  const names = Object.keys(isJsonObject(needed) ? needed : {});
  if (names.every((name) => Object.hasOwn(declared, name) && isJsonObject(declared[name])))
    throw new AegisError("SERVER_REQUEST_DENIED", "the server needs a capability that no policy permits");
}

export function channelOf(exchange: Recorded): ChannelKey {
  if (exchange.era === "modern") return { era: "modern" };
  if (exchange.target.kind !== "leaf")
    throw new AegisError("STAGE_FAULT", "a call of no server in particular");
  return legacyChannel(exchange, exchange.target.server);
}
