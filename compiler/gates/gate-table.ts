// Gates as data to compare, and which of two is the stricter.
import type { JsonObject, JsonValue } from "#std";
import type { Gate, GateClause, GateRule } from "../model/gate.ts";

const STRICTNESS: Readonly<Record<GateRule["effect"], number>> = { allow: 0, warn: 1, require: 2, deny: 3 };

/** Greater is stricter. */
export function strictness(rule: GateRule): number {
  return STRICTNESS[rule.effect];
}

/** The gates as they would be written, without their places. */
export function gateTable(gates: readonly Gate[]): ReadonlyMap<string, JsonObject> {
  return new Map(
    gates.map((gate) => [
      gate.name,
      {
        ...(gate.default === undefined ? {} : { default: written(gate.default) }),
        ...clauses("tiers", gate.tiers),
        ...clauses("labels", gate.labels),
        ...(gate.maxPercentOfReplay === undefined
          ? {}
          : { maxPercentOfReplay: gate.maxPercentOfReplay.percent }),
      },
    ]),
  );
}

function clauses(name: string, of: ReadonlyMap<string, GateClause>): JsonObject {
  if (of.size === 0) return {};
  return { [name]: Object.fromEntries([...of].map(([key, clause]) => [key, written(clause)])) };
}

function written({ rule }: GateClause): JsonValue {
  return rule.effect === "require" ? { require: `label:${rule.label}` } : rule.effect;
}

const UNSAID: GateRule = { effect: "warn" };

/** True where something that `before` stops or asks for passes more easily with `after`; undefined = no such gate. */
export function isLoosened(before: Gate | undefined, after: Gate | undefined): boolean {
  if (before === undefined) return false;
  const limit = before.maxPercentOfReplay?.percent;
  if (limit !== undefined && (after?.maxPercentOfReplay?.percent ?? Infinity) > limit) return true;
  const weaker = (was: GateClause | undefined, is: GateClause | undefined): boolean =>
    isWeaker(was?.rule ?? before.default?.rule ?? UNSAID, is?.rule ?? after?.default?.rule);
  if (weaker(before.default, after?.default)) return true;
  return (["tiers", "labels"] as const).some((by) =>
    [...new Set([...before[by].keys(), ...(after?.[by].keys() ?? [])])].some((key) =>
      weaker(before[by].get(key), after?.[by].get(key)),
    ),
  );
}

function isWeaker(before: GateRule, after: GateRule | undefined): boolean {
  const now = after ?? UNSAID;
  if (before.effect === "require" && now.effect === "require") return before.label !== now.label;
  return strictness(now) < strictness(before);
}
