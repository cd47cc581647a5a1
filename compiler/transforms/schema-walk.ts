// Follows a path through a lowered schema: can a value exist there, and what is known of it.
import type { JsonTypeName, PathSegment, SchemaNode, SchemaProgram } from "#bundle";
import { compilePattern } from "#schema";

export interface Step {
  /** False where no valid value has anything there. */
  readonly possible: boolean;
  /** Nodes that describe what is there; empty where the schema leaves it open. */
  readonly next: readonly number[];
  /** The name stands literally in `properties`. */
  readonly named: boolean;
}

const IMPOSSIBLE: Step = { possible: false, next: [], named: false };
const OPEN: Step = { possible: true, next: [], named: false };

function merge(steps: readonly Step[], possible: boolean): Step {
  return {
    possible,
    next: possible ? [...new Set(steps.flatMap((step) => (step.possible ? step.next : [])))] : [],
    named: possible && steps.some((step) => step.named),
  };
}

function allows(node: SchemaNode, type: JsonTypeName): boolean {
  return node.types === undefined || node.types.includes(type);
}

function ownMember(program: SchemaProgram, node: SchemaNode, name: string): Step {
  if (!allows(node, "object")) return IMPOSSIBLE;
  const properties = node.properties ?? {};
  const found = Object.hasOwn(properties, name) ? [properties[name] as number] : [];
  const named = found.length > 0;
  for (const [pattern, index] of node.patternProperties ?? []) {
    if (compilePattern(pattern).test(name)) found.push(index);
  }
  if (found.length === 0) return rest(program, node.additionalProperties);
  const possible = found.every((index) => program.nodes[index]?.always !== false);
  return { possible, next: found, named };
}

function rest(program: SchemaProgram, index: number | undefined): Step {
  if (index === undefined) return OPEN;
  return program.nodes[index]?.always === false
    ? IMPOSSIBLE
    : { possible: true, next: [index], named: false };
}

function ownElement(program: SchemaProgram, node: SchemaNode, index: number): Step {
  if (!allows(node, "array")) return IMPOSSIBLE;
  if (node.maxItems !== undefined && index >= node.maxItems) return IMPOSSIBLE;
  return rest(program, node.prefixItems?.[index] ?? node.items);
}

function ownWildcard(program: SchemaProgram, node: SchemaNode): Step {
  const members = Object.values(node.properties ?? {});
  const patterns = (node.patternProperties ?? []).map(([, index]) => index);
  const others = [node.additionalProperties, node.items].filter((index) => index !== undefined);
  const next = [...members, ...patterns, ...(node.prefixItems ?? []), ...others];
  const possible = allows(node, "object") || allows(node, "array");
  return { possible, next: next.filter((index) => program.nodes[index]?.always !== false), named: false };
}

function ownStep(program: SchemaProgram, node: SchemaNode, segment: PathSegment): Step {
  switch (segment.kind) {
    case "name":
      return ownMember(program, node, segment.name);
    case "index":
      return ownElement(program, node, segment.index);
    case "wildcard":
      return ownWildcard(program, node);
  }
}

/** One segment further from node `index`, through every subschema that applies to the same value. */
export function stepFrom(program: SchemaProgram, index: number, segment: PathSegment): Step {
  const node = program.nodes[index];
  if (node === undefined || node.always === false) return IMPOSSIBLE;
  if (node.always === true) return OPEN;
  const follow = (next: number): Step => stepFrom(program, next, segment);
  const every = [ownStep(program, node, segment), ...(node.allOf ?? []).map(follow)];
  const groups = [node.anyOf, node.oneOf].flatMap((group) =>
    group === undefined ? [] : [group.map(follow)],
  );
  const possible =
    every.every((step) => step.possible) && groups.every((group) => group.some((step) => step.possible));
  const conditional = [node.then, node.else].flatMap((branch) =>
    branch === undefined ? [] : [follow(branch)],
  );
  return merge([...every, ...groups.flat(), ...conditional], possible);
}

/** Member names that could follow at node `index`. */
export function memberNames(program: SchemaProgram, index: number): readonly string[] {
  const node = program.nodes[index];
  if (node === undefined) return [];
  const branches = [...(node.allOf ?? []), ...(node.anyOf ?? []), ...(node.oneOf ?? [])];
  const inherited = [...branches, node.then, node.else].flatMap((branch) =>
    branch === undefined ? [] : memberNames(program, branch),
  );
  return [...new Set([...Object.keys(node.properties ?? {}), ...inherited])].sort();
}

/** True where a list, and no object, is described. */
export function isListOnly(program: SchemaProgram, index: number): boolean {
  const node = program.nodes[index];
  return node?.types !== undefined && allows(node, "array") && !allows(node, "object");
}
