// What a request may be, from the schema of one action: which principals, with which attributes, tags and parents, in
// which context. cedar-wasm refuses what does not fit, so the interpreter does too.
import { isJsonObject } from "#std";
import type { JsonObject, JsonValue } from "#std";
import type { KnownEntity } from "./frame.ts";
import type { OperatorTable } from "./operators.ts";
import { compileRecordType, compileType, enumeration } from "./schema-types.ts";
import type { CompiledType, TypeScope } from "./schema-types.ts";
import { ReferenceOnly, UnsupportedConstruct } from "./unsupported.ts";
import { EntityValue, entityKey } from "./values.ts";
import type { RecordValue, Value } from "./values.ts";

/** An entity as a request gives it. */
export interface GivenEntity {
  readonly uid: { readonly type: string; readonly id: string };
  readonly attrs: Readonly<Record<string, unknown>>;
  readonly tags?: Readonly<Record<string, unknown>>;
  readonly parents: readonly { readonly type: string; readonly id: string }[];
}

/** The entity types of a schema: slices that have the same ones share them, and what callers are admitted as. */
export interface EntityTypes {
  /** By key; undefined where cedar-wasm refuses one of them. @throws {ReferenceOnly} */
  readonly admit: (entities: readonly GivenEntity[]) => ReadonlyMap<string, KnownEntity> | undefined;
}

export interface RequestTypes {
  readonly action: EntityValue;
  readonly principalTypes: ReadonlySet<string>;
  readonly resourceTypes: ReadonlySet<string>;
  /** The actions of the schema, by entity key. */
  readonly actions: ReadonlyMap<string, KnownEntity>;
  /** Entities by key, the actions of the schema among them; undefined where cedar-wasm refuses one. @throws {ReferenceOnly} */
  readonly admit: (entities: readonly GivenEntity[]) => ReadonlyMap<string, KnownEntity> | undefined;
  /** The context; undefined where cedar-wasm refuses it. @throws {ReferenceOnly} */
  readonly context: (context: JsonObject) => RecordValue | undefined;
}

interface EntityType {
  readonly attributes: CompiledType;
  readonly tags: CompiledType | undefined;
  readonly ancestorTypes: ReadonlySet<string>;
  readonly ids: ReadonlySet<JsonValue> | undefined;
}

const ACTION_TYPE = "Action";
/** As for cedar-wasm: values in one context. */
const maxContextValues = 200_000;

/** @throws {UnsupportedConstruct} for a schema outside the interpreter's list */
export function compileRequestTypes(
  schema: JsonObject,
  action: string,
  table: OperatorTable,
  types: EntityTypes = compileEntityTypes(schema, table),
): RequestTypes {
  const fragment = fragmentOf(schema);
  const declared = part(fragment, "actions");
  const meter = { remaining: 0 };
  const appliesTo = part(part(declared, action), "appliesTo");
  const context = compileRecordType(appliesTo["context"], scopeOf(fragment, table, meter));
  const actions = actionEntities(declared);
  return {
    action: new EntityValue(ACTION_TYPE, action),
    principalTypes: new Set(texts(appliesTo["principalTypes"])),
    resourceTypes: new Set(texts(appliesTo["resourceTypes"])),
    actions,
    admit: (entities) => {
      const admitted = types.admit(entities);
      return admitted === undefined ? undefined : new Map([...actions, ...admitted]);
    },
    context: (json) => {
      meter.remaining = maxContextValues - context.size;
      if (!context.conforms(json)) return undefined;
      if (meter.remaining < 0) throw new ReferenceOnly("an outsized context");
      return context.read(json) as RecordValue;
    },
  };
}

/** @throws {UnsupportedConstruct} for a schema outside the interpreter's list */
export function compileEntityTypes(schema: JsonObject, table: OperatorTable): EntityTypes {
  const fragment = fragmentOf(schema);
  const scope = scopeOf(fragment, table, { remaining: 0 });
  const types = new Map(
    Object.entries(scope.entityTypes).map(([name, entry]) => [name, compileEntityType(name, entry, scope)]),
  );
  return { admit: (entities) => admit(entities, types) };
}

/** Schemas with the same text have the same entity types. @throws {UnsupportedConstruct} */
export function entityTypesText(schema: JsonObject): string {
  const { entityTypes, commonTypes } = fragmentOf(schema);
  return JSON.stringify([entityTypes ?? null, commonTypes ?? null]);
}

function fragmentOf(schema: JsonObject): JsonObject {
  const fragment = schema[""];
  if (!isJsonObject(fragment)) throw new UnsupportedConstruct("schema", "fragment");
  if (Object.keys(schema).length > 1) throw new UnsupportedConstruct("namespace");
  return fragment;
}

function scopeOf(fragment: JsonObject, table: OperatorTable, meter: TypeScope["meter"]): TypeScope {
  return {
    commonTypes: part(fragment, "commonTypes"),
    entityTypes: part(fragment, "entityTypes"),
    table,
    meter,
  };
}

