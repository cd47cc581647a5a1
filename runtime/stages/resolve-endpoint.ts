// Stage 2, endpoint: the path names the route, and with it tenant, issuers and audience. Nothing else does.
import { learn } from "../pipeline/exchange.ts";
import type { Checked, Located } from "../pipeline/exchange.ts";
import type { Stage } from "../pipeline/pipeline.ts";
import { deny, proceed } from "../pipeline/verdict.ts";

export function createEndpointStage(): Stage<Checked, Located> {
  return {
    name: "endpoint",
    run: (exchange) => {
      const route = exchange.snapshot.routes.get(exchange.inbound.path);
      if (route === undefined)
        return deny({ code: "ROUTE_NOT_FOUND", detail: `no route at ${exchange.inbound.path}` });
      return proceed(learn(exchange, { route }));
    },
  };
}
