// What the PDP needs to know of a Cedar schema (JSON form): which principal and server attributes exist, and one
// value of each type, so that a visibility decision has a request the strict validator accepts.
import { isJsonObject } from "#std";
import type { JsonObject, JsonValue } from "#std";

/** An entity type as the schema declares it. */
export interface EntityShape {
  readonly attributes: ReadonlySet<string>;
  readonly parentTypes: ReadonlySet<string>;
  /** Ids of an enumerated entity type; undefined where any id is an entity. */
  readonly enumeration: ReadonlySet<string> | undefined;
}

export interface SchemaView {
  readonly entity: (type: string) => EntityShape | undefined;
  /** Members that the action's context type declares; none for an unknown action. */
  readonly contextMembers: (action: string) => ReadonlySet<string>;
  /** A context with every required attribute of the action's context type; undefined for an unknown action. */
  readonly witnessContext: (action: string) => JsonObject | undefined;
  /** A value of every required attribute of an entity type; undefined for an unknown type. */
  readonly witnessAttributes: (type: string) => JsonObject | undefined;
}

/** Deeper types than this have no witness: the decision that needs one is a denial. */
const maxTypeDepth = 64;

/** Reads a schema without a namespace. Never throws: what it does not understand is absent. */
export function viewSchema(schema: JsonObject): SchemaView {
  const fragment = own(schema, "");
  const entityTypes = isJsonObject(fragment) ? own(fragment, "entityTypes") : undefined;
  const actions = isJsonObject(fragment) ? own(fragment, "actions") : undefined;
  const commonTypes = isJsonObject(fragment) ? own(fragment, "commonTypes") : undefined;
  return {
    entity: (type) => {
      const entry = isJsonObject(entityTypes) ? own(entityTypes, type) : undefined;
      return isJsonObject(entry) ? entityShape(entry, commonTypes) : undefined;
    },
    contextMembers: (action) => {
      const context = resolveNamed(contextType(actions, action), commonTypes);
      const attributes = isJsonObject(context) ? own(context, "attributes") : undefined;
      return new Set(isJsonObject(attributes) ? Object.keys(attributes) : []);
    },
    witnessContext: (action) => {
      const context = contextType(actions, action);
      const value = context === undefined ? undefined : witness(context, commonTypes, 0);
      return isJsonObject(value) ? value : undefined;
    },
    witnessAttributes: (type) => {
      const entry = isJsonObject(entityTypes) ? own(entityTypes, type) : undefined;
      const shape = isJsonObject(entry) ? own(entry, "shape") : undefined;
      const value = shape === undefined ? undefined : witness(shape, commonTypes, 0);
      return isJsonObject(value) ? value : undefined;
    },
  };
}

function contextType(actions: JsonValue | undefined, action: string): JsonValue | undefined {
  const entry = isJsonObject(actions) ? own(actions, action) : undefined;
  const appliesTo = isJsonObject(entry) ? own(entry, "appliesTo") : undefined;
  return isJsonObject(appliesTo) ? own(appliesTo, "context") : undefined;
}

function entityShape(entry: JsonObject, commonTypes: JsonValue | undefined): EntityShape {
  const shape = resolveNamed(own(entry, "shape"), commonTypes);
  const attributes = isJsonObject(shape) ? own(shape, "attributes") : undefined;
  const enumeration = own(entry, "enum");
  return {
    attributes: new Set(isJsonObject(attributes) ? Object.keys(attributes) : []),
    parentTypes: new Set(strings(own(entry, "memberOfTypes"))),
    enumeration: enumeration === undefined ? undefined : new Set(strings(enumeration)),
  };
}

function witness(type: JsonValue, commonTypes: JsonValue | undefined, depth: number): JsonValue | undefined {
  if (depth > maxTypeDepth) return undefined;
  const resolved = resolveNamed(type, commonTypes);
  if (!isJsonObject(resolved)) return undefined;
  switch (typeName(resolved)) {
    case "String":
      return "";
    case "Long":
      return 0;
    case "Bool":
    case "Boolean":
      return false;
    case "Set":
      return [];
    case "decimal":
      return { __extn: { fn: "decimal", arg: "0.0" } };
    case "ipaddr":
      return { __extn: { fn: "ip", arg: "0.0.0.0" } };
    case "datetime":
      return { __extn: { fn: "datetime", arg: "1970-01-01" } };
    case "duration":
      return { __extn: { fn: "duration", arg: "0s" } };
    case "Record":
      return witnessRecord(resolved, commonTypes, depth);
    default:
      return undefined;
  }
}

function witnessRecord(
  type: JsonObject,
  commonTypes: JsonValue | undefined,
  depth: number,
): JsonObject | undefined {
  const attributes = own(type, "attributes");
  if (!isJsonObject(attributes)) return {};
  const entries: [string, JsonValue][] = [];
  for (const [name, attribute] of Object.entries(attributes)) {
    if (isJsonObject(attribute) && own(attribute, "required") === false) continue;
    const value = witness(attribute, commonTypes, depth + 1);
    if (value === undefined) return undefined;
    entries.push([name, value]);
  }
  return Object.fromEntries(entries);
}

function typeName(type: JsonObject): JsonValue | undefined {
  const kind = own(type, "type");
  return kind === "EntityOrCommon" || kind === "Extension" ? own(type, "name") : kind;
}

// A common type stands as `{type: "<name>"}` or `{type: "EntityOrCommon", name: "<name>"}`; chains are short.
function resolveNamed(
  type: JsonValue | undefined,
  commonTypes: JsonValue | undefined,
): JsonValue | undefined {
  let current = type;
  for (let step = 0; step < maxTypeDepth; step += 1) {
    if (!isJsonObject(current) || !isJsonObject(commonTypes)) return current;
    const name = typeName(current);
    const next = typeof name === "string" ? own(commonTypes, name) : undefined;
    if (next === undefined) return current;
    current = next;
  }
  return undefined;
}

function strings(value: JsonValue | undefined): readonly string[] {
  return Array.isArray(value) ? value.filter((item): item is string => typeof item === "string") : [];
}

function own(object: JsonObject, key: string): JsonValue | undefined {
  return Object.hasOwn(object, key) ? object[key] : undefined;
}
