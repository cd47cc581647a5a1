// The two verbs of a legacy session that carry no message: GET opens its stream, DELETE ends it. They pass the same
// listener, endpoint and authenticate stages as every message.
import type { AuditLog } from "#audit";
import { AegisError } from "#errors";
import type { Clock } from "#std";
import { decisionRecord, resultRecord } from "../pipeline/audit-records.ts";
import type { Authenticated } from "../pipeline/exchange.ts";
import type { Stage } from "../pipeline/pipeline.ts";
import { proceed } from "../pipeline/verdict.ts";
import type { LegacySession, SessionTable } from "../sessions/session-table.ts";
import { speaks } from "../snapshot/snapshot.ts";

export interface SessionVerbOptions {
  readonly sessions: SessionTable;
  readonly audit: AuditLog;
  readonly clock: Clock;
  /** The record of an ended stream could not be written; there is nobody left to tell. */
  readonly onFault: (fault: unknown) => void;
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
      if (id === undefined || !speaks(route, "legacy")) {
        throw new AegisError("HTTP_METHOD", `${inbound.method} without a session`);
      }
      const session = options.sessions.find(id, route.entry.path, principal.bindingKey);
      if (inbound.method === "GET" && session.stream !== undefined) {
        throw new AegisError("SESSION_STREAM_CONFLICT", "the session's stream is open already");
      }
      const body = decisionRecord(
        exchange,
        { effect: "allow", policies: [], stage: inbound.method === "GET" ? "open-stream" : "end-session" },
        options.audit,
      );
      await options.audit.append({ tenant: route.entry.tenant, event: "decision", body });
      if (inbound.method === "GET") {
        openStream(exchange, session, (outcome) => void conclude(exchange, outcome, options));
        return proceed(exchange);
      }
      options.sessions.end(session);
      await conclude(exchange, "accepted", options);
      exchange.reply.finish(204, undefined);
      return proceed(exchange);
    },
  };
}

type VerbOutcome = "accepted" | "denied";

/** `onEnd` is called once: when the stream ends, or now where it cannot be opened. */
function openStream(
  exchange: Authenticated,
  session: LegacySession,
  onEnd: (outcome: VerbOutcome) => void,
): void {
  // A second GET may have passed the first check while this one was recorded.
  const stream =
    session.stream === undefined ? exchange.reply.takeOver({ "mcp-session-id": session.id }) : undefined;
  if (stream === undefined) {
    onEnd("denied");
    throw new AegisError("SESSION_STREAM_CONFLICT", "the session's stream is open already");
  }
  session.stream = stream;
  session.expiresAtMs = exchange.principal.expiresAtMs;
  const close = (): void => {
    if (session.stream === stream) session.stream = undefined;
    onEnd("accepted");
  };
  if (stream.closed.aborted) close();
  else stream.closed.addEventListener("abort", close, { once: true });
}

/** An allowed verb without a result would stay open in the log for good. */
async function conclude(
  exchange: Authenticated,
  outcome: VerbOutcome,
  { audit, clock, onFault }: SessionVerbOptions,
): Promise<void> {
  const body = resultRecord(exchange, {
    outcome,
    code: outcome === "denied" ? "SESSION_STREAM_CONFLICT" : null,
    durationMs: clock.monotonicMs() - exchange.startedMonotonicMs,
    transformed: 0,
  });
  try {
    await audit.append({ tenant: exchange.route.entry.tenant, event: "result", body });
  } catch (fault) {
    onFault(fault);
  }
}
