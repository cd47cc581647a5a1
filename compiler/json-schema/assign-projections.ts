// Decides what of a validated value policies can read, and as which Cedar type. Whatever has no single Cedar type
// (unions, untyped, tuples, recursion) stays opaque: it is validated and never enters the context.
import type { CedarProjection, JsonTypeName, SchemaNode } from "#bundle";
import type { JsonValue } from "#std";
import type { NodeFields } from "./node-draft.ts";

/** Attributes and elements one schema may make visible, with shared definitions counted at each use. */
const MAX_PROJECTED_NODES = 5_000;
/** Records and Sets within each other. Cedar's JSON reader stops at 128 levels; contexts stay far below. */
const MAX_PROJECTED_DEPTH = 16;

const SCALARS: ReadonlySet<CedarProjection> = new Set(["String", "Long", "Bool", "Decimal"]);

interface Size {
  readonly nodes: number;
  readonly depth: number;
}

function jsonTypeOf(value: JsonValue): JsonTypeName {
  if (value === null) return "null";
  if (Array.isArray(value)) return "array";
  if (typeof value === "number") return Number.isSafeInteger(value) ? "integer" : "number";
  return typeof value as JsonTypeName;
}

function typesOf(node: SchemaNode): readonly JsonTypeName[] | undefined {
  if (node.types !== undefined) return node.types;
  return node.enum && [...new Set(node.enum.map(jsonTypeOf))];
}

function projectionOfTypes(types: readonly JsonTypeName[]): CedarProjection | undefined {
  const [only, ...others] = types.filter((name) => name !== "null");
  if (only === undefined) return undefined;
  if (others.length > 0) {
    return [only, ...others].every((name) => name === "integer" || name === "number") ? "Decimal" : undefined;
  }
  const table = {
    string: "String",
    integer: "Long",
    number: "Decimal",
    boolean: "Bool",
    array: "Set",
    object: "Record",
    null: undefined,
  } as const satisfies Record<JsonTypeName, CedarProjection | undefined>;
  return table[only];
}

class Assignment {
  readonly #nodes: readonly NodeFields[];
  readonly #sizes = new Map<number, Size | "open" | undefined>();
  readonly #stack: number[] = [];
  readonly #recursive = new Set<number>();
  readonly #tooLarge: (index: number, message: string) => void;

  constructor(nodes: readonly NodeFields[], tooLarge: (index: number, message: string) => void) {
    this.#nodes = nodes;
    this.#tooLarge = tooLarge;
  }

  /** Assigns the projection of a node and all it depends on; the size it adds, or undefined where it is opaque. */
  visit(index: number): Size | undefined {
    const known = this.#sizes.get(index);
    if (known === "open") {
      for (const open of this.#stack.slice(this.#stack.indexOf(index))) this.#recursive.add(open);
      return undefined;
    }
    if (known !== undefined || this.#sizes.has(index)) return known;
    if (this.#stack.length > MAX_PROJECTED_DEPTH * 8) {
      this.#sizes.set(index, undefined);
      return undefined;
    }
    this.#sizes.set(index, "open");
    this.#stack.push(index);
    let size = this.#assign(index);
    this.#stack.pop();
    if (size !== undefined && (size.nodes > MAX_PROJECTED_NODES || size.depth > MAX_PROJECTED_DEPTH)) {
      this.#tooLarge(index, "the value is too large or too deep for policies to read");
      size = undefined;
    }
    if (this.#recursive.has(index)) size = undefined;
    if (size === undefined) this.#makeOpaque(index);
    this.#sizes.set(index, size);
    return size;
  }

  #makeOpaque(index: number): void {
    const node = this.#nodes[index] as NodeFields;
    delete node.projection;
    delete node.projectionOf;
    delete node.nullable;
  }

  #assign(index: number): Size | undefined {
    const node = this.#nodes[index] as NodeFields;
    if (node.always !== undefined) return undefined;
    const types = typesOf(node);
    if (types === undefined) return this.#assignFromBranches(node);
    const projection = projectionOfTypes(types);
    if (projection === undefined) return undefined;
    node.projection = projection;
    if (types.includes("null")) node.nullable = true;
    if (projection === "Set") return this.#visitElement(node);
    return projection === "Record" ? this.#visitAttributes(node) : { nodes: 1, depth: 1 };
  }

  #visitElement(node: SchemaNode): Size | undefined {
    if (node.items === undefined || node.prefixItems !== undefined) return undefined;
    const size = this.visit(node.items);
    if (size === undefined || this.#isNullable(node.items)) return undefined;
    return { nodes: size.nodes + 1, depth: size.depth + 1 };
  }

  #visitAttributes(node: SchemaNode): Size {
    let nodes = 1;
    let depth = 1;
    for (const index of Object.values(node.properties ?? {})) {
      const size = this.visit(index);
      nodes += size?.nodes ?? 0;
      depth = Math.max(depth, (size?.depth ?? 0) + 1);
    }
    return { nodes, depth };
  }

