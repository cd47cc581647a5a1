// A pinned server that no endpoint leads to is dead weight, or a forgotten route.
import type { CheckRule } from "./context.ts";

export const unroutedServer: CheckRule = {
  name: "unrouted-server",
  run: ({ registry, routes, sink }) => {
    const environments = Object.values(routes.environments);
    if (environments.every((environment) => environment.routes.length === 0)) return;
    const routed = new Set(environments.flatMap((item) => item.routes.flatMap((route) => route.servers)));
    for (const [id, server] of registry.servers) {
      const count = server.entry.leaves.filter((leaf) => leaf.definitions.length > 0).length;
      if (routed.has(id) || count === 0) continue;
      const noun = count === 1 ? "pinned definition" : "pinned definitions";
      sink.report(
        "SERVER_UNROUTED",
        server.at,
        `${count} ${noun} of ${id} cannot be reached`,
        "add an endpoint to routes.yaml",
      );
    }
  },
};
