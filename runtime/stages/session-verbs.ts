// The two verbs of a legacy session that carry no message: GET opens its stream, DELETE ends it. They pass the same
// listener, endpoint and authenticate stages as every message.
import type { AuditLog } from "#audit";
import { AegisError } from "#errors";
import { decisionRecord } from "../pipeline/audit-records.ts";
import type { Authenticated } from "../pipeline/exchange.ts";
import type { Stage } from "../pipeline/pipeline.ts";
import { proceed } from "../pipeline/verdict.ts";
import type { LegacySession, SessionTable } from "../sessions/session-table.ts";

export interface SessionVerbOptions {
  readonly sessions: SessionTable;
  readonly audit: AuditLog;
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
      if (id === undefined || route.server.entry.eras.legacy === undefined) {
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
      if (inbound.method === "GET") openStream(exchange, session);
      else endSession(exchange, session, options.sessions);
      return proceed(exchange);
    },
  };
}

function openStream(exchange: Authenticated, session: LegacySession): void {
  if (session.stream !== undefined)
    throw new AegisError("SESSION_STREAM_CONFLICT", "the session's stream is open already");
  const stream = exchange.reply.takeOver({ "mcp-session-id": session.id });
  if (stream === undefined) throw new AegisError("STAGE_FAULT", "the reply has been sent already");
  session.stream = stream;
  session.expiresAtMs = exchange.principal.expiresAtMs;
  stream.closed.addEventListener("abort", () => {
    if (session.stream === stream) session.stream = undefined;
  });
}

function endSession(exchange: Authenticated, session: LegacySession, sessions: SessionTable): void {
  sessions.end(session);
  exchange.reply.finish(204, undefined);
}
