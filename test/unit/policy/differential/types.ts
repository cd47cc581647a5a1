// Random Cedar types and the schema they stand in, and random JSON values of a type, well formed and not.
import type { JsonObject, JsonValue } from "#std";
import * as literals from "./literals.ts";
import type { Random } from "./random.ts";

export type ExtensionName = "decimal" | "ipaddr" | "datetime" | "duration";
export type Type =
  | { readonly kind: "Bool" | "String" | "Long" }
  | { readonly kind: "Extension"; readonly name: ExtensionName }
  | { readonly kind: "Entity"; readonly name: string }
  | { readonly kind: "Set"; readonly element: Type }
  | { readonly kind: "Record"; readonly attributes: Attributes };
export type Attributes = ReadonlyMap<string, { readonly type: Type; readonly required: boolean }>;

export interface EntityDeclaration {
  readonly attributes: Attributes;
  readonly tags: Type | undefined;
  readonly parents: readonly string[];
}

/** A generated schema. `Color` is enumerated and stands beside `entities`. */
export interface Model {
  readonly entities: ReadonlyMap<string, EntityDeclaration>;
  readonly context: Attributes;
  readonly json: JsonObject;
}

export const ACTION = "act";
export const ACTIONS: readonly string[] = ["act", "mid", "grp", "other"];
export const ENTITY_IDS: Readonly<Record<string, readonly string[]>> = {
  User: ["alice", "bob", "ghost"],
  Agent: ["a1", "ghost"],
  Role: ["r1", "r2", "r3", "ghost"],
  Group: ["g1", "g2"],
  Tenant: ["t1", "t2"],
  Server: ["s1", "ghost"],
  Color: ["red", "blue"],
};
const PARENTS: Readonly<Record<string, readonly string[]>> = {
  User: ["Role", "Group", "Tenant"],
  Agent: ["Role", "Tenant"],
  Role: ["Role", "Tenant"],
  Group: ["Group", "Tenant"],
  Tenant: [],
  Server: ["Group"],
};

export const EXTENSIONS: readonly ExtensionName[] = ["decimal", "ipaddr", "datetime", "duration"];
export const TEXTS: Readonly<
  Record<
    ExtensionName,
    { readonly fn: string; readonly good: readonly string[]; readonly bad: readonly string[] }
  >
> = {
  decimal: { fn: "decimal", good: literals.DECIMALS, bad: literals.BAD_DECIMALS },
  ipaddr: { fn: "ip", good: literals.IPS, bad: literals.BAD_IPS },
  datetime: { fn: "datetime", good: literals.DATE_TIMES, bad: literals.BAD_DATE_TIMES },
  duration: { fn: "duration", good: literals.DURATIONS, bad: literals.BAD_DURATIONS },
};

const CHARACTERS = [..."0123456789.:/-+TZdhms af"];

/** A text of the type that is probably none: one of the known bad ones, or a good one with a character changed. */
export function badText(random: Random, name: ExtensionName): string {
  const { good, bad } = TEXTS[name];
  if (random.chance(0.5)) return random.pick(bad);
  const text = random.pick(good);
  const at = random.below(text.length + 1);
  const inserted = random.chance(0.7) ? random.pick(CHARACTERS) : "";
  return text.slice(0, at) + inserted + text.slice(at + random.below(2));
}

export function randomType(random: Random, depth: number): Type {
  const choice = random.below(depth > 0 ? 12 : 9);
  if (choice < 1) return { kind: "Bool" };
  if (choice < 2) return { kind: "String" };
  if (choice < 4) return { kind: "Long" };
  if (choice < 8) return { kind: "Extension", name: random.pick(EXTENSIONS) };
  if (choice < 9) return { kind: "Entity", name: random.pick(Object.keys(ENTITY_IDS)) };
  if (choice < 11) return { kind: "Set", element: randomType(random, depth - 1) };
  return { kind: "Record", attributes: randomAttributes(random, 2, depth - 1) };
}

const NAMES: readonly string[] = ["a", "b", "c", "d", "e", "a b"];

function randomAttributes(random: Random, most: number, depth: number): Attributes {
  const names = NAMES.slice(0, 1 + random.below(most));
  return new Map(
    names.map((name) => [name, { type: randomType(random, depth), required: random.chance(0.6) }]),
  );
}

/** What every gateway context has, so that each extension type is always within reach. */
function requestAttributes(random: Random): Attributes {
  const extension = (name: ExtensionName): Type => ({ kind: "Extension", name });
  return new Map([
    ["now", { type: extension("datetime"), required: true }],
    ["sourceIp", { type: extension("ipaddr"), required: false }],
    ["amount", { type: extension("decimal"), required: true }],
    [
      "auth",
      {
        type: {
          kind: "Record",
          attributes: new Map([["tokenAge", { type: extension("duration"), required: true }]]),
        },
        required: true,
      },
    ],
    ...randomAttributes(random, NAMES.length, 2),
  ]);
}

