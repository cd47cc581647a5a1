// Asks with their place in the audit log: the decision is recorded before anything is sent to the client, the outcome
// before the answer is sent to the server.
import { randomUUID } from "node:crypto";
import type { AuditLog } from "#audit";
import type { JsonObject, JsonValue } from "#std";
import { bounded, principalRecord, shadowRecord } from "../pipeline/audit-records.ts";
import type { Snapshot } from "../snapshot/snapshot.ts";
import { underRelease } from "./ask-context.ts";
import type { AskLimits } from "./ask-limits.ts";
import type { AskContext } from "./ask-context.ts";
import type { Ask } from "./ask.ts";
import { governAskAnswer, governAskError, lostPermission } from "./govern-answer.ts";
import type { AnswerVerdict } from "./govern-answer.ts";
import { governAsk, methodText, refusal } from "./govern-ask.ts";
import type { AskRefusal, AskVerdict } from "./govern-ask.ts";

/** An ask that may go to the client. Its outcome has to be recorded, by `answer` or `abandon`. */
export interface OpenAsk {
  readonly ok: true;
  /** Decision id. */
  readonly id: string;
  readonly ask: Ask;
  readonly context: AskContext;
  readonly startedMs: number;
}

export type AskOutcome = OpenAsk | { readonly ok: false; readonly refusal: AskRefusal };

/** What a client sent back. */
export type ClientAnswer =
  | { readonly kind: "result"; readonly result: JsonValue | undefined }
  | { readonly kind: "error"; readonly error: JsonObject };

export type GovernedAnswer =
  | { readonly kind: "result"; readonly result: JsonObject }
  | { readonly kind: "error"; readonly error: { readonly code: number; readonly message: string } }
  | { readonly kind: "refused"; readonly refusal: AskRefusal };

export interface AskDesk {
  /**
   * Decides under the current release, and records. Rejects where that cannot be recorded: then nothing may be sent.
   * `isKnown`: whether the log has this very verdict on this ask already; absent = it has not.
   */
  readonly ask: (
    context: AskContext,
    method: JsonValue | undefined,
    params: JsonValue | undefined,
    isKnown?: (verdict: AskVerdict) => boolean,
  ) => Promise<AskOutcome>;
  /** Records a refusal that needed no decision. Rejects as `ask` does. */
  readonly refuse: (context: AskContext, method: JsonValue | undefined, refusal: AskRefusal) => Promise<void>;
  /** Governs what the client answered, under the release of this moment, and records. Rejects as `ask` does. */
  readonly answer: (open: OpenAsk, answer: ClientAnswer) => Promise<GovernedAnswer>;
  /** Records that it went to the client within an answer: what comes back is a message of its own. */
  readonly deliver: (open: OpenAsk) => Promise<void>;
  /** Governs an answer that came back so, under the release of this moment. It is recorded with the call it came in. */
  readonly returned: (
    context: AskContext,
    ask: Ask,
    answer: JsonValue | undefined,
    known?: JsonObject,
  ) => Promise<AnswerVerdict>;
  /** Records that no answer came. */
  readonly abandon: (open: OpenAsk, code: AskRefusal["code"], detail: string) => Promise<AskRefusal>;
}

export interface AskDeskOptions {
  readonly audit: AuditLog;
  /** The active release; that of the exchange where absent. */
  readonly currentSnapshot?: (() => Snapshot | undefined) | undefined;
  /** What the policies' limits say of an ask; absent = nothing. */
  readonly limits?: AskLimits | undefined;
}

export function createAskDesk({ audit, currentSnapshot, limits }: AskDeskOptions): AskDesk {
  const { fingerprint } = audit;
  const now = (context: AskContext): AskContext | undefined => {
    if (currentSnapshot === undefined) return context;
    const active = underRelease(context, currentSnapshot(), context.caller.principal.issuer);
    return active === undefined ? undefined : { ...context, ...active };
  };
  const conclude = async (open: OpenAsk, facts: Outcome): Promise<void> => {
    const body = outcomeRecord(open, facts);
    await audit.append({ tenant: open.context.route.entry.tenant, event: "result", body });
  };
  return {
    ask: async (asked, method, params, isKnown) => {
      const current = now(asked);
      const context = current ?? asked;
      const decided: AskVerdict =
        current === undefined
          ? { ok: false, refusal: refusal("SERVER_REQUEST_DENIED", "the endpoint is gone") }
          : await governAsk(context, method, params, { fingerprint });
      const id = randomUUID();
      const isTold = isKnown?.(decided) === true;
      const verdict = isTold ? decided : await limited(context, decided, limits);
      if (!isTold) {
        const body = decisionBody(id, context, methodText(method), verdict, audit);
        await audit.append({ tenant: context.route.entry.tenant, event: "decision", body });
      }
      if (!verdict.ok) return verdict;
      return { ok: true, id, ask: verdict.ask, context, startedMs: performance.now() };
    },
    refuse: async (context, method, why) => {
      const verdict = { ok: false, refusal: why } as const;
      const body = decisionBody(randomUUID(), context, methodText(method), verdict, audit);
      await audit.append({ tenant: context.route.entry.tenant, event: "decision", body });
    },
    answer: async (open, answer) => {
      const context = now(open.context);
      const governed = await governAnswer(context, open, answer, { fingerprint });
      await conclude(open, outcomeOf(governed.answer, governed.stripped));
      return governed.answer;
    },
    deliver: (open) => conclude(open, { outcome: "accepted", code: null, stripped: 0 }),
    returned: async (asked, ask, answer, known) => {
      const context = now(asked);
      if (context === undefined)
        return { ok: false, refusal: refusal("SERVER_REQUEST_DENIED", "the endpoint is gone") };
      return governAskAnswer(context, ask, answer, { fingerprint }, known);
    },
    abandon: async (open, code, detail) => {
      await conclude(open, { outcome: "denied", code, detail, stripped: 0 });
      return refusal(code, detail);
    },
  };
}

