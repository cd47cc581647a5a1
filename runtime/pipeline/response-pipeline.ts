// THE ORDERED LIST of response stages, upstream to downstream.
import type { Stages } from "../stages/stages.ts";
import type { Answered, Concluded } from "./exchange.ts";
import { pipeline } from "./pipeline.ts";
import type { Pipeline, PipelineBuilder } from "./pipeline.ts";

export function buildResponsePipeline(stages: Stages): Pipeline<Answered, Concluded> {
  return fromAnswer(pipeline<Answered>(), stages).build();
}

/** The list, for an answer that is already on its way through `answered`. */
export function fromAnswer<In>(
  answered: PipelineBuilder<In, Answered>,
  stages: Pick<Stages, "checkResult" | "transformResponse" | "recordResult">,
): PipelineBuilder<In, Concluded> {
  return answered.stage(stages.checkResult).stage(stages.transformResponse).stage(stages.recordResult);
}
