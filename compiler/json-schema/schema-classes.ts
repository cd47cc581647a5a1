// Which schema nodes of several programs say the same of validity, whatever they make visible. By refinement of classes,
// so that recursive schemas are told apart however they were reached.
import { canonicalJson, sha256Hex } from "#bundle";
import type { SchemaNode, SchemaProgram } from "#bundle";
import { LIST_LINKS, SINGLE_LINKS } from "./node-links.ts";

const NOT_OWN: readonly string[] = [
  ...["projection", "projectionOf", "nullable", "properties", "patternProperties"],
  ...SINGLE_LINKS,
  ...LIST_LINKS,
];

/** The class of each node of a program: nodes of one class, of any of the programs, accept the same values. */
export type SchemaClasses = ReadonlyMap<SchemaProgram, readonly string[]>;

interface Entry {
  /** What the node says by itself, as text. */
  readonly own: string;
  /** The nodes it refers to. */
  readonly links: readonly (readonly [label: string, index: number])[];
}

/** Classes are comparable within one answer only. */
export function schemaClasses(programs: readonly SchemaProgram[]): SchemaClasses {
  const distinct = [...new Set(programs)];
  const offsets: number[] = [];
  const entries: Entry[] = [];
  for (const { nodes } of distinct) {
    const offset = entries.length;
    offsets.push(offset);
    entries.push(...nodes.map((node) => entryOf(node, offset)));
  }
  let classes = entries.map(({ own }) => sha256Hex(own));
  // Every round but the last parts a class, so there are never more rounds than nodes.
  for (let count = new Set(classes).size; ;) {
    const parted = entries.map(({ own, links }) =>
      sha256Hex(JSON.stringify([own, links.map(([label, index]) => [label, classes[index] ?? ""])])),
    );
    const now = new Set(parted).size;
    classes = parted;
    if (now === count) break;
    count = now;
  }
  return new Map(
    distinct.map((program, at) => {
      const offset = offsets[at] ?? 0;
      return [program, classes.slice(offset, offset + program.nodes.length)];
    }),
  );
}

/** The class of a node, the root where none is named. */
export function classOf(classes: SchemaClasses, program: SchemaProgram, index = program.root): string {
  const found = classes.get(program)?.[index];
  if (found === undefined) throw new Error("a schema node without a class");
  return found;
}

/** Whether two programs accept the same arguments for the reason that they are the same. False proves nothing. */
export function sameValidation(left: SchemaProgram, right: SchemaProgram): boolean {
  if (left === right) return true;
  const classes = schemaClasses([left, right]);
  return classOf(classes, left) === classOf(classes, right);
}

function entryOf(node: SchemaNode, offset: number): Entry {
  const own = Object.fromEntries(Object.entries(node).filter(([keyword]) => !NOT_OWN.includes(keyword)));
  const links: [string, number][] = [];
  for (const keyword of SINGLE_LINKS) {
    const index = node[keyword];
    if (index !== undefined) links.push([keyword, index + offset]);
  }
  for (const keyword of LIST_LINKS) {
    const indexes = node[keyword];
    // A list without members is a keyword too.
    if (indexes !== undefined) links.push([`${keyword} ${String(indexes.length)}`, -1]);
    for (const [at, index] of (indexes ?? []).entries())
      links.push([`${keyword} ${String(at)} of`, index + offset]);
  }
  for (const [name, index] of Object.entries(node.properties ?? {})) links.push([`.${name}`, index + offset]);
  for (const [pattern, index] of node.patternProperties ?? []) links.push([`/${pattern}`, index + offset]);
  return { own: canonicalJson(own as never), links: links.sort(([a], [b]) => (a < b ? -1 : 1)) };
}
