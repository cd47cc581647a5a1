// Stage 4, admit: one strict parse, era, header and body agreement, method row, session, deadline.
import type { Era } from "#bundle";
import { AegisError, aboutRequest } from "#errors";
import { classifyMessage, methodRow, parseClientMessage, parseStrict } from "#mcp";
import type { ClientMessage, MethodRow } from "#mcp";
import { requireLegacyAccept } from "../listener/check-transport.ts";
import { learn } from "../pipeline/exchange.ts";
import type { Admitted, Authenticated } from "../pipeline/exchange.ts";
import type { Stage } from "../pipeline/pipeline.ts";
import { requestFactsOf } from "../pipeline/request-facts.ts";
import { proceed } from "../pipeline/verdict.ts";
import type { LegacySession, SessionTable } from "../sessions/session-table.ts";
import { requirePost } from "./check-transport.ts";

export interface AdmitOptions {
  readonly maxRequestBytes: number;
  readonly sessions: SessionTable;
}

export function createAdmitStage(options: AdmitOptions): Stage<Authenticated, Admitted> {
  return {
    name: "admit",
    run: (exchange, signal) => {
      requirePost(exchange.inbound.method);
      exchange.control.setDeadline(exchange.route.entry.deadlineMs);
      return exchange.inbound
        .readBody(options.maxRequestBytes, signal)
        .then((bytes) => proceed(aboutRequest(() => admitMessage(exchange, bytes, options))));
    },
  };
}

function admitMessage(exchange: Authenticated, bytes: Uint8Array, options: AdmitOptions): Admitted {
  const { inbound, principal, control } = exchange;
  const message = parseClientMessage(parseStrict(bytes));
  address(exchange, message, undefined);
  const { era, version } = classifyMessage({
    headers: inbound.headers,
    message,
    mirrorsHeaders: inbound.transport === "http",
  });
  address(exchange, message, era);
  const method = rowOf(message, era);
  const session = era === "legacy" ? joinSession(exchange, message, options.sessions) : undefined;
  if (session !== undefined) {
    session.expiresAtMs = principal.expiresAtMs;
    session.principal = principal.facts;
    session.missingAttributes = principal.missingAttributes;
    session.authorization = inbound.headers.get("authorization");
  }
  if (era === "legacy") {
    if (inbound.transport === "http") requireLegacyAccept(inbound);
    control.keepAfterDisconnect();
  }
  inbound.shared?.admitted(message, () => control.cancel());
  if (session !== undefined && message.kind === "request") {
    trackRequest(session, message.id, exchange);
    if (inbound.transport === "http") session.streams.carry(exchange.reply);
  }
  const admitted = learn(exchange, {
    message,
    method,
    era,
    protocolVersion: session?.protocolVersion ?? version,
    session,
    requestBytes: bytes.length,
  });
  if (session !== undefined) session.request = requestFactsOf(admitted);
  return admitted;
}

/** From here on even a refusal carries the request's id. */
function address(exchange: Authenticated, message: ClientMessage, era: Era | undefined): void {
  exchange.reply.addressTo({
    id: message.kind === "request" ? message.id : null,
    era,
    method: message.kind === "response" ? undefined : message.method,
    expectsAnswer: message.kind === "request",
  });
}

function rowOf(message: ClientMessage, era: Era): MethodRow {
  if (message.kind === "response") return methodRow.postedResponse(era);
  const row = methodRow.fromClient(message.method, message.kind, era);
  return row;
}

function joinSession(
  exchange: Authenticated,
  message: ClientMessage,
  sessions: SessionTable,
): LegacySession | undefined {
  if (message.kind === "request" && message.method === "initialize") return undefined;
  const id = exchange.inbound.headers.get("mcp-session-id");
  if (id === undefined) throw new AegisError("SESSION_REQUIRED", "no Mcp-Session-Id");
  return sessions.find(id, exchange.route.entry.path, exchange.principal.bindingKey);
}

function trackRequest(session: LegacySession, id: string | number, exchange: Authenticated): void {
  if (session.inFlight.has(id))
    throw new AegisError("MESSAGE_INVALID", "request id is already in use in this session");
  session.inFlight.set(id, () => exchange.control.cancel());
}