  #isNullable(index: number): boolean {
    const node = this.#nodes[index] as SchemaNode;
    if (node.nullable === true) return true;
    return node.projectionOf !== undefined && this.#isNullable(node.projectionOf);
  }

  /** A node without a type of its own takes that of its branches where they agree. */
  #assignFromBranches(node: NodeFields): Size | undefined {
    const groups = [node.allOf, node.anyOf, node.oneOf].filter((group) => group !== undefined);
    const [branches] = groups;
    if (branches === undefined || groups.length > 1) return undefined;
    if (branches === node.allOf)
      return branches.length === 1 ? this.#follow(node, branches[0] as number) : undefined;
    const isNull = (index: number): boolean => typesOf(this.#nodes[index] as SchemaNode)?.join() === "null";
    const values = branches.filter((index) => !isNull(index));
    const nullable = values.length < branches.length;
    const [first] = values;
    if (first === undefined) return undefined;
    const size = values.length === 1 ? this.#follow(node, first) : this.#unify(node, values);
    if (size !== undefined && nullable) node.nullable = true;
    return size;
  }

  #follow(node: NodeFields, index: number): Size | undefined {
    const size = this.visit(index);
    if (size !== undefined) node.projectionOf = index;
    return size;
  }

  #unify(node: NodeFields, branches: readonly number[]): Size | undefined {
    const kinds = branches.map((index) => (this.visit(index) ? this.#kindOf(index) : undefined));
    const [kind] = kinds;
    if (kind === undefined || !SCALARS.has(kind) || !kinds.every((other) => other === kind)) return undefined;
    node.projection = kind;
    if (branches.some((index) => this.#isNullable(index))) node.nullable = true;
    return { nodes: 1, depth: 1 };
  }

  #kindOf(index: number): CedarProjection | undefined {
    const node = this.#nodes[index] as SchemaNode;
    return node.projectionOf === undefined ? node.projection : this.#kindOf(node.projectionOf);
  }
}

/**
 * Writes projections into `nodes` and returns the root to use. Arguments are an object whatever the root says, and the
 * root may be referred to from within: where that matters a copy of it becomes the root.
 */
export function assignProjections(
  nodes: NodeFields[],
  root: number,
  tooLarge: (index: number, message: string) => void,
): number {
  const assignment = new Assignment(nodes, tooLarge);
  assignment.visit(root);
  const top = nodes[root] as NodeFields;
  if (isRecord(nodes, root)) return root;
  delete top.projection;
  delete top.projectionOf;
  delete top.nullable;
  const describesObject = top.types?.includes("object") ?? top.properties !== undefined;
  if (!describesObject) return root;
  const copy = nodes.push({ ...top, types: ["object"] }) - 1;
  assignment.visit(copy);
  return copy;
}

function isRecord(nodes: readonly SchemaNode[], index: number): boolean {
  let node = nodes[index];
  for (let hops = 0; node?.projectionOf !== undefined && hops <= nodes.length; hops += 1) {
    node = nodes[node.projectionOf];
  }
  return node?.projection === "Record";
}
