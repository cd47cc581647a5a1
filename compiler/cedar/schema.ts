// The Cedar schema of one pinned leaf, in Cedar's JSON schema form. It types exactly what the gateway projects.
// https://docs.cedarpolicy.com/schema/json-schema.html
import { METHODS_OF_KIND, methodOfAction } from "#bundle";
import type { AttributeMapping, ClaimType, Derivation, LeafAction, LeafEntry, SchemaProgram } from "#bundle";
import { REQUEST_MEMBERS } from "#pdp";
import type { RequestMember } from "#pdp";
import { isJsonObject } from "#std";
import type { JsonObject } from "#std";
import { describeProjection } from "../json-schema/index.ts";
import type { ProjectedRecord, ProjectedType } from "../json-schema/index.ts";

/** Every action group that a policy may name. */
export const METHOD_ACTIONS: readonly string[] = [...new Set(Object.values(METHODS_OF_KIND).flat())].sort();

/** Entity types of every schema. */
export const ENTITY_TYPES: readonly string[] = ["User", "Agent", "Role", "Group", "Tenant", "Server"];

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
const LONG: JsonObject = CLAIM_TYPES.Long;
/** Derivations whose fact stands under `context._d`. */
export type FactKind = Exclude<Derivation["kind"], "matches">;
/** Type of `context._d.<name>` by the kind of the derivation; `runtime/facts` computes the values. */
const FACT_TYPES: Readonly<Record<FactKind, JsonObject>> = {
  sql: record([
    ["ok", BOOLEAN],
    ["operations", STRING_SET],
    ["tables", STRING_SET],
    ["functions", STRING_SET],
  ]),
  url: record([
    ["ok", BOOLEAN],
    ["scheme", STRING],
    ["host", STRING],
    ["port", LONG],
    ["path", STRING],
    ["isPrivate", BOOLEAN],
  ]),
  path: record([
    ["ok", BOOLEAN],
    ["normalized", STRING],
    ["isAbsolute", BOOLEAN],
    ["extension", STRING],
  ]),
  email: record([
    ["ok", BOOLEAN],
    ["local", STRING],
    ["domain", STRING],
  ]),
  length: LONG,
  count: LONG,
  lower: STRING,
  every: BOOLEAN,
  range: record([
    ["ok", BOOLEAN],
    ["min", LONG],
    ["max", LONG],
  ]),
  sqlNames: BOOLEAN,
};

/** Attributes of the record that a derivation yields; undefined where it yields no record. */
export function factAttributes(kind: FactKind): readonly string[] | undefined {
  const type = FACT_TYPES[kind];
  return type["type"] === "Record" ? attributeNames(type) : undefined;
}

function extension(name: string): JsonObject {
  return { type: "Extension", name };
}

function optional(type: JsonObject): JsonObject {
  return { ...type, required: false };
}

/** Members of the context that describe the request, as `requestContext` builds them. */
const REQUEST_TYPES: Readonly<Record<RequestMember, JsonObject>> = {
  auth: record([
    ["issuer", STRING],
    ["amr", STRING_SET],
    ["mfa", BOOLEAN],
    ["acr", optional(STRING)],
    ["scopes", STRING_SET],
    ["tokenAge", extension("duration")],
    ["authAge", optional(extension("duration"))],
  ]),
  client: record([
    ["id", optional(STRING)],
    ["name", optional(STRING)],
    ["version", optional(STRING)],
  ]),
  now: extension("datetime"),
  protocol: record([
    ["era", STRING],
    ["version", STRING],
  ]),
  sourceIp: optional(extension("ipaddr")),
};

/** `context.annotations` of a tool. */
const ANNOTATIONS: JsonObject = record([
  ["readOnlyHint", BOOLEAN],
  ["destructiveHint", BOOLEAN],
  ["idempotentHint", BOOLEAN],
  ["openWorldHint", BOOLEAN],
]);

function attributeNames(type: JsonObject): readonly string[] {
  return isJsonObject(type["attributes"]) ? Object.keys(type["attributes"]) : [];
}

/** Names of the attributes of each member of the context that is a record of fixed attributes. */
export const MEMBER_ATTRIBUTES: Readonly<Record<string, readonly string[]>> = {
  annotations: attributeNames(ANNOTATIONS),
  auth: attributeNames(REQUEST_TYPES.auth),
  client: attributeNames(REQUEST_TYPES.client),
  protocol: attributeNames(REQUEST_TYPES.protocol),
};

/** Members of the context that a schema has only where a policy reads them. */
export type OptionalMember = RequestMember | "annotations";
export const OPTIONAL_MEMBERS: readonly OptionalMember[] = ["annotations", ...REQUEST_MEMBERS];

/**
 * Cedar schema of one leaf. `derivations`: the facts its slice reads, typed under `_m` and `_d`. `members`: what it
 * reads of the request; all of it where absent, as validation needs.
 */
export function leafSchema(
  leaf: LeafEntry,
  attributes: readonly AttributeMapping[],
  derivations: readonly Derivation[],
  members: readonly OptionalMember[] = OPTIONAL_MEMBERS,
): JsonObject {
  const context = record([
    ["primitive", STRING],
    ["target", STRING],
    ["server", STRING],
    ["arguments", argumentsType(leaf.argumentsProgram)],
    ["extra", STRING_SET],
    ["_m", matchFacts(derivations)],
    ["_d", derivedFacts(derivations)],
    ...members.flatMap((name) => optionalMember(leaf, name)),
  ]);
  return schemaOf(leaf.action, methodOfAction(leaf.action), attributes, context);
}

/** Only a tool has annotations. */
function optionalMember(leaf: LeafEntry, name: OptionalMember): readonly (readonly [string, JsonObject])[] {
  if (name === "annotations") return leaf.kind === "tool" ? [[name, ANNOTATIONS]] : [];
  return [[name, REQUEST_TYPES[name]]];
}

function matchFacts(derivations: readonly Derivation[]): JsonObject {
  return record(derivations.filter(({ kind }) => kind === "matches").map(({ name }) => [name, BOOLEAN]));
}

function derivedFacts(derivations: readonly Derivation[]): JsonObject {
  return record(
    derivations.flatMap(({ kind, name }) => (kind === "matches" ? [] : [[name, FACT_TYPES[kind]] as const])),
  );
}

/** Cedar schema for policies that read nothing of the context, so that one validation serves every leaf. */
export function leafIndependentSchema(attributes: readonly AttributeMapping[]): JsonObject {
  return schemaOf(ANY_ACTION, METHODS_OF_KIND.tool[0], attributes, record([]));
}

function schemaOf(
  action: LeafAction,
  method: string,
  attributes: readonly AttributeMapping[],
  context: JsonObject,
): JsonObject {
  const leafAction: JsonObject = {
    memberOf: [{ id: method }],
    appliesTo: { principalTypes: ["Agent", "User"], resourceTypes: ["Server"], context },
  };
  return {
    "": {
      entityTypes: {
        Role: {},
        Group: {},
        Tenant: {},
        User: { memberOfTypes: ["Role", "Group", "Tenant"], shape: principalShape(attributes) },
        Agent: { memberOfTypes: ["Role", "Group", "Tenant"], shape: principalShape(attributes) },
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
function principalShape(attributes: readonly AttributeMapping[]): JsonObject {
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
