// The Cedar type of the arguments of a leaf, for the schema generator and for name checks in policies.
import type { SchemaNode, SchemaProgram } from "#bundle";
import { resolveProjection, visibleAttributes } from "#schema";

export type ProjectedType =
  | { readonly kind: "String" | "Long" | "Bool" | "Decimal" }
  | { readonly kind: "Set"; readonly element: ProjectedType }
  | ProjectedRecord;

export interface ProjectedRecord {
  readonly kind: "Record";
  /** Sorted by name. */
  readonly attributes: readonly ProjectedAttribute[];
}

export interface ProjectedAttribute {
  readonly name: string;
  readonly type: ProjectedType;
  /** Present in every valid value; otherwise policies need `has`. */
  readonly required: boolean;
}

export interface ProjectionDescription {
  readonly type: ProjectedRecord;
  /** Members that the schema describes and policies cannot read, e.g. unions; sorted. */
  readonly opaque: readonly (readonly string[])[];
}

const EMPTY: ProjectedRecord = { kind: "Record", attributes: [] };

/** What `context.arguments` looks like under `program`; agrees with `validateAndProject`. */
export function describeProjection(program: SchemaProgram): ProjectionDescription {
  const opaque: (readonly string[])[] = [];
  const described = describe(program, program.root, [], opaque);
  opaque.sort((a, b) => (a.join("\0") < b.join("\0") ? -1 : 1));
  return { type: described?.kind === "Record" ? described : EMPTY, opaque };
}

function describe(
  program: SchemaProgram,
  index: number,
  path: readonly string[],
  opaque: (readonly string[])[],
): ProjectedType | undefined {
  const resolved = resolveProjection(program, index);
  if (resolved === undefined) return undefined;
  const { projection: kind, node } = resolved;
  if (kind === "Record") return describeRecord(program, node, path, opaque);
  if (kind !== "Set") return { kind };
  const element = node.items === undefined ? undefined : describe(program, node.items, path, opaque);
  return element && { kind, element };
}

function describeRecord(
  program: SchemaProgram,
  node: SchemaNode,
  path: readonly string[],
  opaque: (readonly string[])[],
): ProjectedRecord {
  const visible = visibleAttributes(program, node);
  const names = new Set(visible.map(({ name }) => name));
  for (const name of Object.keys(node.properties ?? {})) if (!names.has(name)) opaque.push([...path, name]);
  const attributes = visible.flatMap(({ name, index, required }) => {
    const type = describe(program, index, [...path, name], opaque);
    return type === undefined ? [] : [{ name, type, required }];
  });
  return { kind: "Record", attributes };
}

export interface ProjectedPath {
  readonly path: readonly string[];
  readonly type: ProjectedType;
  /** Every attribute on the way is required. */
  readonly required: boolean;
}

/** Every attribute that policies can read, outermost first. Attributes inside Sets have no path. */
export function projectedPaths(program: SchemaProgram): readonly ProjectedPath[] {
  const result: ProjectedPath[] = [];
  const collect = (record: ProjectedRecord, prefix: readonly string[], always: boolean): void => {
    for (const { name, type, required } of record.attributes) {
      const path = [...prefix, name];
      result.push({ path, type, required: always && required });
      if (type.kind === "Record") collect(type, path, always && required);
    }
  };
  collect(describeProjection(program).type, [], true);
  return result;
}

/** The attribute at `path` below `type`; undefined where there is none. */
export function projectedTypeAt(type: ProjectedType, path: readonly string[]): ProjectedType | undefined {
  let current: ProjectedType | undefined = type;
  for (const name of path) {
    if (current?.kind !== "Record") return undefined;
    current = current.attributes.find((attribute) => attribute.name === name)?.type;
  }
  return current;
}
