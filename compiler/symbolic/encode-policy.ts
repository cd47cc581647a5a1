// A policy and a slice as terms: Cedar's answer, and Aegis's rule that an error denies.
import { isJsonObject } from "#std";
import type { JsonObject } from "#std";
import { entityOf, scopeEntities } from "../cedar/est.ts";
import type { PolicyEst } from "../cedar/est.ts";
import type { EncodingTable } from "./encodings.ts";
import { ExpressionEncoder } from "./encode-expression.ts";
import type { Truth } from "./symbolic-values.ts";
import { FALSE, OutsideFragment, TRUE, and, not, or } from "./terms.ts";
import type { Term } from "./terms.ts";
import type { World } from "./world.ts";

/** Where a slice allows: a permit is satisfied, no forbid is, and none of its policies errs. */
export function encodeSlice(policies: readonly PolicyEst[], world: World, table?: EncodingTable): Term {
  const encoder = new ExpressionEncoder(world, table);
  const truths = policies.map((policy) => ({
    effect: policy.effect,
    ...encodePolicy(policy, world, encoder),
  }));
  const having = (effect: PolicyEst["effect"]): readonly Term[] =>
    truths.filter((truth) => truth.effect === effect).map(({ holds }) => holds);
  return and(
    or(...having("permit")),
    not(or(...having("forbid"))),
    not(or(...truths.map(({ fails }) => fails))),
  );
}

function encodePolicy(policy: PolicyEst, world: World, encoder: ExpressionEncoder): Truth {
  const parts: Truth[] = [
    { holds: principalScope(policy.principal, world), fails: FALSE },
    { holds: fixedScope(policy.action, world.action), fails: FALSE },
    { holds: fixedScope(policy.resource, world.resource), fails: FALSE },
  ];
  for (const { kind, body } of policy.conditions) {
    const { holds, fails } = encoder.condition(body);
    parts.push({ holds: kind === "when" ? holds : not(holds), fails });
  }
  let holds: Term = TRUE;
  let fails: Term = FALSE;
  for (const part of parts) {
    // What comes after a false part is not evaluated.
    fails = or(fails, and(holds, part.fails));
    holds = and(holds, part.holds);
  }
  return { holds, fails };
}

function principalScope(scope: JsonObject, { principal }: World): Term {
  const entity = entityOf(scope["entity"]);
  switch (scope["op"]) {
    case "All":
      return TRUE;
    case "==":
      return entity === undefined ? outside() : principal.isEntity(entity.type, entity.id);
    case "in":
      return entity === undefined ? outside() : principal.isIn(entity.type, entity.id);
    case "is": {
      if (scope["entity_type"] !== principal.type) return FALSE;
      const inside = scope["in"];
      if (inside === undefined) return TRUE;
      const group = isJsonObject(inside) ? entityOf(inside["entity"]) : undefined;
      return group === undefined ? outside() : principal.isIn(group.type, group.id);
    }
    default:
      return outside();
  }
}

function fixedScope(scope: JsonObject, own: World["action"]): Term {
  const named = scopeEntities(scope);
  const isOwn = named.some(({ type, id }) => type === own.type && id === own.id);
  const isAbove = named.some(({ type, id }) => type === own.type && own.groups.includes(id));
  switch (scope["op"]) {
    case "All":
      return TRUE;
    case "==":
      return isOwn ? TRUE : FALSE;
    case "in":
      return isOwn || isAbove ? TRUE : FALSE;
    case "is":
      if (scope["entity_type"] !== own.type) return FALSE;
      return scope["in"] === undefined || isOwn || isAbove ? TRUE : FALSE;
    default:
      return outside();
  }
}

function outside(): never {
  throw new OutsideFragment("this scope");
}
