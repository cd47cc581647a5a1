// Response stage 2, transform response: every copy of the payload. A transform that fails blocks the result.
import type { AuditLog } from "#audit";
import { isJsonObject } from "#std";
import type { JsonObject } from "#std";
import { applyError, applyResponse } from "#transform";
import type { Answer, Redacted, Verified } from "../pipeline/exchange.ts";
import type { Stage } from "../pipeline/pipeline.ts";
import { deny, proceed } from "../pipeline/verdict.ts";

export function createTransformResponseStage({
  fingerprint,
}: Pick<AuditLog, "fingerprint">): Stage<Verified, Redacted> {
  return {
    name: "transform-response",
    run: (exchange) => {
      const { answer, target } = exchange;
      const compiled =
        target.kind === "leaf"
          ? exchange.snapshot.transformFor(exchange.route.entry.tenant, target.action)
          : undefined;
      if (compiled === undefined || answer.kind === "accepted") return proceed(exchange as Redacted);
      if (answer.kind === "error") {
        const error = {
          message: answer.message,
          ...(answer.data === undefined ? {} : { data: answer.data }),
        };
        const cleaned = applyError(compiled, error, { fingerprint });
        if (!cleaned.ok) return deny({ code: "TRANSFORM_FAILED", detail: cleaned.message });
        return proceed({
          ...exchange,
          answer: errorAnswer(answer.code, cleaned.value),
          transformed: cleaned.applied,
        } as Redacted);
      }
      const outcome = applyResponse(compiled, answer.result, { fingerprint });
      if (!outcome.ok) return deny({ code: "TRANSFORM_FAILED", detail: outcome.message });
      return proceed({
        ...exchange,
        answer: { ...answer, result: outcome.value },
        transformed: outcome.applied,
      } as Redacted);
    },
  };
}

function errorAnswer(code: number, cleaned: JsonObject): Answer {
  const message = typeof cleaned["message"] === "string" ? cleaned["message"] : "Upstream error";
  const data = cleaned["data"];
  return { kind: "error", code, message, ...(isJsonObject(data) ? { data } : {}) };
}