function compileEntityType(name: string, entry: JsonValue, scope: TypeScope): EntityType {
  if (!isJsonObject(entry)) throw new UnsupportedConstruct("schema", name);
  const { shape, tags } = entry;
  return {
    attributes: compileRecordType(shape ?? { type: "Record", attributes: {} }, scope),
    tags: tags === undefined ? undefined : compileType(tags, scope),
    ancestorTypes: ancestorTypes(name, scope.entityTypes),
    ids: enumeration(entry),
  };
}

function ancestorTypes(name: string, entityTypes: JsonObject): ReadonlySet<string> {
  return closure(name, (type) => {
    const entry = entityTypes[type];
    return isJsonObject(entry) ? texts(entry["memberOfTypes"]) : [];
  });
}

/** All that `next` leads to, the start not among it unless a cycle leads back. */
function closure(start: string, next: (name: string) => readonly string[]): ReadonlySet<string> {
  const found = new Set<string>();
  const pending = [...next(start)];
  for (let name = pending.pop(); name !== undefined; name = pending.pop()) {
    if (found.has(name)) continue;
    found.add(name);
    pending.push(...next(name));
  }
  return found;
}

function actionEntities(actions: JsonObject): ReadonlyMap<string, KnownEntity> {
  const groups = (name: string): readonly string[] => {
    const entry = actions[name];
    if (!isJsonObject(entry)) throw new UnsupportedConstruct("schema", name);
    if (isJsonObject(entry["attributes"]) && Object.keys(entry["attributes"]).length > 0)
      throw new UnsupportedConstruct("action attributes");
    const parents = entry["memberOf"];
    return Array.isArray(parents) ? (parents as readonly JsonValue[]).map(actionId) : [];
  };
  return new Map(
    Object.keys(actions).map((name) => {
      const ancestors = [...closure(name, groups)].map((group) => entityKey(ACTION_TYPE, group));
      return [
        entityKey(ACTION_TYPE, name),
        { attributes: new Map(), tags: new Map(), ancestors: new Set(ancestors) },
      ];
    }),
  );
}

function actionId(group: JsonValue): string {
  const { id, type } = isJsonObject(group) ? group : {};
  if (typeof id !== "string" || (type !== undefined && type !== null && type !== ACTION_TYPE))
    throw new UnsupportedConstruct("action attributes");
  return id;
}

function admit(
  entities: readonly GivenEntity[],
  types: ReadonlyMap<string, EntityType>,
): ReadonlyMap<string, KnownEntity> | undefined {
  const parents = new Map(entities.map(({ uid, parents: own }) => [entityKey(uid.type, uid.id), own]));
  const admitted = new Map<string, KnownEntity>();
  for (const entity of entities) {
    const type = types.get(entity.uid.type);
    if (type === undefined || !isOfType(entity, type)) return undefined;
    const key = entityKey(entity.uid.type, entity.uid.id);
    const above = ancestorsOf(key, parents);
    for (const { type: name, id } of above.values()) {
      const ids = types.get(name)?.ids;
      if (!type.ancestorTypes.has(name) || (ids !== undefined && !ids.has(id))) return undefined;
    }
    const attributes = membersOf(entity.attrs, type.attributes);
    const tags = new Map(
      Object.entries(entity.tags ?? {}).map(([name, tag]) => [
        name,
        type.tags?.read(tag as JsonValue) as Value,
      ]),
    );
    admitted.set(key, { attributes, tags, ancestors: new Set(above.keys()) });
  }
  return admitted;
}

function isOfType({ uid, attrs, tags }: GivenEntity, type: EntityType): boolean {
  if (type.ids !== undefined && !type.ids.has(uid.id)) return false;
  if (!type.attributes.conforms(attrs as JsonObject)) return false;
  return Object.values(tags ?? {}).every((tag) => type.tags?.conforms(tag as JsonValue) === true);
}

function ancestorsOf(
  key: string,
  parents: ReadonlyMap<string, GivenEntity["parents"]>,
): ReadonlyMap<string, { readonly type: string; readonly id: string }> {
  const found = new Map<string, { readonly type: string; readonly id: string }>();
  const pending = [...(parents.get(key) ?? [])];
  for (let next = pending.pop(); next !== undefined; next = pending.pop()) {
    const above = entityKey(next.type, next.id);
    if (found.has(above)) continue;
    found.set(above, next);
    pending.push(...(parents.get(above) ?? []));
  }
  return found;
}

/** Attributes of an entity live as long as the caller's token, so they become values at once. */
function membersOf(attrs: GivenEntity["attrs"], type: CompiledType): ReadonlyMap<string, Value> {
  const record = type.read(attrs as JsonObject) as RecordValue;
  return new Map(record.names().map((name) => [name, record.get(name) as Value]));
}

function part(object: JsonObject, name: string): JsonObject {
  const value = Object.hasOwn(object, name) ? object[name] : undefined;
  return isJsonObject(value ?? null) ? (value as JsonObject) : {};
}

function texts(value: JsonValue | undefined): readonly string[] {
  return Array.isArray(value) ? value.filter((item): item is string => typeof item === "string") : [];
}
