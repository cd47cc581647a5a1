// What a server asks of the client while a task is under way, and the answers: each is decided, transformed and recorded as
// an ask of the tool's own call would be.
import { randomUUID } from "node:crypto";
import type { AuditLog } from "#audit";
import { AegisError } from "#errors";
import { META_CLIENT_CAPABILITIES } from "#mcp";
import { isJsonObject } from "#std";
import type { JsonObject, JsonValue } from "#std";
import { callerOf } from "../asks/ask-context.ts";
import type { AskContext } from "../asks/ask-context.ts";
import { createAskDesk } from "../asks/ask-desk.ts";
import type { AskLimits } from "../asks/ask-limits.ts";
import { governAskAnswer } from "../asks/govern-answer.ts";
import { governAsk, methodText } from "../asks/govern-ask.ts";
import type { AskRefusal, AskVerdict } from "../asks/govern-ask.ts";
import { presentedParams } from "../asks/relay-ask.ts";
import { bounded, principalRecord } from "../pipeline/audit-records.ts";
import type { Recorded } from "../pipeline/exchange.ts";
import { digestOf } from "./task-ids.ts";

/** One entry of `inputRequests`. */
export interface TaskAsk {
  readonly method: JsonValue | undefined;
  readonly params: JsonValue | undefined;
}

/** Decides what is asked. Each decision is recorded before its result is given. */
export interface AskGovernor {
  /** What the client may have of it. `told`: of the verdict that the log has on it, from an earlier poll of the task. */
  readonly ask: (
    exchange: Recorded,
    ask: TaskAsk,
    told: string | undefined,
    signal: AbortSignal,
  ) => Promise<GovernedTaskAsk>;
  /** The client's answer as the server may have it. @throws {AegisError} with the code of the refusal */
  readonly answer: (
    exchange: Recorded,
    ask: TaskAsk,
    answer: JsonObject,
    signal: AbortSignal,
  ) => Promise<JsonObject>;
}

export interface GovernedTaskAsk {
  /** The ask as the client may have it; undefined where it is refused. */
  readonly ask: JsonObject | undefined;
  /** Names the verdict and what it is about. */
  readonly told: string;
}

/** Entries of `inputRequests`, and of `inputResponses`, of one message. */
export const MAX_ASKS = 64;
/** UTF-16 code units of the key of an entry. */
export const MAX_ASK_KEY_CHARS = 256;

export function createAskGovernor(audit: AuditLog, limits: AskLimits): AskGovernor {
  const options = { fingerprint: audit.fingerprint };
  // A task's request is decided by the release that it came under, and so is what is asked in its answer.
  const desk = createAskDesk({ audit, limits });
  return {
    ask: async (exchange, { method, params }, before, signal) => {
      const context = contextOf(exchange, signal);
      if (context === undefined) return { ask: undefined, told: "" };
      let told = "";
      const open = await desk.ask(context, method, params, (verdict) => {
        told = digestOfVerdict(context, verdict, method, params);
        return told === before;
      });
      // One that a limit refused is asked for again with the next poll.
      if (!open.ok) return { ask: undefined, told: open.refusal.code === "RATE_LIMITED" ? "" : told };
      if (told !== before) await desk.deliver(open);
      return { ask: { method: open.ask.method, params: presentedParams(open) }, told };
    },
    answer: async (exchange, { method, params }, answer, signal) => {
      const context = contextOf(exchange, signal);
      if (context === undefined) throw new AegisError("STAGE_FAULT", "a task without its tool");
      const asked = await governAsk(context, method, params, options);
      const verdict = asked.ok ? await governAskAnswer(context, asked.ask, answer, options) : asked;
      const why = verdict.ok ? undefined : verdict.refusal;
      const policies = asked.ok ? asked.policies : asked.refusal.policies;
      await recordAnswer(audit, context, method, why, policies);
      if (verdict.ok && "result" in verdict) return verdict.result;
      throw new AegisError(why?.code ?? "STAGE_FAULT", why?.detail ?? "an answer without a verdict");
    },
  };
}

/** The same where the same is asked under the same release and decided alike. */
function digestOfVerdict(
  { snapshot }: AskContext,
  verdict: AskVerdict,
  method: JsonValue | undefined,
  params: JsonValue | undefined,
): string {
  const { policies, shadow } = verdict.ok ? verdict : verdict.refusal;
  const decided = verdict.ok ? verdict.ask : verdict.refusal.code;
  const parts = [snapshot.digest, method ?? null, params ?? null, decided, policies, shadow ?? null];
  return digestOf(JSON.stringify(parts));
}

function contextOf(exchange: Recorded, signal: AbortSignal): AskContext | undefined {
  const { snapshot, route, target, id, message } = exchange;
  if (target.kind !== "leaf") return undefined;
  const meta = message.kind === "request" ? message.params?.["_meta"] : undefined;
  const declared = isJsonObject(meta) ? meta[META_CLIENT_CAPABILITIES] : undefined;
  return {
    snapshot,
    route,
    server: target.server,
    caller: callerOf(exchange),
    capabilities: isJsonObject(declared) ? declared : {},
    during: id,
    action: target.action,
    signal,
  };
}

/** The decision on an answer and, as it goes with the message that brought it, its outcome. */
async function recordAnswer(
  audit: AuditLog,
  { snapshot, route, server, caller, during, action }: AskContext,
  method: JsonValue | undefined,
  refusal: AskRefusal | undefined,
  policies: readonly string[],
): Promise<void> {
  const { tenant, path } = route.entry;
  const { digest, sequence, channel } = snapshot;
  const id = randomUUID();
  const body: JsonObject = {
    ...{ id, during, direction: "client-to-server", effect: refusal === undefined ? "allow" : "deny" },
    ...{ policies: [...policies], method: methodText(method), target: action ?? null },
    ...{ server: server.entry.id, route: path, principal: principalRecord(caller.principal) },
    bundle: { digest, sequence, channel },
    ...(refusal === undefined ? {} : { code: refusal.code, detail: bounded(refusal.detail) }),
  };
  await audit.append({ tenant, event: "decision", body });
  if (refusal !== undefined) return;
  await audit.append({ tenant, event: "result", body: { id, outcome: "accepted", code: null } });
}
