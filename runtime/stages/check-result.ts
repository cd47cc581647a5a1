// Response stage 1, check result: the answer is of a kind this method and era may have.
import type { Answered, Verified } from "../pipeline/exchange.ts";
import type { Stage } from "../pipeline/pipeline.ts";
import { deny, proceed } from "../pipeline/verdict.ts";
import type { Answer } from "../pipeline/exchange.ts";
import type { JsonObject } from "#std";

export function createCheckResultStage(): Stage<Answered, Verified> {
  return {
    name: "check-result",
    run: (exchange) => {
      const { answer, era, outbound } = exchange;
      if (answer.kind !== "result") return proceed(exchange as Verified);
      const resultType = answer.result["resultType"];
      // `input_required` and `task` carry requests to the client and later results under another name; neither is
      // governed here, and a type this gateway does not know could mean anything.
      if (resultType !== undefined && resultType !== "complete") {
        return deny({
          code: "RESULT_BLOCKED",
          detail: `resultType ${JSON.stringify(resultType)}`,
          reason: "this result type is not governed by the gateway",
        });
      }
      if (outbound === undefined) return proceed(exchange as Verified);
      const normal: Answer = {
        ...answer,
        result: era === "modern" ? modernResult(answer.result, outbound.method) : legacyResult(answer.result),
      };
      return proceed({ ...exchange, answer: normal } as Verified);
    },
  };
}

/**
 * A result that passed a policy for one caller is private to that caller, whatever the server says
 * (MCP 2026-07-28, caching: `private` = reusable only within one authorization context).
 */
function modernResult(result: JsonObject, method: string): JsonObject {
  const typed = { resultType: "complete", ...result };
  return method === "resources/read" ? { ttlMs: 0, ...typed, cacheScope: "private" } : typed;
}

function legacyResult(result: JsonObject): JsonObject {
  if (!("resultType" in result)) return result;
  const { resultType: _dropped, ...rest } = result;
  return rest;
}
