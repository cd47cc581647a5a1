// THE ORDERED LIST of request stages, downstream to upstream. ARCHITECTURE.md draws it; a test pins the names.
// Leaving out `authorize` or `record`, or swapping two stages, does not compile.
import type { Stages } from "../stages/stages.ts";
import type { Answered, Authenticated, Checked, Exchange, Targeted } from "./exchange.ts";
import { pipeline } from "./pipeline.ts";
import type { Pipeline, PipelineBuilder, Stage } from "./pipeline.ts";

export function buildRequestPipeline(stages: Stages): Pipeline<Exchange, Answered> {
  const targeted = pipeline<Exchange>()
    .stage(stages.listener)
    .stage(stages.endpoint)
    .stage(stages.authenticate)
    .stage(stages.admit)
    .stage(stages.target);
  return fromTarget(targeted, stages).build();
}

/** The rest of the list, once it is known which server is meant; also for each further server that a message concerns. */
export function fromTarget<In>(
  targeted: PipelineBuilder<In, Targeted>,
  stages: Pick<
    Stages,
    "pinAndProject" | "authorize" | "throttle" | "transformRequest" | "record" | "dispatch"
  >,
): PipelineBuilder<In, Answered> {
  return targeted
    .stage(stages.pinAndProject)
    .stage(stages.authorize)
    .stage(stages.throttle)
    .stage(stages.transformRequest)
    .stage(stages.record)
    .stage(stages.dispatch);
}

/** GET and DELETE of a legacy session carry no message; they pass the same first stages. */
export function buildSessionPipeline(
  stages: Stages,
  verb: Stage<Authenticated, Authenticated>,
): Pipeline<Exchange, Authenticated> {
  return pipeline<Exchange>()
    .stage(stages.listener)
    .stage(stages.endpoint)
    .stage(stages.authenticate)
    .stage(verb)
    .build();
}

/** For documents that need no authentication (RFC 9728). */
export function buildListenerPipeline(stages: Stages): Pipeline<Exchange, Checked> {
  return pipeline<Exchange>().stage(stages.listener).build();
}
