// One residual policy (EST) to one closure: is it satisfied? @throws EvaluationError as Cedar does.
import { isJsonObject } from "#std";
import type { JsonObject, JsonValue } from "#std";
import { compileExpression } from "./compile-expression.ts";
import type { Frame } from "./frame.ts";
import { OPERATORS } from "./operators.ts";
import type { OperatorTable } from "./operators.ts";
import { UnsupportedConstruct } from "./unsupported.ts";
import { boolOf } from "./values.ts";

export interface CompiledPolicy {
  readonly effect: "permit" | "forbid";
  readonly isSatisfied: (frame: Frame) => boolean;
}

type Test = (frame: Frame) => boolean;
type Slot = "principal" | "action" | "resource";

const KNOWN_MEMBERS: ReadonlySet<string> = new Set([
  "effect",
  "principal",
  "action",
  "resource",
  "conditions",
  "annotations",
]);

/** @throws {UnsupportedConstruct} */
export function compilePolicy(policy: JsonObject, table: OperatorTable = OPERATORS): CompiledPolicy {
  const { effect } = policy;
  if (effect !== "permit" && effect !== "forbid") throw new UnsupportedConstruct("form", "effect");
  const foreign = Object.keys(policy).find((name) => !KNOWN_MEMBERS.has(name));
  if (foreign !== undefined) throw new UnsupportedConstruct("form", foreign);
  const tests = [
    ...(["principal", "action", "resource"] as const).map((slot) => compileScope(slot, policy[slot], table)),
    ...conditionsOf(policy["conditions"]).map((condition) => compileCondition(condition, table)),
  ].filter((test) => test !== undefined);
  return {
    effect,
    isSatisfied: (frame) => {
      for (const test of tests) if (!test(frame)) return false;
      return true;
    },
  };
}

/** A scope is the expression it stands for: `principal in Role::"a"`. Undefined where it says nothing. */
function compileScope(slot: Slot, scope: JsonValue | undefined, table: OperatorTable): Test | undefined {
  if (!isJsonObject(scope)) throw new UnsupportedConstruct("form", slot);
  const left: JsonObject = { Var: slot };
  switch (scope["op"]) {
    case "All":
      return undefined;
    case "==":
      return asTest({ "==": { left, right: entity(scope["entity"]) } }, table);
    case "in":
      return asTest({ in: { left, right: groups(scope) } }, table);
    case "is": {
      const { entity_type: type, in: within } = scope;
      if (typeof type !== "string" || slot === "action") throw new UnsupportedConstruct("form", slot);
      const group =
        within === undefined ? {} : { in: entity(isJsonObject(within) ? within["entity"] : null) };
      return asTest({ is: { left, entity_type: type, ...group } }, table);
    }
    default:
      throw new UnsupportedConstruct("form", `${slot} scope`);
  }
}

function asTest(expression: JsonObject, table: OperatorTable): Test {
  const evaluate = compileExpression(expression, table);
  return (frame) => boolOf(evaluate(frame));
}

function groups(scope: JsonObject): JsonObject {
  const listed = scope["entities"];
  return Array.isArray(listed)
    ? { Set: (listed as readonly JsonValue[]).map(entity) }
    : entity(scope["entity"]);
}

/** An entity of a scope, with or without the escape. */
function entity(value: JsonValue | undefined): JsonObject {
  const { __entity: escaped, type, id } = isJsonObject(value) ? value : {};
  return { Value: { __entity: escaped ?? { type: type ?? null, id: id ?? null } } };
}

function compileCondition(condition: JsonObject, table: OperatorTable): Test {
  const body = compileExpression(condition["body"] ?? null, table);
  const { kind } = condition;
  if (kind !== "when" && kind !== "unless") throw new UnsupportedConstruct("form", "condition");
  const clause = table.clauses[kind];
  return (frame) => boolOf(clause(body(frame)));
}

function conditionsOf(value: JsonValue | undefined): readonly JsonObject[] {
  if (!Array.isArray(value)) throw new UnsupportedConstruct("form", "conditions");
  return (value as readonly JsonValue[]).map((condition) => {
    if (!isJsonObject(condition)) throw new UnsupportedConstruct("form", "condition");
    return condition;
  });
}
