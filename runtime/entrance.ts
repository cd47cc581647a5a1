// Where requests of the HTTP port and messages of connections come in: says which of the ways of MCP one is.
import { aboutRequest } from "#errors";
import { requireLegacyAccept } from "./listener/check-transport.ts";
import { BATCH_VERSION, joinBatch, splitBatch, withBody } from "./listener/batch.ts";
import { SSE_SUFFIX } from "./listener/connection/http-sse.ts";
import type { InboundHttp } from "./listener/inbound.ts";
import type { Connections } from "./connections.ts";
import type { ExchangeHandler } from "./exchange-handler.ts";
import type { Authenticated, Exchange, Reached } from "./pipeline/exchange.ts";
import type { Pipeline, Stage } from "./pipeline/pipeline.ts";
import { refuse } from "./pipeline/run-exchange.ts";
import type { ExchangeRunner } from "./pipeline/run-exchange.ts";
import { proceed } from "./pipeline/verdict.ts";
import type { SessionTable } from "./sessions/session-table.ts";
import type { Snapshot } from "./snapshot/snapshot.ts";

export interface MessageEntranceOptions {
  readonly handler: ExchangeHandler;
  readonly runner: ExchangeRunner;
  readonly pipelineTo: (last: Stage<Authenticated, Authenticated>) => Pipeline<Exchange, Authenticated>;
  readonly sessions: SessionTable;
  readonly maxRequestBytes: number;
}

/** Answers a message, or the messages of a batch. */
export function createMessageEntrance(
  options: MessageEntranceOptions,
): (inbound: InboundHttp) => Promise<void> {
  return (inbound) =>
    mayBeBatch(inbound, options.sessions) ? answerBatch(inbound, options) : options.handler.handle(inbound);
}

/** Answers any request of the HTTP port. */
export function createHttpEntrance(
  message: (inbound: InboundHttp) => Promise<void>,
  connections: Connections,
  snapshot: () => Snapshot | undefined,
): (inbound: InboundHttp) => Promise<void> {
  return (inbound) => {
    const routePath = sseRouteOf(inbound.path, snapshot());
    return routePath === undefined ? message(inbound) : connections.sse(inbound, routePath);
  };
}

/** The route whose HTTP+SSE endpoint the path is; a route of exactly this path goes first. */
function sseRouteOf(path: string, snapshot: Snapshot | undefined): string | undefined {
  if (snapshot === undefined || !path.endsWith(SSE_SUFFIX) || snapshot.routes.has(path)) return undefined;
  const base = path.slice(0, -SSE_SUFFIX.length);
  return snapshot.routes.has(base) ? base : undefined;
}

/** Only a session of the one revision that has batches gets past this; the rest of the checks follow. */
function mayBeBatch({ transport, method, headers }: InboundHttp, sessions: SessionTable): boolean {
  if (method !== "POST" || (transport !== "http" && transport !== "stdio")) return false;
  const [id, ...others] = headers.all("mcp-session-id");
  return id !== undefined && others.length === 0 && sessions.get(id)?.protocolVersion === BATCH_VERSION;
}

/** The body is read once the caller is known, as for any message; each element is then a message of its own. */
async function answerBatch(inbound: InboundHttp, options: MessageEntranceOptions): Promise<void> {
  const { handler, runner, sessions, maxRequestBytes } = options;
  let messages: readonly InboundHttp[] = [];
  const last: Stage<Authenticated, Authenticated> = {
    name: "batch",
    run: async (exchange, signal) => {
      const { route, principal } = exchange;
      const body = await inbound.readBody(maxRequestBytes, signal);
      const elements = aboutRequest(() => splitBatch(body));
      if (elements === undefined) {
        messages = [withBody(inbound, body)];
        return proceed(exchange);
      }
      if (inbound.transport === "http") requireLegacyAccept(inbound);
      sessions.find(inbound.headers.get("mcp-session-id") ?? "", route.entry.path, principal.bindingKey);
      messages = joinBatch(inbound, elements);
      return proceed(exchange);
    },
  };
  const isSplit = await handler.run(inbound, async (exchange) => {
    const outcome = await options.pipelineTo(last).run(exchange, exchange.control.signal, runner.onStage);
    if (outcome.kind === "proceed") return true;
    await refuse(runner, outcome.reached as Reached, outcome.denial, outcome.stage);
    return undefined;
  });
  if (isSplit === true) await Promise.all(messages.map((message) => handler.handle(message)));
}
