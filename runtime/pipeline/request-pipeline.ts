// THE ORDERED LIST of request stages, downstream to upstream. ARCHITECTURE.md draws it; a test pins the names.
// Leaving out `authorize` or `record`, or swapping two stages, does not compile.
import type { Stages } from "../stages/stages.ts";
import type { Answered, Authenticated, Checked, Exchange } from "./exchange.ts";
import { pipeline } from "./pipeline.ts";
import type { Pipeline, Stage } from "./pipeline.ts";

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
