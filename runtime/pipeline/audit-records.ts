// The bodies of the audit records a message leaves. Field order is fixed; arguments appear only as a keyed fingerprint,
// and as far as the release asks for the facts of its decisions.
import type { AuditLog } from "#audit";
import type { PolicyId, ServerId } from "#bundle";
import type { ErrorCode } from "#errors";
import type { ShadowDecision } from "#pdp";
import type { JsonObject, JsonValue } from "#std";
import { upstreamEra } from "../bridge/index.ts";
import { definitionFor } from "../snapshot/snapshot.ts";
import type { Reached } from "./exchange.ts";
import type { DecisionFactsRecorder } from "./recorded-facts.ts";

/** Tenant of what happens before a tenant is known. */
export const SYSTEM_TENANT = "_system";
const MAX_TEXT_CHARS = 512;
const MAX_SHADOW_POLICIES = 64;
const MAX_SHADOW_ERRORS = 16;

export interface DecisionFacts {
  readonly effect: "allow" | "deny";
  readonly policies: readonly PolicyId[];
  readonly code?: ErrorCode;
  readonly detail?: string;
  readonly stage?: string;
  /** That of the exchange's own decision where absent. */
  readonly shadow?: ShadowDecision;
}

export function decisionRecord(exchange: Reached, facts: DecisionFacts, audit: AuditLog): JsonObject {
  const { message, target, principal, route, snapshot } = exchange;
  const tenant = route?.entry.tenant ?? SYSTEM_TENANT;
  const body: Record<string, JsonValue> = {
    id: exchange.id,
    effect: facts.effect,
    policies: [...facts.policies],
    method: message === undefined || message.kind === "response" ? null : bounded(message.method),
    target: targetText(exchange),
    server: serverOf(exchange) ?? null,
    route: route?.entry.path ?? null,
    principal: principal === undefined ? null : principalRecord(principal),
    ...(target?.kind === "leaf" && target.task !== undefined ? { task: target.task.digest } : {}),
    argumentsHash:
      target?.kind === "leaf" && target.mode === "call"
        ? audit.fingerprint(tenant, JSON.stringify(target.arguments))
        : null,
    bundle: { digest: snapshot.digest, sequence: snapshot.sequence, channel: snapshot.channel },
    era: exchange.era ?? null,
    client: exchange.inbound.remoteAddress || "unknown",
    bytes: exchange.requestBytes ?? 0,
  };
  if (exchange.answersTo !== undefined) body["answers"] = [...exchange.answersTo];
  if (facts.code !== undefined) body["code"] = facts.code;
  if (facts.stage !== undefined) body["stage"] = facts.stage;
  if (facts.detail !== undefined) body["detail"] = bounded(facts.detail);
  const shadow = facts.shadow ?? exchange.decision?.shadow;
  if (shadow !== undefined) body["shadow"] = shadowRecord(shadow);
  if (snapshot.facts !== undefined) addFacts(body, exchange, snapshot.facts);
  return body;
}

/** The server a message went to: of a message about the endpoint, the endpoint's, where that has one alone. */
export function serverOf({ target, route }: Reached): ServerId | undefined {
  if (target?.kind === "leaf") return target.server.entry.id;
  return route?.servers.length === 1 ? route.servers[0]?.entry.id : undefined;
}

function targetText(exchange: Reached): string | null {
  const { target, route } = exchange;
  if (target === undefined) return null;
  return target.kind === "leaf" ? target.action : (serverOf(exchange) ?? route?.entry.path ?? null);
}

function addFacts(body: Record<string, JsonValue>, exchange: Reached, recorder: DecisionFactsRecorder): void {
  const { query, target, era } = exchange;
  if (query === undefined || target?.kind !== "leaf") return;
  const definition =
    era === undefined ? undefined : definitionFor(target.leaf, upstreamEra(target.server.entry, era));
  const facts = recorder.factsOf(query, definition?.digest);
  if (facts !== undefined) body["facts"] = facts;
}

/** Bounded: a record that is too long would refuse the call, and nothing in shadow mode may. */
export function shadowRecord({ effect, reasons, errors }: ShadowDecision): JsonObject {
  const policies = reasons.slice(0, MAX_SHADOW_POLICIES).map(bounded);
  if (errors.length === 0) return { effect, policies };
  const shown = errors.slice(0, MAX_SHADOW_ERRORS);
  return {
    effect,
    policies,
    errors: shown.map(({ policy, message }) => ({ policy: bounded(policy), message: bounded(message) })),
  };
}

export function principalRecord(principal: NonNullable<Reached["principal"]>): JsonObject {
  return {
    issuer: bounded(principal.issuer),
    subject: bounded(principal.subject),
    id: bounded(principal.facts.id),
    client: principal.clientId === undefined ? null : bounded(principal.clientId),
    roles: principal.facts.roles.slice(0, 64).map(bounded),
  };
}

export interface ResultFacts {
  readonly outcome: "result" | "error" | "accepted" | "denied";
  readonly code: string | number | null;
  readonly detail?: string;
  readonly durationMs: number;
  readonly transformed: number;
}

export function resultRecord(exchange: Pick<Reached, "id" | "answer">, facts: ResultFacts): JsonObject {
  const body: Record<string, JsonValue> = {
    id: exchange.id,
    outcome: facts.outcome,
    code: facts.code,
    durationMs: Math.round(facts.durationMs * 1_000) / 1_000,
    transformed: facts.transformed,
  };
  const task = taskOf(exchange);
  if (task !== undefined) body["task"] = task;
  if (facts.detail !== undefined) body["detail"] = bounded(facts.detail);
  return body;
}

/** The task that a call has made, by its digest. */
function taskOf({ answer }: Pick<Reached, "answer">): string | undefined {
  return answer?.kind === "result" ? answer.task?.digest : undefined;
}

/** Text from outside, cut so that no record can be blown up by a peer. */
export function bounded(text: string): string {
  const whole = text.toWellFormed();
  return whole.length <= MAX_TEXT_CHARS
    ? whole
    : `${whole.slice(0, MAX_TEXT_CHARS)}… (${whole.length} characters)`;
}
