// The Cedar schema of one pinned leaf, in Cedar's JSON schema form. It types exactly what the gateway projects.
// https://docs.cedarpolicy.com/schema/json-schema.html
import type {
  AttributeMapping,
  ClaimType,
  Derivation,
  LeafAction,
  LeafEntry,
  LeafKind,
  SchemaNode,
  SchemaProgram,
} from "#bundle";
import type { JsonObject } from "#std";

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

// Cedar reads these as escapes, and the last one is no ordinary member of a JavaScript object.
const UNREADABLE_NAMES: ReadonlySet<string> = new Set(["__entity", "__extn", "__expr", "__proto__"]);
const MAX_TYPE_DEPTH = 32;

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

/** Cedar type of `context.arguments`: the projections of a schema program. What is opaque is left out. */
export function argumentsType(program: SchemaProgram): JsonObject {
  const type = typeOf(program, program.root, []);
  return type?.["type"] === "Record" ? type : record([]);
}

function typeOf(program: SchemaProgram, index: number, above: readonly number[]): JsonObject | undefined {
  const node = program.nodes[index];
  // A node inside itself has no finite Cedar type.
  if (node === undefined || above.includes(index) || above.length >= MAX_TYPE_DEPTH) return undefined;
  switch (node.projection) {
    case "String":
      return STRING;
    case "Long":
      return CLAIM_TYPES.Long;
    case "Bool":
      return BOOLEAN;
    case "Decimal":
      return { type: "Extension", name: "decimal" };
    case "Set": {
      const element = node.items === undefined ? undefined : typeOf(program, node.items, [...above, index]);
      return element === undefined ? undefined : { type: "Set", element };
    }
    case "Record":
      return record(membersOf(program, node, [...above, index]));
    default:
      return undefined;
  }
}

function membersOf(
  program: SchemaProgram,
  node: SchemaNode,
  above: readonly number[],
): readonly (readonly [string, JsonObject])[] {
  const required = new Set(node.required);
  return Object.entries(node.properties ?? {}).flatMap(([name, index]) => {
    const type = UNREADABLE_NAMES.has(name) ? undefined : typeOf(program, index, above);
    if (type === undefined) return [];
    const present = required.has(name) && !acceptsNull(program.nodes[index]);
    return [[name, present ? type : { ...type, required: false }] as const];
  });
}

/** A null is projected as an absent member. */
function acceptsNull(node: SchemaNode | undefined): boolean {
  if (node?.enum !== undefined && !node.enum.includes(null)) return false;
  return node?.types === undefined ? node?.enum === undefined : node.types.includes("null");
}

/** True where `context.arguments` has `path`, but with a type that policies cannot read. */
export function isOpaqueArgument(program: SchemaProgram, path: readonly string[]): boolean {
  let node = program.nodes[program.root];
  for (const name of path) {
    const next =
      node?.properties !== undefined && Object.hasOwn(node.properties, name)
        ? node.properties[name]
        : undefined;
    if (next === undefined) return false;
    node = program.nodes[next];
  }
  return path.length > 0 && node !== undefined;
}
