// What a server asks of the client while a task is under way, and the answers: each is decided, transformed and recorded as
// an ask of the tool's own call would be.
import { randomUUID } from "node:crypto";
import type { AuditLog } from "#audit";
import { AegisError } from "#errors";
import { META_CLIENT_CAPABILITIES } from "#mcp";
import { rewriteAsk } from "#naming";
import { isJsonObject } from "#std";
import type { JsonObject, JsonValue } from "#std";
import { callerOf } from "../asks/ask-context.ts";
import type { AskContext } from "../asks/ask-context.ts";
import { governAskAnswer } from "../asks/govern-answer.ts";
import { governAsk, methodText } from "../asks/govern-ask.ts";
import type { AskRefusal } from "../asks/govern-ask.ts";
import type { Recorded } from "../pipeline/exchange.ts";

/** One entry of `inputRequests`. */
export interface TaskAsk {
  readonly method: JsonValue | undefined;
  readonly params: JsonValue | undefined;
}

/** Decides what is asked. Each decision is recorded before its result is given. */
export interface AskGovernor {
  /** The ask as the client may have it, or undefined where it is refused. */
  readonly ask: (exchange: Recorded, ask: TaskAsk, signal: AbortSignal) => Promise<JsonObject | undefined>;
  /** The client's answer as the server may have it. @throws {AegisError} with the code of the refusal */
  readonly answer: (
    exchange: Recorded,
    ask: TaskAsk,
    answer: JsonObject,
    signal: AbortSignal,
  ) => Promise<JsonObject>;
}

/** Entries of `inputRequests`, and of `inputResponses`, of one message. */
export const MAX_ASKS = 64;
/** UTF-16 code units of the key of an entry. */
export const MAX_ASK_KEY_CHARS = 256;

export function createAskGovernor(audit: AuditLog): AskGovernor {
  const options = { fingerprint: audit.fingerprint };
  const decide: AskGovernor["ask"] = async (exchange, { method, params }, signal) => {
    const context = contextOf(exchange, signal);
    if (context === undefined) return undefined;
    const verdict = await governAsk(context, method, params, options);
    await record(audit, exchange, "server-to-client", method, verdict.ok ? undefined : verdict.refusal, {
      policies: verdict.ok ? verdict.policies : verdict.refusal.policies,
    });
    if (!verdict.ok) return undefined;
    const { method: asked, params: judged } = verdict.ask;
    return { method: asked, params: rewriteAsk(context.route, context.server, asked, judged) };
  };
  return {
    ask: decide,
    answer: async (exchange, { method, params }, answer, signal) => {
      const context = contextOf(exchange, signal);
      if (context === undefined) throw new AegisError("STAGE_FAULT", "a task without its tool");
      const asked = await governAsk(context, method, params, options);
      const verdict = asked.ok ? await governAskAnswer(context, asked.ask, answer, options) : asked;
      const why = verdict.ok ? undefined : verdict.refusal;
      await record(audit, exchange, "client-to-server", method, why, {
        policies: asked.ok ? asked.policies : asked.refusal.policies,
      });
      if (verdict.ok && "result" in verdict) return verdict.result;
      throw new AegisError(why?.code ?? "STAGE_FAULT", why?.detail ?? "an answer without a verdict");
    },
  };
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

async function record(
  audit: AuditLog,
  { id, route, target }: Recorded,
  direction: "server-to-client" | "client-to-server",
  method: JsonValue | undefined,
  refusal: AskRefusal | undefined,
  { policies }: { readonly policies: readonly string[] },
): Promise<void> {
  await audit.append({
    tenant: route.entry.tenant,
    event: "decision",
    body: {
      id: randomUUID(),
      during: id,
      effect: refusal === undefined ? "allow" : "deny",
      ...(refusal === undefined ? {} : { code: refusal.code, detail: refusal.detail.slice(0, 512) }),
      policies: [...policies],
      direction,
      method: methodText(method),
      server: target.kind === "leaf" ? target.server.entry.id : null,
      ...(target.kind === "leaf" && target.task !== undefined
        ? { target: target.action, task: target.task.digest }
        : {}),
    },
  });
}