/** A permitted ask counts once, before it is recorded. */
async function limited(
  context: AskContext,
  verdict: AskVerdict,
  limits: AskLimits | undefined,
): Promise<AskVerdict> {
  if (!verdict.ok || limits === undefined) return verdict;
  const why = await limits(context, verdict.ask.method);
  if (why === undefined) return verdict;
  const { policies, query, shadow } = verdict;
  return { ok: false, refusal: { ...why, policies, query, shadow } };
}

/** Ends asks that did not go to the client after all. Rejects as `AskDesk.abandon` does. */
export async function abandonAll(
  desk: AskDesk,
  asks: readonly OpenAsk[],
  code: AskRefusal["code"],
  detail: string,
): Promise<void> {
  for (const open of asks) await desk.abandon(open, code, detail);
}

interface Judged {
  readonly answer: GovernedAnswer;
  readonly stripped: number;
}

async function governAnswer(
  context: AskContext | undefined,
  open: OpenAsk,
  answer: ClientAnswer,
  options: Parameters<typeof governAskAnswer>[3],
): Promise<Judged> {
  const refused = (why: AskRefusal): Judged => ({ answer: { kind: "refused", refusal: why }, stripped: 0 });
  if (context === undefined) return refused(refusal("SERVER_REQUEST_DENIED", "the endpoint is gone"));
  if (answer.kind === "error") {
    const lost = await lostPermission(context, open.ask);
    if (lost !== undefined) return refused(lost);
    return { answer: { kind: "error", error: governAskError(context, answer.error) }, stripped: 0 };
  }
  const verdict = await governAskAnswer(context, open.ask, answer.result, options);
  if (!verdict.ok) return refused(verdict.refusal);
  return { answer: { kind: "result", result: verdict.result }, stripped: verdict.stripped };
}

interface Outcome {
  readonly outcome: "result" | "error" | "accepted" | "denied";
  readonly code: string | number | null;
  readonly detail?: string;
  readonly stripped: number;
}

function outcomeOf(answer: GovernedAnswer, stripped: number): Outcome {
  switch (answer.kind) {
    case "result":
      return { outcome: "result", code: null, stripped };
    case "error":
      return { outcome: "error", code: answer.error.code, stripped };
    case "refused":
      return { outcome: "denied", code: answer.refusal.code, detail: answer.refusal.detail, stripped };
  }
}

function outcomeRecord({ id, startedMs }: OpenAsk, facts: Outcome): JsonObject {
  const durationMs = Math.round((performance.now() - startedMs) * 1_000) / 1_000;
  const { outcome, code, stripped, detail } = facts;
  const body: JsonObject = { id, outcome, code, durationMs, transformed: stripped };
  return detail === undefined ? body : { ...body, detail: bounded(detail) };
}

/** As the record of a call, with who asked during which call. */
function decisionBody(
  id: string,
  context: AskContext,
  method: string,
  verdict: AskVerdict,
  audit: AuditLog,
): JsonObject {
  const { snapshot, route, server, caller } = context;
  const { policies, shadow, query } = verdict.ok ? verdict : verdict.refusal;
  const leaf = server.methods.get(method);
  const args = query?.context["arguments"];
  const body: Record<string, JsonValue> = {
    id,
    during: context.during,
    direction: "server-to-client",
    effect: verdict.ok ? "allow" : "deny",
    policies: [...policies],
    method: method === "" ? null : bounded(method),
    target: leaf?.action ?? server.entry.id,
    server: server.entry.id,
    route: route.entry.path,
    principal: principalRecord(caller.principal),
    argumentsHash: args === undefined ? null : audit.fingerprint(route.entry.tenant, JSON.stringify(args)),
    bundle: { digest: snapshot.digest, sequence: snapshot.sequence, channel: snapshot.channel },
    era: caller.era,
    client: caller.address === "" ? "unknown" : caller.address,
  };
  if (!verdict.ok) {
    body["code"] = verdict.refusal.code;
    const isLimited = verdict.refusal.code === "RATE_LIMITED";
    body["stage"] = isLimited ? "throttle" : query === undefined ? "ask" : "authorize";
    body["detail"] = bounded(verdict.refusal.detail);
  }
  if (shadow !== undefined) body["shadow"] = shadowRecord(shadow);
  const facts = query === undefined ? undefined : snapshot.facts?.factsOf(query, undefined);
  if (facts !== undefined) body["facts"] = facts;
  return body;
}
