// Builds the Cedar context value of validated arguments from the schema side: only described members enter, each as
// the type the schema gives it, so nothing a caller writes can become an entity or an extension value.
import { isJsonObject } from "#std";
import type { JsonObject, JsonValue } from "#std";
import type { CompiledProjection } from "./compile-program.ts";
import { cedarDecimal } from "./numbers.ts";

/** Why a value cannot enter the context; `path` runs from the value up to the root. */
export interface Unrepresentable {
  readonly reason: string;
  readonly path: string[];
}

/** A value, absence (a null that the schema allows), or the reason of a refusal. */
export type Projected = { readonly value: JsonValue | undefined } | { readonly refused: Unrepresentable };

const ABSENT: Projected = { value: undefined };

function refused(reason: string): Projected {
  return { refused: { reason, path: [] } };
}

function under(name: string, failed: { readonly refused: Unrepresentable }): Projected {
  failed.refused.path.push(name);
  return failed;
}

export function project(projection: CompiledProjection, value: JsonValue): Projected {
  if (value === null && projection.nullable) return ABSENT;
  switch (projection.kind) {
    case "String":
      if (typeof value !== "string") return refused("is not a string");
      return value.isWellFormed() ? { value } : refused("holds an unpaired surrogate");
    case "Long":
      return Number.isSafeInteger(value) && !Object.is(value, -0)
        ? { value }
        : refused("is not an exact integer");
    case "Bool":
      return typeof value === "boolean" ? { value } : refused("is not a boolean");
    case "Decimal":
      return projectDecimal(value);
    case "Set":
      return projectSet(projection, value);
    case "Record":
      return projectRecord(projection, value);
    default:
      return refused("has an unknown projection");
  }
}

function projectDecimal(value: JsonValue): Projected {
  const argument = typeof value === "number" ? cedarDecimal(value) : undefined;
  if (argument === undefined) return refused("is not exact in four decimal places");
  return { value: { __extn: { fn: "decimal", arg: argument } } };
}

function projectSet(projection: CompiledProjection, value: JsonValue): Projected {
  if (!Array.isArray(value) || projection.element === undefined) return refused("is not an array");
  const elements: JsonValue[] = [];
  for (const [index, item] of (value as readonly JsonValue[]).entries()) {
    const element = project(projection.element, item);
    if ("refused" in element) return under(String(index), element);
    if (element.value === undefined)
      return under(String(index), { refused: { reason: "is null", path: [] } });
    elements.push(element.value);
  }
  return { value: elements };
}

function projectRecord(projection: CompiledProjection, value: JsonValue): Projected {
  if (!isJsonObject(value)) return refused("is not an object");
  const record = Object.create(null) as Record<string, JsonValue>;
  for (const { name, projection: member } of projection.attributes) {
    if (!Object.hasOwn(value, name)) continue;
    const attribute = project(member, (value as JsonObject)[name] as JsonValue);
    if ("refused" in attribute) return under(name, attribute);
    if (attribute.value !== undefined) record[name] = attribute.value;
  }
  return { value: record };
}
