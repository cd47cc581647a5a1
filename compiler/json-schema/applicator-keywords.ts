// Keywords that hold subschemas, and references.
import { isJsonObject } from "#std";
import type { JsonObject, JsonValue } from "#std";
import type { KeywordHandler, NodeDraft } from "./node-draft.ts";
import { asNames, lowerPattern } from "./value-keywords.ts";

function asObject(draft: NodeDraft, value: JsonValue, keyword: string): JsonObject | undefined {
  if (isJsonObject(value)) return value;
  draft.report("SCHEMA_INVALID", keyword, `${keyword} must be an object`);
  return undefined;
}

function asList(draft: NodeDraft, value: JsonValue, keyword: string): readonly JsonValue[] | undefined {
  if (Array.isArray(value) && value.length > 0) return value as readonly JsonValue[];
  draft.report("SCHEMA_INVALID", keyword, `${keyword} must be a non-empty list`);
  return undefined;
}

function children(draft: NodeDraft, list: readonly JsonValue[], keyword: string): readonly number[] {
  return list.map((schema, index) => draft.child(schema, keyword, index));
}

const lowerProperties: KeywordHandler = (draft, value, keyword) => {
  const map = asObject(draft, value, keyword);
  if (map === undefined) return;
  const properties = Object.create(null) as Record<string, number>;
  for (const [name, schema] of Object.entries(map)) {
    if (name === "__proto__") draft.report("SCHEMA_INVALID", keyword, "no member may be called __proto__");
    else properties[name] = draft.child(schema, keyword, name);
  }
  draft.fields.properties = properties;
};

const lowerPatternProperties: KeywordHandler = (draft, value, keyword) => {
  const pairs: (readonly [string, number])[] = [];
  for (const [pattern, schema] of Object.entries(asObject(draft, value, keyword) ?? {})) {
    const source = lowerPattern(draft, keyword, pattern);
    if (source !== undefined) pairs.push([source, draft.child(schema, keyword, pattern)]);
  }
  draft.fields.patternProperties = pairs;
};

type SingleKeyword = "additionalProperties" | "propertyNames" | "contains" | "not" | "if" | "then" | "else";

function single(name: SingleKeyword): KeywordHandler {
  return (draft, value, keyword) => {
    draft.fields[name] = draft.child(value, keyword);
  };
}

const lowerItems: KeywordHandler = (draft, value, keyword) => {
  if (!Array.isArray(value)) {
    draft.fields.items = draft.child(value, keyword);
    return;
  }
  // Before 2020-12 a list was a tuple and `additionalItems` its rest.
  if (draft.schema["prefixItems"] !== undefined) {
    draft.report("SCHEMA_INVALID", keyword, "items must be a schema where prefixItems is given");
    return;
  }
  draft.fields.prefixItems = children(draft, value as readonly JsonValue[], keyword);
  const rest = draft.schema["additionalItems"];
  if (rest !== undefined) draft.fields.items = draft.child(rest, "additionalItems");
};

const lowerPrefixItems: KeywordHandler = (draft, value, keyword) => {
  const list = asList(draft, value, keyword);
  if (list !== undefined) draft.fields.prefixItems = children(draft, list, keyword);
};

const lowerAllOf: KeywordHandler = (draft, value, keyword) => {
  for (const index of children(draft, asList(draft, value, keyword) ?? [], keyword)) draft.require(index);
};

function alternatives(name: "anyOf" | "oneOf"): KeywordHandler {
  return (draft, value, keyword) => {
    const list = asList(draft, value, keyword);
    if (list !== undefined) draft.fields[name] = children(draft, list, keyword);
  };
}

function requireWhenPresent(draft: NodeDraft, member: string, schema: number): void {
  const trigger = draft.synthetic({ types: ["object"], required: [member] });
  draft.require(draft.synthetic({ if: trigger, then: schema }));
}

const lowerDependentSchemas: KeywordHandler = (draft, value, keyword) => {
  for (const [member, schema] of Object.entries(asObject(draft, value, keyword) ?? {})) {
    requireWhenPresent(draft, member, draft.child(schema, keyword, member));
  }
};

const lowerDependencies: KeywordHandler = (draft, value, keyword) => {
  for (const [member, dependency] of Object.entries(asObject(draft, value, keyword) ?? {})) {
    const names = asNames(dependency);
    if (names === undefined) requireWhenPresent(draft, member, draft.child(dependency, keyword, member));
    else draft.require(draft.synthetic({ dependentRequired: { [member]: names } }));
  }
};

const lowerReference: KeywordHandler = (draft, value, keyword) => {
  if (typeof value === "string") draft.require(draft.reference(value));
  else draft.report("SCHEMA_INVALID", keyword, "$ref must be a string");
};

export const APPLICATOR_KEYWORDS: ReadonlyMap<string, KeywordHandler> = new Map([
  ["$ref", lowerReference],
  ["properties", lowerProperties],
  ["patternProperties", lowerPatternProperties],
  ["additionalProperties", single("additionalProperties")],
  ["propertyNames", single("propertyNames")],
  ["contains", single("contains")],
  ["items", lowerItems],
  ["prefixItems", lowerPrefixItems],
  ["allOf", lowerAllOf],
  ["anyOf", alternatives("anyOf")],
  ["oneOf", alternatives("oneOf")],
  ["not", single("not")],
  ["if", single("if")],
  ["then", single("then")],
  ["else", single("else")],
  ["dependentSchemas", lowerDependentSchemas],
  ["dependencies", lowerDependencies],
]);
