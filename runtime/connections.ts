// Connections that carry many messages: how they are opened, who may open them, and what ends them. Opening one passes
// the listener, endpoint and authenticate stages and is recorded; so is its end.
import { AegisError } from "#errors";
import type { WebSocket } from "ws";
import { headerView } from "#mcp";
import type { ExchangeHandler } from "./exchange-handler.ts";
import { requireLegacyAccept } from "./listener/check-transport.ts";
import { ConnectionTable, newConnectionId } from "./listener/connection/connection-table.ts";
import type { ConnectionOwner, EndReason, OpenConnection } from "./listener/connection/connection-table.ts";
import {
  carriedHeaders,
  endpointEvent,
  openSse,
  postToSse,
  readConnectionId,
} from "./listener/connection/http-sse.ts";
import type { ConnectionLimits } from "./listener/connection/limits.ts";
import type { ConnectionOptions, ConnectionSessions } from "./listener/connection/message-connection.ts";
import { openStdio } from "./listener/connection/stdio.ts";
import type { StdioConnection, StdioStreams } from "./listener/connection/stdio.ts";
import type { TokenSource } from "./listener/connection/token-source.ts";
import { checkUpgrade, openWebSocket } from "./listener/connection/websocket.ts";
import type { HttpReply, InboundHttp } from "./listener/inbound.ts";
import { relocated } from "./listener/relocated.ts";
import type { Authenticated, Exchange, Reached } from "./pipeline/exchange.ts";
import type { Pipeline, Stage } from "./pipeline/pipeline.ts";
import { refuse } from "./pipeline/run-exchange.ts";
import type { ExchangeRunner } from "./pipeline/run-exchange.ts";
import { proceed } from "./pipeline/verdict.ts";
import { ownerKeyOf } from "./sessions/session-table.ts";
import type { SessionTable } from "./sessions/session-table.ts";
import { recordOpening } from "./streams/recorded-opening.ts";
import type { Conclude, OpeningOptions } from "./streams/recorded-opening.ts";
import type { Snapshot } from "./snapshot/snapshot.ts";

export interface ConnectionsOptions extends OpeningOptions {
  readonly run: ExchangeHandler["run"];
  /** Answers one message of a connection. */
  readonly handle: (inbound: InboundHttp) => Promise<void>;
  readonly runner: ExchangeRunner;
  /** Listener, endpoint and authenticate, then the given stage. */
  readonly pipelineTo: (last: Stage<Authenticated, Authenticated>) => Pipeline<Exchange, Authenticated>;
  readonly sessions: SessionTable;
  readonly limits: ConnectionLimits;
}

export interface Connections {
  /** An upgrade to WebSocket; `accept` completes the handshake, or gives undefined where the client has gone. */
  readonly upgrade: (inbound: InboundHttp, accept: () => Promise<WebSocket | undefined>) => Promise<void>;
  /** A request at the HTTP+SSE endpoint of the route at `routePath`. */
  readonly sse: (inbound: InboundHttp, routePath: string) => Promise<void>;
  /** @throws {LocalStartError} where the token is not accepted, or the route is not there */
  readonly local: (streams: StdioStreams, routePath: string, token: TokenSource) => Promise<StdioConnection>;
  readonly count: () => number;
  /** Ends what has expired. */
  readonly sweep: () => void;
  /** Ends the connections whose route is gone, changed hands, or no longer trusts their issuer. */
  readonly reauthorise: (next: Snapshot | undefined) => void;
  readonly drain: (graceMs: number) => Promise<void>;
}

/** A local server could not be opened: the code and the message that a remote caller would have been sent. */
export class LocalStartError extends Error {
  readonly code: string;
  constructor(code: string, message: string) {
    super(message);
    this.name = "LocalStartError";
    this.code = code;
  }
}

/** What opening a connection gave. */
interface Grant {
  readonly exchange: Authenticated;
  readonly owner: ConnectionOwner;
  /** Records the end and gives the room back. */
  readonly conclude: () => void;
}

