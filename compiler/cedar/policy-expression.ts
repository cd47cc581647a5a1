// One policy in JSON form (EST) as the one expression that says whether it applies.
import { isJsonObject } from "#std";
import type { JsonObject, JsonValue } from "#std";

/** Undefined for a form that is not Cedar's. */
export function policyExpression(policy: JsonObject): JsonObject | undefined {
  const { conditions } = policy;
  if (!Array.isArray(conditions)) return undefined;
  const parts = [
    ...(["principal", "action", "resource"] as const).map((slot) => scopeExpression(slot, policy[slot])),
    ...conditions.map((condition) => conditionExpression(condition as JsonValue)),
  ];
  if (parts.includes(undefined)) return undefined;
  const said = parts.filter((part): part is JsonObject => isJsonObject(part ?? null));
  return said.reduceRight<JsonObject>((right, left) => ({ "&&": { left, right } }), { Value: true });
}

/** Null where the scope says nothing. */
function scopeExpression(slot: string, scope: JsonValue | undefined): JsonObject | null | undefined {
  if (!isJsonObject(scope ?? null)) return undefined;
  const { op, entity, entities, entity_type: type, in: within } = scope as JsonObject;
  const left: JsonObject = { Var: slot };
  switch (op) {
    case "All":
      return null;
    case "==":
      return { "==": { left, right: reference(entity) } };
    case "in":
      return {
        in: { left, right: Array.isArray(entities) ? { Set: entities.map(reference) } : reference(entity) },
      };
    case "is": {
      const group = isJsonObject(within ?? null) ? { in: reference((within as JsonObject)["entity"]) } : {};
      return { is: { left, entity_type: type ?? null, ...group } };
    }
    default:
      return undefined;
  }
}

function reference(entity: JsonValue | undefined): JsonObject {
  const { __entity: escaped, type, id } = isJsonObject(entity ?? null) ? (entity as JsonObject) : {};
  return { Value: { __entity: escaped ?? { type: type ?? null, id: id ?? null } } };
}

function conditionExpression(condition: JsonValue): JsonObject | undefined {
  if (!isJsonObject(condition)) return undefined;
  const { kind, body } = condition;
  if (!isJsonObject(body ?? null)) return undefined;
  if (kind === "when") return body as JsonObject;
  return kind === "unless" ? { "!": { arg: body as JsonObject } } : undefined;
}
