// A policy that tells agents from users, and an issuer that does not say whose tokens belong to an agent.
import { DEFAULT_TENANT } from "#bundle";
import { bodyOf, entitiesIn, open, visitExprs } from "../cedar/index.ts";
import type { ParsedPolicy } from "../cedar/index.ts";
import { layerOf } from "../documents/layer.ts";
import type { CheckRule } from "./context.ts";
import { lineOf } from "./policy-place.ts";

const TYPES: readonly unknown[] = ["Agent", "User"];

export const agentsUndeclared: CheckRule = {
  name: "agents-undeclared",
  run: ({ documents, parsed, sink }) => {
    const asking = parsed.filter(tellsAgents);
    if (asking.length === 0) return;
    for (const { shape, source } of documents.identity) {
      const { tenant } = layerOf(source.file);
      for (const [index, issuer] of shape.issuers.entries()) {
        if (issuer.agents !== undefined) continue;
        const callers =
          tenant === DEFAULT_TENANT && issuer.tenants !== undefined
            ? Object.values(issuer.tenants.map)
            : [tenant];
        // Policies of the platform decide for the callers of every tenant.
        const policy = asking.find((item) => item.tenant === DEFAULT_TENANT || callers.includes(item.tenant));
        if (policy === undefined) continue;
        const message = `${lineOf(policy)} tells agents from users, and this issuer does not say who is an agent`;
        sink.report("AGENTS_UNDECLARED", source.at("issuers", index, "issuer"), message);
      }
    }
  },
};

/** `is Agent`, `is User`, `Agent::"…"`; a user that is named is one by its id. */
function tellsAgents(policy: ParsedPolicy): boolean {
  const { est } = policy;
  if (TYPES.includes(est.principal["entity_type"])) return true;
  if (entitiesIn(policy).some(({ type }) => type === "Agent")) return true;
  let tells = false;
  visitExprs(est, (expr) => {
    if (open(expr)[0] === "is" && TYPES.includes(bodyOf(expr)["entity_type"])) tells = true;
  });
  return tells;
}
