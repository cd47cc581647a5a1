// Narrows what of the arguments enters the context to what some policy reads. A number that Cedar cannot hold is then
// refused only where a policy would have read it.
import type { SchemaNode, SchemaProgram } from "#bundle";
import { resolveProjection } from "#schema";
import { LIST_LINKS, SINGLE_LINKS } from "./node-links.ts";
import type { NodeFields } from "./node-draft.ts";

/** What policies read of the arguments. Paths are relative to `context.arguments`; the empty path is all of them. */
export interface ArgumentReads {
  /** Attributes whose value is read, and for a Record all below it. */
  readonly values: readonly (readonly string[])[];
  /** Attributes that `has` asks for. */
  readonly presences: readonly (readonly string[])[];
  /** Arrays of which only the number of elements is read, or of each element what stands at `member`. */
  readonly elements: readonly ElementRead[];
}

/** `member` is absent where nothing of an element is read, and empty where all of it is. */
export interface ElementRead {
  readonly path: readonly string[];
  readonly member?: readonly string[];
}

type ReadTree = { whole: boolean; readonly members: Map<string, ReadTree>; elements?: ReadTree };

function emptyTree(): ReadTree {
  return { whole: false, members: new Map() };
}

function readTree({ values, presences, elements }: ArgumentReads): ReadTree {
  const root = emptyTree();
  const reach = (path: readonly string[], from = root): ReadTree => {
    let tree = from;
    for (const name of path) {
      const next = tree.members.get(name) ?? emptyTree();
      tree.members.set(name, next);
      tree = next;
    }
    return tree;
  };
  for (const path of presences) reach(path);
  for (const path of values) reach(path).whole = true;
  for (const { path, member } of elements) {
    const list = reach(path);
    list.elements ??= emptyTree();
    if (member !== undefined) reach(member, list.elements).whole = true;
  }
  return root;
}

const SINGLE = [...SINGLE_LINKS, "projectionOf"] as const;

function withLinks(node: SchemaNode, move: (index: number) => number): NodeFields {
  const moved: NodeFields = { ...node };
  for (const keyword of SINGLE) {
    const index = node[keyword];
    if (index !== undefined) moved[keyword] = move(index);
  }
  for (const keyword of LIST_LINKS) {
    const list = node[keyword];
    if (list !== undefined) moved[keyword] = list.map(move);
  }
  if (node.properties !== undefined) moved.properties = mapValues(node.properties, (_, index) => move(index));
  if (node.patternProperties !== undefined) {
    moved.patternProperties = node.patternProperties.map(
      ([pattern, index]) => [pattern, move(index)] as const,
    );
  }
  return moved;
}

function mapValues(
  map: Readonly<Record<string, number>>,
  change: (name: string, index: number) => number,
): Record<string, number> {
  const result = Object.create(null) as Record<string, number>;
  for (const [name, index] of Object.entries(map)) result[name] = change(name, index);
  return result;
}

function withoutProjection(node: SchemaNode): NodeFields {
  const { projection: _projection, projectionOf: _projectionOf, nullable: _nullable, ...rest } = node;
  return rest;
}

class Pruning {
  readonly #program: SchemaProgram;
  readonly #nodes: NodeFields[] = [];
  readonly #copies = new Map<string, number>();
  readonly #open: { readonly position: number; readonly index: number; readonly visible: boolean }[] = [];

  constructor(program: SchemaProgram) {
    this.#program = program;
  }

  run(tree: ReadTree): SchemaProgram {
    const root = this.#narrow(this.#program.root, tree, true);
    // A list of open copies, not recursion: definitions may refer to each other thousands deep.
    for (let job = this.#open.pop(); job !== undefined; job = this.#open.pop()) {
      const { position, index, visible } = job;
      const node = this.#program.nodes[index] as SchemaNode;
      this.#nodes[position] = withLinks(visible ? node : withoutProjection(node), (next) =>
        this.#copy(next, visible),
      );
    }
    return { nodes: this.#nodes, root };
  }

  /** Copy of a node and all below it, with its projections or without any. */
  #copy(index: number, visible: boolean): number {
    const key = `${visible ? "visible" : "opaque"} ${index}`;
    const known = this.#copies.get(key);
    if (known !== undefined) return known;
    const position = this.#nodes.push({}) - 1;
    this.#copies.set(key, position);
    this.#open.push({ position, index, visible });
    return position;
  }

  /** Copy of a node in which only the members of `tree` are visible. */
  #narrow(index: number, tree: ReadTree, isRoot: boolean): number {
    const resolved = resolveProjection(this.#program, index);
    if (resolved === undefined) return this.#copy(index, false);
    const elements = resolved.projection === "Set" ? tree.elements : undefined;
    const isNarrowed = resolved.projection === "Record" || elements !== undefined || isRoot;
    if (tree.whole || !isNarrowed) return this.#copy(index, true);
    const node = this.#program.nodes[index] as SchemaNode;
    const { properties = {}, ...rest } = withoutProjection(node);
    const moved = withLinks(rest, (next) => this.#copy(next, false));
    if (node.nullable === true) moved.nullable = true;
    const follows = node.projectionOf !== undefined;
    if (follows) moved.projectionOf = this.#narrow(node.projectionOf, tree, isRoot);
    else moved.projection = elements === undefined ? "Record" : "Set";
    if (!follows && elements !== undefined && node.items !== undefined)
      moved.items = this.#narrow(node.items, elements, false);
    if (node.properties !== undefined) {
      moved.properties = mapValues(properties, (name, next) => {
        const member = follows ? undefined : tree.members.get(name);
        return member === undefined ? this.#copy(next, false) : this.#narrow(next, member, false);
      });
    }
    return this.#nodes.push(moved) - 1;
  }
}

/**
 * The same validation, with only what `reads` names visible to policy. The presence of a Record shows none of its
 * members; the presence of anything else cannot be told without its value. Generate the Cedar schema of a leaf from
 * the pruned program: the gateway projects by it.
 */
export function pruneProjection(program: SchemaProgram, reads: ArgumentReads): SchemaProgram {
  return new Pruning(program).run(readTree(reads));
}
