// THE ORDERED LIST of response stages, upstream to downstream.
import type { Stages } from "../stages/stages.ts";
import type { Answered, Concluded } from "./exchange.ts";
import { pipeline } from "./pipeline.ts";
import type { Pipeline } from "./pipeline.ts";

export function buildResponsePipeline(stages: Stages): Pipeline<Answered, Concluded> {
  return pipeline<Answered>()
    .stage(stages.checkResult)
    .stage(stages.transformResponse)
    .stage(stages.recordResult)
    .build();
}
