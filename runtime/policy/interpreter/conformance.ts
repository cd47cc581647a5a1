// Request validation: does a value have the type the schema declares, and can Cedar hold it? cedar-wasm refuses a
// request that does not (`validateRequest`), so the interpreter must too, even where no policy reads the member.
import { isJsonObject } from "#std";
import type { JsonObject, JsonValue } from "#std";
import { UnsupportedConstruct } from "./unsupported.ts";
import { EvaluationError, parseDecimal } from "./values.ts";

export type Conforms = (value: JsonValue) => boolean;

interface Attribute {
  readonly name: string;
  readonly required: boolean;
  readonly conforms: Conforms;
}

/** @throws {UnsupportedConstruct} for a type outside this list */
export function compileType(type: JsonValue | undefined): Conforms {
  if (!isJsonObject(type)) throw new UnsupportedConstruct("type");
  switch (type["type"]) {
    case "String":
      return (value) => typeof value === "string" && value.isWellFormed();
    case "Boolean":
    case "Bool":
      return (value) => typeof value === "boolean";
    case "Long":
      return (value) => typeof value === "number" && Number.isSafeInteger(value) && !Object.is(value, -0);
    case "Set": {
      const element = compileType(type["element"]);
      return (value) => Array.isArray(value) && (value as readonly JsonValue[]).every(element);
    }
    case "Record":
      return compileRecordType(type);
    case "Extension":
      if (type["name"] === "decimal") return isDecimal;
      throw new UnsupportedConstruct("extension type");
    case "EntityOrCommon":
      return compileType(builtInType(type["name"]));
    default:
      throw new UnsupportedConstruct("type");
  }
}

export function compileRecordType(type: JsonObject): Conforms {
  const declared = type["attributes"];
  if (!isJsonObject(declared) || type["additionalAttributes"] === true)
    throw new UnsupportedConstruct("record type");
  const attributes: readonly Attribute[] = Object.entries(declared).map(([name, attribute]) => ({
    name,
    required: !isJsonObject(attribute) || attribute["required"] !== false,
    conforms: compileType(attribute),
  }));
  const known = new Set(attributes.map(({ name }) => name));
  return (value) => {
    if (!isJsonObject(value)) return false;
    for (const { name, required, conforms } of attributes) {
      if (!Object.hasOwn(value, name)) {
        if (required) return false;
      } else if (!conforms(value[name] as JsonValue)) return false;
    }
    for (const name of Object.keys(value)) if (!known.has(name)) return false;
    return true;
  };
}

function builtInType(name: JsonValue | undefined): JsonObject {
  if (name === "String" || name === "Long" || name === "Bool" || name === "Boolean") return { type: name };
  if (name === "decimal") return { type: "Extension", name };
  throw new UnsupportedConstruct("named type");
}

function isDecimal(value: JsonValue): boolean {
  const extension = isJsonObject(value) ? value["__extn"] : undefined;
  if (!isJsonObject(extension) || extension["fn"] !== "decimal" || typeof extension["arg"] !== "string")
    return false;
  try {
    parseDecimal(extension["arg"]);
    return true;
  } catch (fault) {
    if (fault instanceof EvaluationError) return false;
    throw fault;
  }
}
