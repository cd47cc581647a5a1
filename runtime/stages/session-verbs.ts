// The two verbs of a legacy session that carry no message: GET opens its stream, DELETE ends it. They pass the same
// listener, endpoint and authenticate stages as every message.
import { AegisError, isAegisError } from "#errors";
import type { ConcurrencyLimit } from "#limits";
import { requireSpokenVersion } from "#mcp";
import type { Authenticated } from "../pipeline/exchange.ts";
import type { Stage } from "../pipeline/pipeline.ts";
import { proceed } from "../pipeline/verdict.ts";
import type { SseStream } from "../listener/inbound.ts";
import type { LegacySession, SessionTable } from "../sessions/session-table.ts";
import { recordOpening } from "../streams/recorded-opening.ts";
import type { Conclude, OpeningOptions } from "../streams/recorded-opening.ts";

export interface SessionVerbOptions extends OpeningOptions {
  readonly sessions: SessionTable;
  /** Of open streams. */
  readonly limit: ConcurrencyLimit;
}

export function createSessionVerbStage(options: SessionVerbOptions): Stage<Authenticated, Authenticated> {
  return {
    name: "session",
    run: async (exchange) => {
      const { inbound, route, principal } = exchange;
      if (inbound.method !== "GET" && inbound.method !== "DELETE") {
        throw new AegisError("HTTP_METHOD", `${inbound.method} on an MCP endpoint`);
      }
      const id = inbound.headers.get("mcp-session-id");
      // Without a session there is nothing to stream or end: a modern client, or a probe (MCP 2026-07-28: 405).
      if (id === undefined) {
        throw new AegisError("HTTP_METHOD", `${inbound.method} without a session`);
      }
      requireSpokenVersion(inbound.headers);
      const session = options.sessions.find(id, route.entry.path, principal.bindingKey);
      const lastEventId = inbound.headers.get("last-event-id");
      if (inbound.method === "GET") requireOpenable(session, lastEventId);
      const stage = inbound.method === "GET" ? "open-stream" : "end-session";
      const conclude = await recordOpening(exchange, stage, options);
      if (inbound.method === "GET") {
        openStream(exchange, { session, lastEventId, conclude }, options);
        return proceed(exchange);
      }
      options.sessions.end(session);
      await conclude(null);
      exchange.reply.finish(204, undefined);
      return proceed(exchange);
    },
  };
}

/**
 * A session has one general stream. A client that names an event of a stream takes that stream over from its former
 * connection, which it knows to be dead before the gateway does.
 * @throws {AegisError} SESSION_STREAM_CONFLICT, EVENT_UNKNOWN
 */
function requireOpenable(session: LegacySession, lastEventId: string | undefined): void {
  if (lastEventId === undefined) {
    if (session.stream === undefined) return;
    throw new AegisError("SESSION_STREAM_CONFLICT", "the session's stream is open already");
  }
  if (session.streams.find(lastEventId) === undefined)
    throw new AegisError("EVENT_UNKNOWN", "an event id of another session, or one that is no longer kept");
}

interface StreamOpening {
  readonly session: LegacySession;
  readonly lastEventId: string | undefined;
  readonly conclude: Conclude;
}

/** Opens or resumes a stream; its record is concluded once, when the connection ends, or now where it cannot be opened. */
function openStream(
  exchange: Authenticated,
  { session, lastEventId, conclude }: StreamOpening,
  options: SessionVerbOptions,
): void {
  let release: (() => void) | undefined;
  try {
    // While this was recorded the session may have ended: a stream of it would have nobody to end it.
    if (options.sessions.get(session.id) !== session)
      throw new AegisError("SESSION_UNKNOWN", "the session has ended meanwhile");
    // A second GET may have passed the first check.
    requireOpenable(session, lastEventId);
    const isGeneral = lastEventId === undefined || session.streams.find(lastEventId) === "general";
    // What goes on with an answer is there instead of the connection of its request, which is not counted either.
    if (isGeneral) {
      // The connection that is taken over gives its room back first: a caller at the cap could not come back otherwise.
      session.stream?.end();
      release = options.limit.take(session.ownerKey);
    }
    const connection = exchange.reply.takeOver({ "mcp-session-id": session.id });
    if (connection === undefined) throw new AegisError("STAGE_FAULT", "the response was used already");
    const stream = attach(exchange, session, connection, lastEventId);
    if (isGeneral) {
      session.stream = stream;
      session.authorization = exchange.inbound.headers.get("authorization");
      judgeAgain(session, exchange);
    }
    const close = (): void => {
      if (session.stream?.closed === connection.closed) session.stream = undefined;
      release?.();
      void conclude(null);
    };
    if (connection.closed.aborted) close();
    else connection.closed.addEventListener("abort", close, { once: true });
  } catch (fault) {
    release?.();
    void conclude(isAegisError(fault) ? fault.code : "STAGE_FAULT");
    throw fault;
  }
}

/** A swap may have passed while this was recorded: the sweep after it saw no stream whose token it had to verify. */
function judgeAgain(session: LegacySession, { snapshot }: Authenticated): void {
  const { seen } = session;
  if (seen !== undefined && seen.release !== snapshot.digest) session.seen = { ...seen, release: "" };
}

function attach(
  { principal }: Authenticated,
  session: LegacySession,
  connection: SseStream,
  lastEventId: string | undefined,
): SseStream | undefined {
  session.expiresAtMs = principal.expiresAtMs;
  return lastEventId === undefined
    ? session.streams.openGeneral(connection)
    : session.streams.resume(lastEventId, connection);
}
