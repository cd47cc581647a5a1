// Types of a Cedar schema, compiled: does a JSON value of a request have the type (cedar-wasm refuses a request where one
// does not, `validateRequest`), and what value is it? A member becomes a value when a policy reads it, once per query.
import { isJsonObject } from "#std";
import type { JsonObject, JsonValue } from "#std";
import { EvaluationError } from "./long.ts";
import type { OperatorTable } from "./operators.ts";
import { ReferenceOnly, UnsupportedConstruct } from "./unsupported.ts";
import { EntityValue, RecordValue, SetValue } from "./values.ts";
import type { Value } from "./values.ts";

export interface CompiledType {
  /** @throws {ReferenceOnly} for a form of the value that only cedar-wasm reads */
  readonly conforms: (json: JsonValue) => boolean;
  /** Of a value that conforms. */
  readonly read: (json: JsonValue) => Value;
  /** At most this many JSON values in one value, sets counted as empty. */
  readonly size: number;
}

/** What the types of one schema share. */
export interface TypeScope {
  readonly commonTypes: JsonObject;
  readonly entityTypes: JsonObject;
  readonly table: OperatorTable;
  /** Counts set members, so that an outsized request is seen without a second walk. */
  readonly meter: { remaining: number };
}

/** Deeper types stay with cedar-wasm; it refuses a context of more than 128 levels. */
const maxTypeDepth = 64;
const RESERVED: ReadonlySet<string> = new Set(["__entity", "__extn", "__expr"]);
const EXTENSIONS: Readonly<Record<string, string>> = {
  decimal: "decimal",
  ipaddr: "ip",
  datetime: "datetime",
  duration: "duration",
};
const PRIMITIVES: Readonly<Record<string, CompiledType>> = {
  String: scalar((json) => typeof json === "string" && json.isWellFormed()),
  Long: scalar((json) => typeof json === "number" && Number.isSafeInteger(json) && !Object.is(json, -0)),
  Bool: scalar((json) => typeof json === "boolean"),
  Boolean: scalar((json) => typeof json === "boolean"),
};
const BUILT_IN = "__cedar::";

/** @throws {UnsupportedConstruct} for a type outside this list */
export function compileType(type: JsonValue | undefined, scope: TypeScope, depth = 0): CompiledType {
  if (depth > maxTypeDepth) throw new UnsupportedConstruct("deep type");
  if (!isJsonObject(type)) throw new UnsupportedConstruct("schema", "type");
  const { type: kind, name } = type;
  switch (kind) {
    case "Set":
      return setType(compileType(type["element"], scope, depth + 1), scope);
    case "Record":
      return compileRecordType(type, scope, depth);
    case "Entity":
      return entityType(text(name), scope);
    case "Extension":
      return extensionType(text(name), scope);
    case "EntityOrCommon":
      return namedType(text(name), scope, depth);
    default:
      return namedType(text(kind), scope, depth);
  }
}

/** A common type, else an entity type, else what Cedar itself defines. */
function namedType(name: string, scope: TypeScope, depth: number): CompiledType {
  if (Object.hasOwn(scope.commonTypes, name)) return compileType(scope.commonTypes[name], scope, depth + 1);
  if (Object.hasOwn(scope.entityTypes, name)) return entityType(name, scope);
  const own = name.startsWith(BUILT_IN) ? name.slice(BUILT_IN.length) : name;
  const primitive = Object.hasOwn(PRIMITIVES, own) ? PRIMITIVES[own] : undefined;
  return primitive ?? extensionType(own, scope);
}

/** The whole shape of a record, its common types resolved. @throws {UnsupportedConstruct} */
export function compileRecordType(type: JsonValue | undefined, scope: TypeScope, depth = 0): CompiledType {
  if (!isJsonObject(type)) throw new UnsupportedConstruct("schema", "record type");
  if (type["type"] !== "Record") return compileType(type, scope, depth);
  const declared = type["attributes"];
  if (!isJsonObject(declared)) throw new UnsupportedConstruct("schema", "record type");
  if (type["additionalAttributes"] === true) throw new UnsupportedConstruct("open record");
  const attributes = new Map<string, { readonly required: boolean; readonly type: CompiledType }>();
  let size = 1;
  for (const [name, attribute] of Object.entries(declared)) {
    if (RESERVED.has(name)) throw new UnsupportedConstruct("reserved name", name);
    const compiled = compileType(attribute, scope, depth + 1);
    const required = !isJsonObject(attribute) || attribute["required"] !== false;
    attributes.set(name, { required, type: compiled });
    size += compiled.size;
  }
  const list = [...attributes].map(([name, attribute]) => ({ name, ...attribute }));
  const conforms = (json: JsonObject): boolean => {
    for (const { name, required, type: own } of list) {
      if (!Object.hasOwn(json, name)) {
        if (required) return false;
      } else if (!own.conforms(json[name] as JsonValue)) return false;
    }
    for (const name of Object.keys(json)) if (!attributes.has(name)) return false;
    return true;
  };
  return {
    conforms: (json) => isJsonObject(json) && (conforms(json) || notAnEscape(json)),
    read: (json) => new RecordValue(new LazyRecord(json as JsonObject, attributes)),
    size,
  };
}

