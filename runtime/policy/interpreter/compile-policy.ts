// One residual policy (EST) to one closure: is it satisfied? @throws EvaluationError as Cedar does.
import { isJsonObject } from "#std";
import type { JsonObject, JsonValue } from "#std";
import { bool, compileExpression } from "./compile-expression.ts";
import type { Frame } from "./frame.ts";
import { isDescendant } from "./operators.ts";
import { UnsupportedConstruct } from "./unsupported.ts";
import { EntityValue } from "./values.ts";

export interface CompiledPolicy {
  readonly effect: "permit" | "forbid";
  readonly isSatisfied: (frame: Frame) => boolean;
}

type Test = (frame: Frame) => boolean;
type Slot = "principal" | "resource";

const KNOWN_MEMBERS: ReadonlySet<string> = new Set([
  "effect",
  "principal",
  "action",
  "resource",
  "conditions",
  "annotations",
]);

/** @throws {UnsupportedConstruct} */
export function compilePolicy(policy: JsonObject): CompiledPolicy {
  const { effect } = policy;
  if (effect !== "permit" && effect !== "forbid") throw new UnsupportedConstruct("effect");
  const foreign = Object.keys(policy).find((name) => !KNOWN_MEMBERS.has(name));
  if (foreign !== undefined) throw new UnsupportedConstruct(foreign);
  const tests = [
    compileScope("principal", policy["principal"]),
    compileActionScope(policy["action"]),
    compileScope("resource", policy["resource"]),
    ...conditionsOf(policy["conditions"]).map(compileCondition),
  ].filter((test) => test !== undefined);
  return {
    effect,
    isSatisfied: (frame) => {
      for (const test of tests) if (!test(frame)) return false;
      return true;
    },
  };
}

function compileScope(slot: Slot, scope: JsonValue | undefined): Test | undefined {
  if (!isJsonObject(scope)) throw new UnsupportedConstruct(slot);
  switch (scope["op"]) {
    case "All":
      return undefined;
    case "==": {
      const entity = entityOf(scope["entity"]);
      return (frame) => frame[slot].key === entity.key;
    }
    case "in":
      return compileScopeIn(slot, scope);
    case "is":
      return compileScopeIs(slot, scope);
    default:
      throw new UnsupportedConstruct(`${slot} scope`);
  }
}

/** The compiler folds the action of a slice away; what is left of it is not decided here. */
function compileActionScope(scope: JsonValue | undefined): undefined {
  if (!isJsonObject(scope) || scope["op"] !== "All") throw new UnsupportedConstruct("action scope");
  return undefined;
}

function compileScopeIn(slot: Slot, scope: JsonObject): Test {
  const listed = scope["entities"];
  const groups = Array.isArray(listed)
    ? (listed as readonly JsonValue[]).map(entityOf)
    : [entityOf(scope["entity"])];
  return (frame) => groups.some((group) => isDescendant(frame[slot], group, frame));
}

function compileScopeIs(slot: Slot, scope: JsonObject): Test {
  const type = scope["entity_type"];
  if (typeof type !== "string") throw new UnsupportedConstruct(`${slot} scope`);
  const within = scope["in"];
  const group = isJsonObject(within) ? entityOf(within["entity"]) : undefined;
  if (within !== undefined && group === undefined) throw new UnsupportedConstruct(`${slot} scope`);
  return (frame) =>
    frame[slot].type === type && (group === undefined || isDescendant(frame[slot], group, frame));
}

function compileCondition(condition: JsonObject): Test {
  const body = compileExpression(condition["body"] ?? null);
  if (condition["kind"] === "when") return (frame) => bool(body(frame));
  if (condition["kind"] === "unless") return (frame) => !bool(body(frame));
  throw new UnsupportedConstruct("condition");
}

function conditionsOf(value: JsonValue | undefined): readonly JsonObject[] {
  if (!Array.isArray(value)) throw new UnsupportedConstruct("conditions");
  return (value as readonly JsonValue[]).map((condition) => {
    if (!isJsonObject(condition)) throw new UnsupportedConstruct("condition");
    return condition;
  });
}

function entityOf(value: JsonValue | undefined): EntityValue {
  if (!isJsonObject(value) || typeof value["type"] !== "string" || typeof value["id"] !== "string") {
    throw new UnsupportedConstruct("entity");
  }
  return new EntityValue(value["type"], value["id"]);
}
