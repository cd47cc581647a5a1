// Turns a schema program from the bundle into the form the hot path walks: node references instead of indexes,
// type sets as bit masks, patterns compiled. Done once for each snapshot.
import type { CedarProjection, JsonTypeName, SchemaNode, SchemaProgram } from "#bundle";
import { TrustError } from "#errors";
import type { JsonValue } from "#std";
import { canonicalKey } from "./canonical-key.ts";
import { compilePattern } from "./pattern.ts";
import type { Pattern } from "./pattern.ts";
import { resolveProjection, visibleAttributes } from "./resolve-projection.ts";

export const TYPE_BITS = {
  null: 1,
  boolean: 2,
  integer: 4,
  number: 8,
  string: 16,
  array: 32,
  object: 64,
} as const;

export interface CompiledProjection {
  readonly kind: CedarProjection;
  readonly attributes: readonly { readonly name: string; readonly projection: CompiledProjection }[];
  readonly element: CompiledProjection | undefined;
  readonly nullable: boolean;
}

export interface CompiledNode {
  /** Keywords that need no compilation are read from here. */
  readonly source: SchemaNode;
  readonly typeMask: number;
  readonly enumKeys: ReadonlySet<string> | undefined;
  readonly pattern: Pattern | undefined;
  readonly hasNumberRules: boolean;
  readonly hasStringRules: boolean;
  readonly hasObjectRules: boolean;
  readonly hasArrayRules: boolean;
  readonly properties: ReadonlyMap<string, CompiledNode>;
  readonly patternProperties: readonly { readonly pattern: Pattern; readonly node: CompiledNode }[];
  readonly additionalProperties: CompiledNode | undefined;
  readonly propertyNames: CompiledNode | undefined;
  readonly dependentRequired: readonly (readonly [string, readonly string[]])[];
  readonly items: CompiledNode | undefined;
  readonly prefixItems: readonly CompiledNode[];
  readonly contains: CompiledNode | undefined;
  readonly allOf: readonly CompiledNode[];
  readonly anyOf: readonly CompiledNode[] | undefined;
  readonly oneOf: readonly CompiledNode[] | undefined;
  readonly not: CompiledNode | undefined;
  readonly if: CompiledNode | undefined;
  readonly then: CompiledNode | undefined;
  readonly else: CompiledNode | undefined;
}

export interface CompiledProgram {
  readonly root: CompiledNode;
  /** Undefined where nothing of the arguments is visible to policy. */
  readonly projection: CompiledProjection | undefined;
  /** Top-level names the schema describes. */
  readonly describedNames: ReadonlySet<string>;
}

const MAX_PROJECTION_DEPTH = 64;

function refuse(detail: string, cause?: unknown): never {
  throw new TrustError("BUNDLE_INVALID", `schema program: ${detail}`, { cause });
}

function compileSourcePattern(source: string): Pattern {
  try {
    return compilePattern(source);
  } catch (cause) {
    return refuse("a pattern does not compile", cause);
  }
}

function maskOf(types: readonly JsonTypeName[] | undefined): number {
  if (types === undefined) return 127;
  return types.reduce(
    (mask, name) => mask | (TYPE_BITS[name] ?? refuse(`unknown type ${JSON.stringify(name)}`)),
    0,
  );
}

function hasAny(node: SchemaNode, keywords: readonly (keyof SchemaNode)[]): boolean {
  return keywords.some((keyword) => node[keyword] !== undefined);
}

const NUMBER_RULES = ["minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf"] as const;
const STRING_RULES = ["minLength", "maxLength", "pattern"] as const;
const OBJECT_RULES = [
  "properties",
  "patternProperties",
  "additionalProperties",
  "propertyNames",
  "required",
  "dependentRequired",
  "minProperties",
  "maxProperties",
] as const;
const ARRAY_RULES = ["items", "prefixItems", "contains", "minItems", "maxItems", "uniqueItems"] as const;

type Link = (index: number) => CompiledNode;

function compileNode(node: SchemaNode, link: Link): CompiledNode {
  const optional = (index: number | undefined): CompiledNode | undefined =>
    index === undefined ? undefined : link(index);
  return {
    source: node,
    typeMask: maskOf(node.types),
    enumKeys: node.enum && new Set(node.enum.map((value: JsonValue) => canonicalKey(value))),
    pattern: node.pattern === undefined ? undefined : compileSourcePattern(node.pattern),
    hasNumberRules: hasAny(node, NUMBER_RULES),
    hasStringRules: hasAny(node, STRING_RULES),
    hasObjectRules: hasAny(node, OBJECT_RULES),
    hasArrayRules: hasAny(node, ARRAY_RULES),
    properties: new Map(Object.entries(node.properties ?? {}).map(([name, index]) => [name, link(index)])),
    patternProperties: (node.patternProperties ?? []).map(([source, index]) => ({
      pattern: compileSourcePattern(source),
      node: link(index),
    })),
    additionalProperties: optional(node.additionalProperties),
    propertyNames: optional(node.propertyNames),
    dependentRequired: Object.entries(node.dependentRequired ?? {}),
    items: optional(node.items),
    prefixItems: (node.prefixItems ?? []).map(link),
    contains: optional(node.contains),
    allOf: (node.allOf ?? []).map(link),
    anyOf: node.anyOf?.map(link),
    oneOf: node.oneOf?.map(link),
    not: optional(node.not),
    if: optional(node.if),
    then: optional(node.then),
    else: optional(node.else),
  };
}

function compileProjection(
  program: SchemaProgram,
  index: number,
  depth: number,
): CompiledProjection | undefined {
  if (depth > MAX_PROJECTION_DEPTH) refuse("a projection is recursive or nested too deeply");
  const resolved = resolveProjection(program, index);
  if (resolved === undefined) return undefined;
  const { projection: kind, node, nullable } = resolved;
  const attributes =
    kind !== "Record"
      ? []
      : visibleAttributes(program, node).map((attribute) => ({
          name: attribute.name,
          projection:
            compileProjection(program, attribute.index, depth + 1) ?? refuse("a projection is missing"),
        }));
  if (kind !== "Set") return { kind, attributes, element: undefined, nullable };
  const element = node.items === undefined ? undefined : compileProjection(program, node.items, depth + 1);
  if (element === undefined || element.nullable) refuse("a Set has no element type");
  return { kind, attributes, element, nullable };
}

/**
 * Compiles a program of the active bundle.
 * @throws TrustError BUNDLE_INVALID where an index, type, pattern or projection is not usable.
 */
export function compileProgram(program: SchemaProgram): CompiledProgram {
  // Nodes refer to each other in cycles: shells first, then their content.
  const shells = program.nodes.map(() => ({}) as CompiledNode);
  const link: Link = (index) => shells[index] ?? refuse(`node ${index} does not exist`);
  for (const [index, node] of program.nodes.entries()) Object.assign(link(index), compileNode(node, link));
  const projection = compileProjection(program, program.root, 0);
  if (projection !== undefined && projection.kind !== "Record") refuse("arguments are not a Record");
  const described = resolveProjection(program, program.root)?.node ?? program.nodes[program.root];
  return {
    root: link(program.root),
    projection,
    describedNames: new Set(Object.keys(described?.properties ?? {})),
  };
}
