// Response stage 1, check result: the answer is of a kind this method and era may have. An answer that is too large to
// be read here is checked by the worker that reads it, by the same rule.
import { conform } from "../pipeline/answer-rules.ts";
import { learn } from "../pipeline/exchange.ts";
import type { Answered, Verified } from "../pipeline/exchange.ts";
import type { Stage } from "../pipeline/pipeline.ts";
import { deny, proceed } from "../pipeline/verdict.ts";

export function createCheckResultStage(): Stage<Answered, Verified> {
  return {
    name: "check-result",
    run: (exchange) => {
      const { answer, era, outbound } = exchange;
      const ruled = conform(answer, era, outbound?.method);
      if (!ruled.ok) return deny(ruled.denial);
      if (ruled.answer === answer) return proceed(exchange as Verified);
      return proceed(learn(exchange, { answer: ruled.answer }) as Verified);
    },
  };
}
