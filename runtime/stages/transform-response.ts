// Response stage 2, transform response: every copy of the payload. A transform that fails blocks the result. A large
// answer is read, checked, transformed and written by a worker, so that it stops nobody else's call.
import type { AuditLog } from "#audit";
import { hashKeyOf } from "#transform";
import type { CompiledTransform } from "#transform";
import { planTransform } from "../large-answers/answer-pool.ts";
import type { AnswerPool } from "../large-answers/answer-pool.ts";
import type { FinishPlan } from "../large-answers/protocol.ts";
import { redact } from "../pipeline/answer-rules.ts";
import { serverOf } from "../pipeline/audit-records.ts";
import { learn } from "../pipeline/exchange.ts";
import type { Answer, Redacted, UnreadAnswer, Verified } from "../pipeline/exchange.ts";
import type { Stage } from "../pipeline/pipeline.ts";
import { deny, proceed } from "../pipeline/verdict.ts";
import type { Verdict } from "../pipeline/verdict.ts";

export function createTransformResponseStage(
  { fingerprint }: Pick<AuditLog, "fingerprint">,
  largeAnswers?: AnswerPool,
): Stage<Verified, Redacted> {
  return {
    name: "transform-response",
    run: (exchange, signal) => {
      const { answer, target } = exchange;
      const compiled =
        target.kind === "leaf"
          ? exchange.snapshot.transformFor(exchange.route.entry.tenant, target.action)
          : undefined;
      if (answer.kind === "unread") {
        const plan = planFor(exchange, compiled, fingerprint);
        if (largeAnswers === undefined || plan === undefined)
          return deny({ code: "STAGE_FAULT", detail: "a large answer that nothing can read" });
        return finish(exchange, answer, plan, largeAnswers, signal);
      }
      if (compiled === undefined || answer.kind === "accepted" || answer.kind === "written")
        return proceed(exchange as Redacted);
      const ruled = redact(answer, compiled, { fingerprint });
      if (!ruled.ok) return deny(ruled.denial);
      return proceed(learn(exchange, { answer: ruled.answer, transformed: ruled.applied }) as Redacted);
    },
  };
}

function planFor(
  { reply, era, outbound, route }: Verified,
  compiled: CompiledTransform | undefined,
  fingerprint: AuditLog["fingerprint"],
): FinishPlan | undefined {
  const { id } = reply.address;
  if (outbound === undefined || id === null) return undefined;
  const transform =
    compiled === undefined || compiled.response.isIdle
      ? undefined
      : planTransform(compiled, hashKeyOf(fingerprint, compiled.tenant));
  return { id, era, method: outbound.method, maxBytes: route.entry.maxResponseBytes, transform };
}

async function finish(
  exchange: Verified,
  answer: UnreadAnswer,
  plan: FinishPlan,
  largeAnswers: AnswerPool,
  signal: AbortSignal,
): Promise<Verdict<Redacted>> {
  const finished = await largeAnswers.finish(serverOf(exchange) ?? "", answer.bytes, plan, signal);
  if (finished.kind === "denied") return deny(finished.denial);
  const { body, outcome, code, applied } = finished;
  const written: Answer = { kind: "written", body, outcome, code };
  return proceed(learn(exchange, { answer: written, transformed: applied }) as Redacted);
}
