// Which node gives a value its Cedar type, and which members of an object are visible. The compiler derives the Cedar
// schema from the same two functions that the gateway projects by, so the two cannot disagree.
import type { CedarProjection, SchemaNode, SchemaProgram } from "#bundle";

/** Keys that Cedar's JSON form reads as an entity, an extension call or an expression. Never projected. */
const RESERVED_NAMES: ReadonlySet<string> = new Set(["__entity", "__extn", "__expr"]);

export interface ResolvedProjection {
  readonly projection: CedarProjection;
  /** Holds the keywords of the projection: `properties` of a Record, `items` of a Set. */
  readonly node: SchemaNode;
  readonly nullable: boolean;
}

/** The projection of node `index`, through `projectionOf`; undefined where the value is opaque. */
export function resolveProjection(program: SchemaProgram, index: number): ResolvedProjection | undefined {
  let node = program.nodes[index];
  let nullable = node?.nullable === true;
  for (let hops = 0; node?.projectionOf !== undefined; hops += 1) {
    if (hops >= program.nodes.length) return undefined;
    node = program.nodes[node.projectionOf];
    nullable ||= node?.nullable === true;
  }
  if (node?.projection === undefined) return undefined;
  return { projection: node.projection, node, nullable };
}

export interface VisibleAttribute {
  readonly name: string;
  readonly index: number;
  readonly projection: ResolvedProjection;
  /** Every valid value has the attribute. */
  readonly required: boolean;
}

/** The members of a Record that policies can read, sorted by name. */
export function visibleAttributes(program: SchemaProgram, record: SchemaNode): readonly VisibleAttribute[] {
  const required = new Set(record.required);
  const attributes: VisibleAttribute[] = [];
  for (const [name, index] of Object.entries(record.properties ?? {})) {
    if (RESERVED_NAMES.has(name) || !name.isWellFormed()) continue;
    const projection = resolveProjection(program, index);
    if (projection === undefined) continue;
    attributes.push({ name, index, projection, required: required.has(name) && !projection.nullable });
  }
  return attributes.sort((a, b) => (a.name < b.name ? -1 : 1));
}