export function createConnections(options: ConnectionsOptions): Connections {
  const table = new ConnectionTable(options.limits);
  const common = (
    inbound: InboundHttp,
    routePath: string,
    header = (): string | undefined => inbound.headers.get("authorization"),
  ): CommonOptions => ({
    routePath,
    remoteAddress: inbound.remoteAddress,
    limits: options.limits,
    sessions: sessionsOf(options.sessions, header),
    handle: options.handle,
    onFault: options.onFault,
  });
  const open = (inbound: InboundHttp, check: (inbound: InboundHttp) => void): Promise<Grant | undefined> =>
    openConnection(options, table, inbound, check);
  return {
    upgrade: async (inbound, accept) => {
      const grant = await open(inbound, ({ method, headers }) => checkUpgrade(method, headers));
      if (grant === undefined) return;
      const headers = carriedHeaders(inbound.headers);
      const { expiresAtMs } = grant.exchange.principal;
      await keep(table, grant, { expiresAtMs }, async () => {
        const socket = await accept();
        if (socket === undefined) return undefined;
        return openWebSocket(socket, { ...common(inbound, inbound.path), headers: () => headers });
      });
    },
    sse: async (inbound, routePath) => {
      if (inbound.method === "POST") return deliver(options, table, inbound, routePath);
      const located = relocated(inbound, routePath, inbound.rawTarget);
      const grant = await open(located, requireEventStream);
      if (grant === undefined) return;
      const id = newConnectionId();
      const { reply, principal } = grant.exchange;
      await keep(table, grant, { expiresAtMs: principal.expiresAtMs, id }, () => {
        const stream = reply.takeOver({}, endpointEvent(id));
        return stream === undefined ? undefined : openSse(stream, common(inbound, routePath));
      });
    },
    local: async (streams, routePath, token) => {
      const inbound = localOpening(routePath, token());
      const grant = await open(inbound, () => undefined);
      if (grant === undefined) throw inbound.refusal();
      const header = (): string | undefined => bearer(token());
      const made = openStdio(streams, {
        ...common(inbound, routePath, header),
        headers: () => authorizationHeaders(header()),
      });
      // The token may be renewed at any time; each message is judged by the one that is there then.
      await keep(table, grant, { expiresAtMs: Number.POSITIVE_INFINITY }, () => made);
      return made;
    },
    count: () => table.size,
    sweep: () => table.sweep(options.clock.nowMs()),
    reauthorise: (next) => table.reauthorise((owner) => isAdmitted(owner, next)),
    drain: (graceMs) => table.drain(graceMs),
  };
}

type MadeConnection = Pick<OpenConnection, "connection" | "end">;

/** Keeps what is made of a grant until it has closed. Where that is nothing, whatever the reason, its room is free at once. */
async function keep(
  table: ConnectionTable,
  { owner, conclude }: Grant,
  { expiresAtMs, id }: { readonly expiresAtMs: number; readonly id?: string },
  make: () => MadeConnection | undefined | Promise<MadeConnection | undefined>,
): Promise<void> {
  try {
    const made = await make();
    if (made === undefined) return conclude();
    table.add({ ...made, owner, expiresAtMs }, id);
    if (made.connection.closed.aborted) conclude();
    else made.connection.closed.addEventListener("abort", conclude, { once: true });
  } catch (fault) {
    conclude();
    throw fault;
  }
}

type CommonOptions = Pick<
  ConnectionOptions,
  "routePath" | "remoteAddress" | "limits" | "sessions" | "handle" | "onFault"
>;

function isAdmitted({ routePath, tenant, issuer }: ConnectionOwner, next: Snapshot | undefined): boolean {
  const entry = next?.routes.get(routePath)?.entry;
  return entry !== undefined && entry.tenant === tenant && entry.issuers.includes(issuer);
}

/** A GET and nothing else; what it opens is a stream. */
function requireEventStream({ method, rawTarget, headers }: InboundHttp): void {
  if (method !== "GET") throw new AegisError("HTTP_METHOD", `${method} on an HTTP+SSE endpoint`);
  requireLegacyAccept({ method, rawTarget, headers });
}

async function openConnection(
  options: ConnectionsOptions,
  table: ConnectionTable,
  inbound: InboundHttp,
  check: (inbound: InboundHttp) => void,
): Promise<Grant | undefined> {
  const { runner, pipelineTo, run } = options;
  let release: (() => void) | undefined;
  let recordEnd: Conclude | undefined;
  const last: Stage<Authenticated, Authenticated> = {
    name: "open-connection",
    run: async (exchange) => {
      check(exchange.inbound);
      release = table.reserve(ownerOf(exchange).ownerKey);
      recordEnd = await recordOpening(exchange, "open-connection", options);
      return proceed(exchange);
    },
  };
  return run(inbound, async (exchange) => {
    const outcome = await pipelineTo(last).run(exchange, exchange.control.signal, runner.onStage);
    if (outcome.kind === "proceed") {
      const conclude = (): void => {
        release?.();
        void recordEnd?.(null);
      };
      return { exchange: outcome.exchange, owner: ownerOf(outcome.exchange), conclude };
    }
    release?.();
    await refuse(runner, outcome.reached as Reached, outcome.denial, outcome.stage);
    return undefined;
  });
}

