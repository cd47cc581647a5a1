// THE ORDERED LIST of request stages, downstream to upstream. ARCHITECTURE.md draws it; a test pins the names.
// Leaving out `authorize` or `record`, or swapping two stages, does not compile.
import type { Stages } from "../stages/stages.ts";
import type { Answered, Exchange } from "./exchange.ts";
import { pipeline } from "./pipeline.ts";
import type { Pipeline } from "./pipeline.ts";

export function buildRequestPipeline(stages: Stages): Pipeline<Exchange, Answered> {
  return pipeline<Exchange>()
    .stage(stages.listener)
    .stage(stages.endpoint)
    .stage(stages.authenticate)
    .stage(stages.admit)
    .stage(stages.target)
    .stage(stages.pinAndProject)
    .stage(stages.authorize)
    .stage(stages.throttle)
    .stage(stages.transformRequest)
    .stage(stages.record)
    .stage(stages.dispatch)
    .build();
}
