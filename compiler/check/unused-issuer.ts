// An issuer that no endpoint accepts.
import type { CheckRule } from "./context.ts";

export const unusedIssuer: CheckRule = {
  name: "unused-issuer",
  run: ({ identity, routes, sink }) => {
    const environments = Object.entries(routes.environments).filter(
      ([, environment]) => environment.routes.length > 0,
    );
    const used = new Set(environments.flatMap(([, item]) => item.routes.flatMap((route) => route.issuers)));
    for (const [name] of environments) {
      for (const [issuer, { at }] of identity.issuersOf(name)) {
        if (at === undefined || used.has(issuer)) continue;
        sink.report("ISSUER_UNUSED", at, `no endpoint accepts tokens of ${issuer}`);
      }
    }
  },
};