function ownerOf({ route, principal }: Authenticated): ConnectionOwner {
  return {
    routePath: route.entry.path,
    tenant: route.entry.tenant,
    issuer: principal.issuer,
    bindingKey: principal.bindingKey,
    ownerKey: ownerKeyOf(principal.issuer, principal.facts),
  };
}

/** A message posted for a stream: its caller must be the one who opened it, before a byte of the body is read. */
async function deliver(
  options: ConnectionsOptions,
  table: ConnectionTable,
  inbound: InboundHttp,
  routePath: string,
): Promise<void> {
  const { run, runner, pipelineTo } = options;
  const { rawTarget, id } = readConnectionId(inbound.rawTarget);
  let found: OpenConnection | undefined;
  const last: Stage<Authenticated, Authenticated> = {
    name: "connection",
    run: (exchange) => {
      const { route, principal } = exchange;
      found = table.find(id, route.entry.path, principal.bindingKey);
      found.expiresAtMs = principal.expiresAtMs;
      return proceed(exchange);
    },
  };
  const open = await run(relocated(inbound, routePath, rawTarget), async (exchange) => {
    const outcome = await pipelineTo(last).run(exchange, exchange.control.signal, runner.onStage);
    if (outcome.kind === "proceed") return found;
    await refuse(runner, outcome.reached as Reached, outcome.denial, outcome.stage);
    return undefined;
  });
  if (open !== undefined) await postToSse(open.connection, inbound);
}

/** `authorization`: the header of the connection's own. */
function sessionsOf(sessions: SessionTable, authorization: () => string | undefined): ConnectionSessions {
  return {
    attach: (id, stream) => {
      const session = sessions.get(id);
      if (session === undefined) return false;
      session.stream = stream;
      // Until its next message the session has the token that opened it, or the connection.
      session.authorization ??= authorization();
      return true;
    },
    detach: (id, stream) => {
      const session = sessions.get(id);
      if (session?.stream === stream) session.stream = undefined;
    },
    end: (id) => {
      const session = sessions.get(id);
      if (session !== undefined) sessions.end(session);
    },
    isOpen: (id) => sessions.get(id) !== undefined,
  };
}

function bearer(token: string | undefined): string | undefined {
  return token === undefined ? undefined : `Bearer ${token}`;
}

function authorizationHeaders(header: string | undefined): readonly string[] {
  return header === undefined ? [] : ["authorization", header];
}

/** The opening of a local server, as a request that nobody sent. */
function localOpening(
  routePath: string,
  token: string | undefined,
): InboundHttp & { readonly refusal: () => LocalStartError } {
  let refused: string | Uint8Array | undefined;
  const reply: HttpReply = {
    json: (_status, body) => {
      refused = body;
    },
    empty: () => undefined,
    openStream: () => {
      throw new AegisError("STAGE_FAULT", "the opening of a local server has no stream");
    },
    committed: false,
    messagesOnly: true,
  };
  return {
    ...{ transport: "stdio", method: "GET", rawTarget: routePath, path: routePath, httpVersion: "1.1" },
    headers: headerView(authorizationHeaders(bearer(token))),
    remoteAddress: "",
    readBody: () =>
      Promise.reject(new AegisError("STAGE_FAULT", "the opening of a local server has no body")),
    onClosed: () => undefined,
    closed: new AbortController().signal,
    reply,
    refusal: () => readRefusal(refused),
  };
}

function readRefusal(body: string | Uint8Array | undefined): LocalStartError {
  const text = body === undefined ? "{}" : Buffer.from(body).toString("utf8");
  const { error } = JSON.parse(text) as { error?: { message?: string; data?: { code?: string } } };
  return new LocalStartError(error?.data?.code ?? "STAGE_FAULT", error?.message ?? "refused");
}

export type { EndReason };
