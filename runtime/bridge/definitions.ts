// List items of one era as the other lists them (MCP 2026-07-28 and 2025-11-25, server features). Only what the other
// era would misread is taken out: what a caller sees is otherwise what was approved.
import type { Era, PinnedKind } from "#bundle";
import { isJsonObject } from "#std";
import type { JsonObject, JsonValue } from "#std";

/** The item as callers of `era` see it, or undefined where they could not use it. @param definition of the other era. */
export function bridgedDefinition(
  kind: PinnedKind,
  definition: JsonObject,
  era: Era,
): JsonObject | undefined {
  if (kind !== "tool") return definition;
  return era === "modern" ? toolForModern(definition) : toolForLegacy(definition);
}

/** Legacy task support is no modern one: a tool that cannot do without it is hidden, and others lose the hint. */
function toolForModern(definition: JsonObject): JsonObject | undefined {
  const { execution, ...rest } = definition;
  if (isJsonObject(execution) && execution["taskSupport"] === "required") return undefined;
  if (!hasValidParamHeaders(definition)) return undefined;
  return execution === undefined ? definition : rest;
}

/** Legacy schemas of results are about objects alone; clients of that era refuse the whole list for another one. */
function toolForLegacy(definition: JsonObject): JsonObject {
  const { outputSchema, ...rest } = definition;
  if (outputSchema === undefined || (isJsonObject(outputSchema) && outputSchema["type"] === "object"))
    return definition;
  return rest;
}

const HEADER_NAME = /^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/u;
const MIRRORED_TYPES: ReadonlySet<JsonValue> = new Set(["string", "integer", "boolean"]);
const MAX_DEPTH = 32;

/**
 * MCP 2026-07-28, custom headers: tokens, each once whatever its case, on strings, integers and booleans that are reached
 * through `properties` alone. A client must drop a tool that breaks this.
 */
function hasValidParamHeaders(tool: JsonObject): boolean {
  const names = new Set<string>();
  const input = tool["inputSchema"];
  return input === undefined || isSound(input, { names, mayDeclare: false, depth: 0 });
}

interface Place {
  readonly names: Set<string>;
  /** Whether the node is the schema of a property that is reached through `properties` alone. */
  readonly mayDeclare: boolean;
  readonly depth: number;
}

function isSound(schema: JsonValue, place: Place): boolean {
  if (place.depth > MAX_DEPTH) return !JSON.stringify(schema).includes('"x-mcp-header"');
  if (Array.isArray(schema))
    return schema.every((item: JsonValue) => isSound(item, { ...place, mayDeclare: false }));
  if (!isJsonObject(schema)) return true;
  const header = schema["x-mcp-header"];
  if (header !== undefined && !(place.mayDeclare && declares(schema, header, place.names))) return false;
  return Object.entries(schema).every(([keyword, member]) => {
    if (DATA_KEYWORDS.has(keyword) || keyword === "x-mcp-header") return true;
    const isChain = keyword === "properties" && (place.mayDeclare || place.depth === 0);
    if (!isJsonObject(member) || !isMapOfSchemas(keyword))
      return isSound(member, { ...place, mayDeclare: false, depth: place.depth + 1 });
    return Object.values(member).every((inner) =>
      isSound(inner, { names: place.names, mayDeclare: isChain, depth: place.depth + 1 }),
    );
  });
}

/** Keywords whose value is data: what looks like a declaration there is none. */
const DATA_KEYWORDS: ReadonlySet<string> = new Set(["const", "default", "enum", "examples"]);

function isMapOfSchemas(keyword: string): boolean {
  return ["properties", "patternProperties", "$defs", "definitions", "dependentSchemas"].includes(keyword);
}

function declares(schema: JsonObject, header: JsonValue, names: Set<string>): boolean {
  if (typeof header !== "string" || !HEADER_NAME.test(header)) return false;
  const type = schema["type"];
  if (typeof type !== "string" || !MIRRORED_TYPES.has(type)) return false;
  const name = header.toLowerCase();
  if (names.has(name)) return false;
  names.add(name);
  return true;
}
