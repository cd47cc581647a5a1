// Response stage 2, transform response: every copy of the payload. A transform that fails blocks the result. A large
// answer is read, checked, transformed and written by a worker, so that it stops nobody else's call.
import type { AuditLog } from "#audit";
import { hashKeyOf } from "#transform";
import type { CompiledTransform } from "#transform";
import { translationOf } from "../bridge/index.ts";
import { planNames, planTransform } from "../large-answers/answer-pool.ts";
import type { AnswerPool } from "../large-answers/answer-pool.ts";
import type { FinishPlan } from "../large-answers/protocol.ts";
import { nameAnswer, redact } from "../pipeline/answer-rules.ts";
import type { ReadAnswer } from "../pipeline/answer-rules.ts";
import { serverOf } from "../pipeline/audit-records.ts";
import { learn } from "../pipeline/exchange.ts";
import type { Answer, Redacted, UnreadAnswer, Verified } from "../pipeline/exchange.ts";
import type { Stage } from "../pipeline/pipeline.ts";
import { deny, proceed } from "../pipeline/verdict.ts";
import type { Verdict } from "../pipeline/verdict.ts";
import { taskPlanOf } from "../tasks/index.ts";

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
      if (answer.kind === "accepted" || answer.kind === "written") return proceed(exchange as Redacted);
      // Each entry was transformed before it was judged, and nothing else of the server is left.
      if (answer.isAsking === true) return proceed(exchange as Redacted);
      if (compiled === undefined)
        return proceed(learn(exchange, { answer: named(exchange, answer) }) as Redacted);
      const ruled = redact(answer, compiled, { fingerprint });
      if (!ruled.ok) return deny(ruled.denial);
      const redacted = { answer: named(exchange, ruled.answer), transformed: ruled.applied };
      return proceed(learn(exchange, redacted) as Redacted);
    },
  };
}

/** With the names that clients of the endpoint know. What the gateway answered itself has them already. */
function named({ target, route, method, outbound }: Verified, answer: ReadAnswer): ReadAnswer {
  if (target.kind !== "leaf" || outbound === undefined || route.servers.length === 1) return answer;
  return nameAnswer(route, target.server, method.method, answer);
}

function planFor(
  exchange: Verified,
  compiled: CompiledTransform | undefined,
  fingerprint: AuditLog["fingerprint"],
): FinishPlan | undefined {
  const { reply, era, outbound, route, target, method } = exchange;
  const { id } = reply.address;
  if (outbound === undefined || id === null || target.kind !== "leaf") return undefined;
  const transform =
    compiled === undefined || compiled.response.isIdle
      ? undefined
      : planTransform(compiled, hashKeyOf(fingerprint, compiled.tenant));
  const task = taskPlanOf(exchange);
  const { entry } = target.server;
  const translation = translationOf(entry, era, outbound);
  return {
    ...{ id, era, method: outbound.method, maxBytes: route.entry.maxResponseBytes, transform },
    ...(task === undefined ? {} : { task }),
    ...(translation === undefined ? {} : { translation }),
    ...(route.servers.length === 1 ? {} : { names: planNames(route, entry.id, method.method) }),
  };
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
