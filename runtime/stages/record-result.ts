// Response stage 3, record result: the outcome is durable before the answer leaves. The only place that mints `Concluded`.
import type { AuditLog } from "#audit";
import type { Clock } from "#std";
import { resultRecord } from "../pipeline/audit-records.ts";
import type { Answer, Concluded, Redacted } from "../pipeline/exchange.ts";
import type { Stage } from "../pipeline/pipeline.ts";
import { proceed } from "../pipeline/verdict.ts";

export function createRecordResultStage(audit: AuditLog, clock: Clock): Stage<Redacted, Concluded> {
  return {
    name: "record-result",
    run: async (exchange) => {
      if (exchange.method.audit === "count") return proceed(exchange as Concluded);
      const body = resultRecord(exchange, {
        outcome: exchange.answer.kind,
        code: codeOf(exchange.answer),
        durationMs: clock.monotonicMs() - exchange.startedMonotonicMs,
        transformed: exchange.transformed,
      });
      await audit.append({ tenant: exchange.route.entry.tenant, event: "result", body });
      return proceed(exchange as Concluded);
    },
  };
}

function codeOf(answer: Answer): string | number | null {
  if (answer.kind === "error") return answer.code;
  if (answer.kind === "result" && answer.result["isError"] === true) return "TOOL_ERROR";
  return null;
}
