// Shape of a lowered JSON Schema program. Node numbers are checked to lie inside the program.
import type { JsonValue } from "#std";
import type { SchemaNode, SchemaProgram } from "./sections.ts";
import {
  boolean,
  closedObject,
  decodeFault,
  finiteNumber,
  jsonValue,
  listOf,
  mapOf,
  oneOf,
  text,
  wholeNumber,
} from "./decoder.ts";
import type { Decode } from "./decoder.ts";

const count = wholeNumber(0);
const nodeNumber = wholeNumber(0);
const nodeNumbers = listOf(nodeNumber);

const patternProperty: Decode<readonly [pattern: string, node: number]> = (value, at) => {
  if (!Array.isArray(value) || value.length !== 2) throw decodeFault(at, "expected [pattern, node]");
  const [pattern, node] = value as readonly JsonValue[];
  return [text(pattern, `${at}[0]`), nodeNumber(node, `${at}[1]`)];
};

const node = closedObject<SchemaNode>(
  {},
  {
    always: boolean,
    types: listOf(oneOf("null", "boolean", "integer", "number", "string", "array", "object")),
    enum: listOf(jsonValue),
    minimum: finiteNumber,
    maximum: finiteNumber,
    exclusiveMinimum: finiteNumber,
    exclusiveMaximum: finiteNumber,
    multipleOf: finiteNumber,
    minLength: count,
    maxLength: count,
    pattern: text,
    format: text,
    properties: mapOf(nodeNumber),
    patternProperties: listOf(patternProperty),
    additionalProperties: nodeNumber,
    propertyNames: nodeNumber,
    required: listOf(text),
    dependentRequired: mapOf(listOf(text)),
    minProperties: count,
    maxProperties: count,
    items: nodeNumber,
    prefixItems: nodeNumbers,
    contains: nodeNumber,
    minContains: count,
    maxContains: count,
    minItems: count,
    maxItems: count,
    uniqueItems: boolean,
    allOf: nodeNumbers,
    anyOf: nodeNumbers,
    oneOf: nodeNumbers,
    not: nodeNumber,
    if: nodeNumber,
    then: nodeNumber,
    else: nodeNumber,
    projection: oneOf("String", "Long", "Bool", "Decimal", "Set", "Record"),
    projectionOf: nodeNumber,
    nullable: boolean,
  },
);

const programShape = closedObject<SchemaProgram>({ nodes: listOf(node), root: nodeNumber }, {});

export const schemaProgram: Decode<SchemaProgram> = (value, at) => {
  const program = programShape(value, at);
  const requireNode = (target: number, where: string): void => {
    if (target >= program.nodes.length) throw decodeFault(where, `node ${String(target)} does not exist`);
  };
  requireNode(program.root, `${at}.root`);
  program.nodes.forEach((entry, index) => {
    for (const target of edgesOf(entry)) requireNode(target, `${at}.nodes[${String(index)}]`);
  });
  return program;
};

function edgesOf(entry: SchemaNode): readonly number[] {
  const single = [
    entry.additionalProperties,
    entry.propertyNames,
    entry.items,
    entry.contains,
    entry.not,
    entry.if,
    entry.then,
    entry.else,
    entry.projectionOf,
  ].filter((target) => target !== undefined);
  const lists = [entry.prefixItems, entry.allOf, entry.anyOf, entry.oneOf].flatMap(
    (targets) => targets ?? [],
  );
  const properties = Object.values(entry.properties ?? {});
  const patterns = (entry.patternProperties ?? []).map(([, target]) => target);
  return [...single, ...lists, ...properties, ...patterns];
}