export function randomModel(random: Random): Model {
  const entities = new Map(
    Object.entries(PARENTS).map(([name, parents]) => [
      name,
      {
        attributes: name === "Tenant" ? new Map() : randomAttributes(random, 3, 1),
        tags: random.chance(0.5) ? randomType(random, 1) : undefined,
        parents,
      },
    ]),
  );
  const context = requestAttributes(random);
  return { entities, context, json: schemaJson(entities, context) };
}

function schemaJson(entities: ReadonlyMap<string, EntityDeclaration>, context: Attributes): JsonObject {
  const entityTypes = [...entities].map(
    ([name, { attributes, tags, parents }]) =>
      [
        name,
        {
          memberOfTypes: parents,
          shape: recordJson(attributes),
          ...(tags === undefined ? {} : { tags: typeJson(tags) }),
        },
      ] as const,
  );
  return {
    "": {
      commonTypes: { Amount: { type: "Extension", name: "decimal" } },
      entityTypes: { ...Object.fromEntries(entityTypes), Color: { enum: [...(ENTITY_IDS["Color"] ?? [])] } },
      actions: {
        grp: {},
        other: {},
        mid: { memberOf: [{ id: "grp" }] },
        act: {
          memberOf: [{ id: "mid" }],
          appliesTo: {
            principalTypes: ["User", "Agent"],
            resourceTypes: ["Server"],
            context: recordJson(context),
          },
        },
      },
    },
  };
}

function recordJson(attributes: Attributes): JsonObject {
  const members = [...attributes].map(
    ([name, { type, required }]) => [name, { ...typeJson(type), required }] as const,
  );
  return { type: "Record", attributes: Object.fromEntries(members) };
}

function typeJson(type: Type): JsonObject {
  switch (type.kind) {
    case "Extension":
      return type.name === "decimal"
        ? { type: "EntityOrCommon", name: "Amount" }
        : { type: "Extension", name: type.name };
    case "Entity":
      return { type: "Entity", name: type.name };
    case "Set":
      return { type: "Set", element: typeJson(type.element) };
    case "Record":
      return recordJson(type.attributes);
    default:
      return { type: type.kind };
  }
}

/** A JSON value of the type; `spoil` is the probability, for each part, that it is not one. */
export function randomJson(random: Random, type: Type, spoil: number): JsonValue {
  if (random.chance(spoil)) return spoiled(random, type);
  switch (type.kind) {
    case "Bool":
      return random.chance(0.5);
    case "String":
      return random.pick(literals.STRINGS);
    case "Long":
      return random.pick(literals.LONGS);
    case "Extension":
      return extensionJson(random, TEXTS[type.name].fn, random.pick(TEXTS[type.name].good));
    case "Entity": {
      const uid = { type: type.name, id: random.pick(ENTITY_IDS[type.name] ?? []) };
      return random.chance(0.7) ? { __entity: uid } : uid;
    }
    case "Set":
      return random.list(random.below(4), () => randomJson(random, type.element, spoil));
    case "Record":
      return randomRecord(random, type.attributes, spoil);
  }
}

export function randomRecord(random: Random, attributes: Attributes, spoil: number): JsonObject {
  const members: [string, JsonValue][] = [];
  for (const [name, { type, required }] of attributes) {
    if (!required && random.chance(0.3)) continue;
    if (random.chance(spoil / 4)) continue;
    members.push([name, randomJson(random, type, spoil)]);
  }
  if (random.chance(spoil / 4)) members.push(["unknown", 1]);
  return Object.fromEntries(members);
}

function extensionJson(random: Random, fn: string, arg: string): JsonValue {
  const form = random.below(20);
  if (form < 5) return arg;
  if (form < 6) return { fn, arg };
  if (form < 7) return { __extn: { fn, args: [arg] } };
  return { __extn: { fn, arg } };
}

function spoiled(random: Random, type: Type): JsonValue {
  if (type.kind === "Extension" && random.chance(0.8)) {
    return extensionJson(random, TEXTS[type.name].fn, badText(random, type.name));
  }
  const other = TEXTS[random.pick(EXTENSIONS)];
  return random.pick<JsonValue>([
    1,
    "x",
    true,
    [],
    [1],
    {},
    { type: "User", id: "alice" },
    { __entity: { type: "Nope", id: "x" } },
    { type: "Color", id: "green" },
    { __extn: { fn: other.fn, arg: random.pick(other.good) } },
    { __extn: { fn: "unknown", arg: "x" } },
    { __expr: "1" },
  ]);
}
