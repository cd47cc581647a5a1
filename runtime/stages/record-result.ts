// Response stage 3, record result: the outcome is durable before the answer leaves. The only place that mints `Concluded`.
import type { AuditLog } from "#audit";
import { AegisError } from "#errors";
import type { Clock } from "#std";
import { outcomeCode } from "../pipeline/answer-rules.ts";
import { resultRecord } from "../pipeline/audit-records.ts";
import { learn } from "../pipeline/exchange.ts";
import type { Answer, Concluded, Redacted } from "../pipeline/exchange.ts";
import type { Stage } from "../pipeline/pipeline.ts";
import { proceed } from "../pipeline/verdict.ts";

export function createRecordResultStage(audit: AuditLog, clock: Clock): Stage<Redacted, Concluded> {
  return {
    name: "record-result",
    run: (exchange) => {
      if (exchange.method.audit === "count") return proceed(exchange as Concluded);
      const body = resultRecord(exchange, {
        outcome: outcomeOf(exchange.answer),
        code: codeOf(exchange.answer),
        durationMs: clock.monotonicMs() - exchange.startedMonotonicMs,
        transformed: exchange.transformed,
      });
      const recordingResult = audit.append({ tenant: exchange.route.entry.tenant, event: "result", body });
      learn(exchange, { recordingResult });
      return recordingResult.then(() => proceed(exchange as Concluded));
    },
  };
}

function outcomeOf(answer: Answer): "result" | "error" | "accepted" {
  if (answer.kind === "written") return answer.outcome;
  if (answer.kind === "unread") throw new AegisError("STAGE_FAULT", "an answer that was not read");
  return answer.kind;
}

function codeOf(answer: Answer): string | number | null {
  if (answer.kind === "written") return answer.code;
  return answer.kind === "result" || answer.kind === "error" ? outcomeCode(answer) : null;
}
