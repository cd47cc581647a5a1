// The Cedar schema of one pinned leaf, in Cedar's JSON schema form. It types exactly what the gateway projects.
// https://docs.cedarpolicy.com/schema/json-schema.html
import type {
  AttributeMapping,
  ClaimType,
  Derivation,
  LeafAction,
  LeafEntry,
  LeafKind,
  SchemaProgram,
} from "#bundle";
import type { JsonObject } from "#std";
import { describeProjection } from "../json-schema/index.ts";
import type { ProjectedRecord, ProjectedType } from "../json-schema/index.ts";

/** The MCP method that uses a leaf; it is the action group of the leaf. */
export function methodOf(kind: LeafKind): string {
  return METHODS[kind];
}

/** `context.primitive` of a leaf. */
export function primitiveOf(kind: LeafKind): "tool" | "resource" | "prompt" {
  return kind === "resource-template" ? "resource" : kind;
}

const METHODS: Readonly<Record<LeafKind, string>> = {
  tool: "tools/call",
  resource: "resources/read",
  "resource-template": "resources/read",
  prompt: "prompts/get",
};

/** Every action group that a policy may name. */
export const METHOD_ACTIONS: readonly string[] = [...new Set(Object.values(METHODS))];

/** Entity types of every schema. */
export const ENTITY_TYPES: readonly string[] = ["User", "Role", "Group", "Server"];

/** The action that stands for every leaf in a schema that no leaf owns. */
const ANY_ACTION: LeafAction = "any";

const STRING: JsonObject = { type: "String" };
const BOOLEAN: JsonObject = { type: "Boolean" };
const STRING_SET: JsonObject = { type: "Set", element: STRING };
const CLAIM_TYPES: Readonly<Record<ClaimType, JsonObject>> = {
  String: STRING,
  Bool: BOOLEAN,
  Long: { type: "Long" },
  StringSet: STRING_SET,
};
const SQL_FACTS: JsonObject = record([
  ["ok", BOOLEAN],
  ["operations", STRING_SET],
  ["tables", STRING_SET],
  ["functions", STRING_SET],
]);

/** Cedar schema of one leaf. `derivations`: the facts its slice reads, typed under `_m` and `_d`. */
export function leafSchema(
  leaf: LeafEntry,
  attributes: readonly AttributeMapping[],
  derivations: readonly Derivation[],
): JsonObject {
  return schemaOf(
    leaf.action,
    methodOf(leaf.kind),
    attributes,
    argumentsType(leaf.argumentsProgram),
    derivations,
  );
}

/** Cedar schema for policies that read nothing of the context, so that one validation serves every leaf. */
export function leafIndependentSchema(attributes: readonly AttributeMapping[]): JsonObject {
  return schemaOf(ANY_ACTION, METHODS.tool, attributes, record([]), []);
}

function schemaOf(
  action: LeafAction,
  method: string,
  attributes: readonly AttributeMapping[],
  argumentsRecord: JsonObject,
  derivations: readonly Derivation[],
): JsonObject {
  const facts = (kind: Derivation["kind"], type: JsonObject): JsonObject =>
    record(derivations.filter((item) => item.kind === kind).map((item) => [item.name, type]));
  const context = record([
    ["primitive", STRING],
    ["target", STRING],
    ["server", STRING],
    ["arguments", argumentsRecord],
    ["extra", STRING_SET],
    ["_m", facts("matches", BOOLEAN)],
    ["_d", facts("sql", SQL_FACTS)],
  ]);
  const leafAction: JsonObject = {
    memberOf: [{ id: method }],
    appliesTo: { principalTypes: ["User"], resourceTypes: ["Server"], context },
  };
  return {
    "": {
      entityTypes: {
        Role: {},
        Group: {},
        User: { memberOfTypes: ["Role", "Group"], shape: userShape(attributes) },
        Server: {
          shape: record([
            ["tier", STRING],
            ["labels", STRING_SET],
          ]),
        },
      },
      actions: Object.fromEntries([
        [method, {}],
        [action, leafAction],
      ]),
    },
  };
}

/** Mappings of several issuers: an attribute is required only where every mapping of it says so. */
function userShape(attributes: readonly AttributeMapping[]): JsonObject {
  const members = new Map<string, JsonObject>();
  for (const mapping of attributes) {
    const optional = attributes.some((other) => other.attribute === mapping.attribute && !other.required);
    const type = CLAIM_TYPES[mapping.type];
    members.set(mapping.attribute, optional ? { ...type, required: false } : type);
  }
  return record([...members]);
}

function record(members: readonly (readonly [string, JsonObject])[]): JsonObject {
  return { type: "Record", attributes: Object.fromEntries(members) };
}

/** Cedar type of `context.arguments`: what the schema program projects. What is opaque is left out. */
export function argumentsType(program: SchemaProgram): JsonObject {
  return recordType(describeProjection(program).type);
}

function recordType(type: ProjectedRecord): JsonObject {
  return record(
    type.attributes.map(({ name, type: member, required }) => {
      const cedarType = typeOf(member);
      return [name, required ? cedarType : { ...cedarType, required: false }];
    }),
  );
}

function typeOf(type: ProjectedType): JsonObject {
  switch (type.kind) {
    case "String":
      return STRING;
    case "Long":
      return CLAIM_TYPES.Long;
    case "Bool":
      return BOOLEAN;
    case "Decimal":
      return { type: "Extension", name: "decimal" };
    case "Set":
      return { type: "Set", element: typeOf(type.element) };
    case "Record":
      return recordType(type);
  }
}

/** True where `context.arguments` has `path`, but with a type that policies cannot read. */
export function isOpaqueArgument(program: SchemaProgram, path: readonly string[]): boolean {
  return describeProjection(program).opaque.some((opaque) =>
    opaque.every((name, index) => name === path[index]),
  );
}