class LazyRecord {
  readonly #json: JsonObject;
  readonly #attributes: ReadonlyMap<string, { readonly type: CompiledType }>;
  #read: Map<string, Value> | undefined;
  constructor(json: JsonObject, attributes: ReadonlyMap<string, { readonly type: CompiledType }>) {
    this.#json = json;
    this.#attributes = attributes;
  }
  has(name: string): boolean {
    return Object.hasOwn(this.#json, name);
  }
  get(name: string): Value | undefined {
    if (!Object.hasOwn(this.#json, name)) return undefined;
    const json = this.#json[name] as JsonValue;
    const type = this.#attributes.get(name)?.type;
    // A scalar is its own value, but for the text of an extension value.
    if (type === undefined || (typeof json !== "object" && type.read === identity)) return type?.read(json);
    this.#read ??= new Map();
    const known = this.#read.get(name);
    if (known !== undefined) return known;
    const value = type.read(json);
    this.#read.set(name, value);
    return value;
  }
  keys(): readonly string[] {
    return Object.keys(this.#json);
  }
}

function identity(json: JsonValue): Value {
  return json as Value;
}

/** An object can be a computed extension value, which cedar-wasm would evaluate. */
function scalar(test: (json: JsonValue) => boolean): CompiledType {
  return {
    conforms: (json) => {
      if (test(json)) return true;
      if (isJsonObject(json)) throw new ReferenceOnly("an object where a scalar is declared");
      return false;
    },
    read: identity,
    size: 1,
  };
}

/** False, unless it is an extension value: `unknown` is of any type. */
function notAnEscape(json: JsonValue): false {
  if (isJsonObject(json) && Object.hasOwn(json, "__extn"))
    throw new ReferenceOnly("an extension value where none is declared");
  return false;
}

function setType(element: CompiledType, { meter }: TypeScope): CompiledType {
  return {
    conforms: (json) => {
      if (!Array.isArray(json)) return notAnEscape(json);
      const items = json as readonly JsonValue[];
      meter.remaining -= items.length * element.size;
      return items.every(element.conforms);
    },
    read: (json) => new SetValue((json as readonly JsonValue[]).map(element.read)),
    size: 1,
  };
}

function entityType(type: string, { entityTypes }: TypeScope): CompiledType {
  const declared = Object.hasOwn(entityTypes, type) ? entityTypes[type] : undefined;
  if (declared === undefined) throw new UnsupportedConstruct("schema", type);
  const ids = enumeration(declared);
  return {
    conforms: (json) => {
      const entity = entityOfJson(json);
      if (entity === undefined) return notAnEscape(json);
      if (entity.type !== type || !entity.id.isWellFormed()) return false;
      return ids === undefined || ids.has(entity.id);
    },
    read: (json) => entityOfJson(json) as EntityValue,
    size: 4,
  };
}

/** With the escape or without, whatever else stands beside it. */
function entityOfJson(json: JsonValue): EntityValue | undefined {
  if (!isJsonObject(json)) return undefined;
  const escaped = json["__entity"];
  const { type, id } = escaped !== undefined && isJsonObject(escaped) ? escaped : json;
  return typeof type === "string" && typeof id === "string" ? new EntityValue(type, id) : undefined;
}

/** Ids of an enumerated entity type; undefined where any id is an entity. */
export function enumeration(entityTypeEntry: JsonValue): ReadonlySet<JsonValue> | undefined {
  const ids = isJsonObject(entityTypeEntry) ? entityTypeEntry["enum"] : undefined;
  return Array.isArray(ids) ? new Set(ids as readonly JsonValue[]) : undefined;
}

/** The text of an extension value, as `{"__extn": {"fn", "arg"}}`, `{"fn", "args"}` or bare, by the declared type. */
function extensionType(type: string, { table }: TypeScope): CompiledType {
  const fn = Object.hasOwn(EXTENSIONS, type) ? EXTENSIONS[type] : undefined;
  const constructor = fn === undefined ? undefined : table.functions[fn];
  if (fn === undefined || constructor?.arity !== 1) throw new UnsupportedConstruct("schema", type);
  // The text that conformed last is nearly always the one that is read next.
  let last: { readonly text: string; readonly value: Value } | undefined;
  const parse = (text: string): Value => {
    if (last?.text === text) return last.value;
    const value = constructor.apply(text);
    last = { text, value };
    return value;
  };
  return {
    conforms: (json) => {
      const argument = extensionText(json, fn);
      if (argument === undefined) return false;
      try {
        parse(argument);
        return true;
      } catch (fault) {
        if (fault instanceof EvaluationError) return false;
        throw fault;
      }
    },
    read: (json) => parse(extensionText(json, fn) ?? ""),
    size: 4,
  };
}

/** Undefined where there is none. @throws {ReferenceOnly} for every other object: it may be a computed value */
function extensionText(json: JsonValue, fn: string): string | undefined {
  if (typeof json === "string") return json;
  if (!isJsonObject(json)) return undefined;
  const call = json["__extn"] ?? json;
  const argument = isJsonObject(call) ? (call["arg"] ?? onlyItem(call["args"])) : undefined;
  const isPlain = isJsonObject(call) && keys(call) === 2 && (call === json || keys(json) === 1);
  if (!isPlain || call["fn"] !== fn || typeof argument !== "string")
    throw new ReferenceOnly("an extension value in another form");
  return argument;
}

function onlyItem(json: JsonValue | undefined): JsonValue | undefined {
  return Array.isArray(json) && json.length === 1 ? (json as readonly JsonValue[])[0] : undefined;
}

function keys(object: JsonObject): number {
  return Object.keys(object).length;
}

function text(value: JsonValue | undefined): string {
  if (typeof value !== "string") throw new UnsupportedConstruct("schema", "type");
  return value;
}
