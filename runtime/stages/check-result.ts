// Response stage 1, check result: the answer is of a kind this method and era may have. An answer that is too large to
// be read here is checked by the worker that reads it, by the same rule. What asks the client for something is governed
// here, entry by entry.
import { ASKING_METHODS, governUrlElicitations } from "../asks/index.ts";
import type { AskDesk, GovernedInput, InputRounds } from "../asks/index.ts";
import { URL_ELICITATION_REQUIRED, conform } from "../pipeline/answer-rules.ts";
import { learn } from "../pipeline/exchange.ts";
import type { Answered, Verified } from "../pipeline/exchange.ts";
import type { Stage } from "../pipeline/pipeline.ts";
import { deny, proceed } from "../pipeline/verdict.ts";

export interface CheckResultOptions {
  readonly asks: AskDesk;
  readonly rounds: InputRounds;
}

export function createCheckResultStage(options: CheckResultOptions): Stage<Answered, Verified> {
  return {
    name: "check-result",
    run: (exchange, signal) => {
      const asking = governAsking(exchange, options, signal);
      if (asking !== undefined)
        return asking.then((governed) =>
          governed.ok
            ? proceed(learn(exchange, { answer: governed.answer }) as Verified)
            : deny<Verified>(governed.denial),
        );
      const { answer, era, outbound } = exchange;
      const ruled = conform(answer, era, outbound?.method);
      if (!ruled.ok) return deny(ruled.denial);
      if (ruled.answer === answer) return proceed(exchange as Verified);
      return proceed(learn(exchange, { answer: ruled.answer }) as Verified);
    },
  };
}

/** Undefined where the answer asks for nothing, or may not: then it is judged as any other. */
function governAsking(
  exchange: Answered,
  { asks, rounds }: CheckResultOptions,
  signal: AbortSignal,
): Promise<GovernedInput> | undefined {
  const { answer, era, outbound } = exchange;
  if (outbound === undefined) return undefined;
  if (answer.kind === "error")
    return answer.code === URL_ELICITATION_REQUIRED
      ? governUrlElicitations(asks, exchange, answer, signal)
      : undefined;
  if (answer.kind !== "result" || answer.task !== undefined || era !== "modern") return undefined;
  if (answer.result["resultType"] !== "input_required" || !ASKING_METHODS.has(outbound.method))
    return undefined;
  return rounds.govern(exchange, answer.result, signal);
}
