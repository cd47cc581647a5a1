// The stages a gateway is made of. Each has a file of its own and knows no other stage.
import type {
  Admitted,
  Answered,
  Authenticated,
  Checked,
  Concluded,
  Exchange,
  Located,
  Permitted,
  Projected,
  Recorded,
  Redacted,
  Targeted,
  Throttled,
  Transformed,
  Verified,
} from "../pipeline/exchange.ts";
import type { Stage } from "../pipeline/pipeline.ts";

export interface Stages {
  readonly listener: Stage<Exchange, Checked>;
  readonly endpoint: Stage<Checked, Located>;
  readonly authenticate: Stage<Located, Authenticated>;
  readonly admit: Stage<Authenticated, Admitted>;
  readonly target: Stage<Admitted, Targeted>;
  readonly pinAndProject: Stage<Targeted, Projected>;
  readonly authorize: Stage<Projected, Permitted>;
  readonly throttle: Stage<Permitted, Throttled>;
  readonly transformRequest: Stage<Throttled, Transformed>;
  readonly record: Stage<Transformed, Recorded>;
  readonly dispatch: Stage<Recorded, Answered>;
  readonly checkResult: Stage<Answered, Verified>;
  readonly transformResponse: Stage<Verified, Redacted>;
  readonly recordResult: Stage<Redacted, Concluded>;
}
