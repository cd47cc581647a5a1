// Whether two programs accept the same arguments for the reason that they are the same, whatever of them is visible to
// policies: narrowing what policies see copies nodes, so node numbers say nothing.
import { createHash } from "node:crypto";
import { canonicalJson } from "#bundle";
import type { SchemaNode, SchemaProgram } from "#bundle";

/** Rounds of refinement; two programs that differ only deeper than this have more nodes than one that is accepted. */
const MAX_ROUNDS = 10_000;

/** False proves nothing. */
export function sameValidation(left: SchemaProgram, right: SchemaProgram): boolean {
  if (left === right) return true;
  const offset = left.nodes.length;
  const nodes = [
    ...left.nodes.map((node) => entryOf(node, 0)),
    ...right.nodes.map((node) => entryOf(node, offset)),
  ];
  let colours = nodes.map(({ own }) => digest(own));
  let classes = new Set(colours).size;
  for (let round = 0; round < Math.min(MAX_ROUNDS, nodes.length); round += 1) {
    colours = nodes.map(({ own, links }) =>
      digest(JSON.stringify([own, links.map(([label, index]) => [label, colours[index] ?? ""])])),
    );
    const now = new Set(colours).size;
    if (now === classes) break;
    classes = now;
  }
  return colours[left.root] === colours[offset + right.root];
}

interface Entry {
  /** What the node says by itself, as text. */
  readonly own: string;
  /** The nodes it refers to. */
  readonly links: readonly (readonly [label: string, index: number])[];
}

const SINGLE = [
  "additionalProperties",
  "propertyNames",
  "items",
  "contains",
  "not",
  "if",
  "then",
  "else",
] as const;
const LISTS = ["prefixItems", "allOf", "anyOf", "oneOf"] as const;

function entryOf(node: SchemaNode, offset: number): Entry {
  const links: [string, number][] = [];
  const own: Record<string, unknown> = { ...node };
  for (const keyword of [
    "projection",
    "projectionOf",
    "nullable",
    "properties",
    "patternProperties",
    ...SINGLE,
    ...LISTS,
  ])
    delete own[keyword];
  for (const keyword of SINGLE) {
    const index = node[keyword];
    if (index !== undefined) links.push([keyword, index + offset]);
  }
  for (const keyword of LISTS)
    for (const [at, index] of (node[keyword] ?? []).entries())
      links.push([`${keyword} ${String(at)}`, index + offset]);
  for (const [name, index] of Object.entries(node.properties ?? {})) links.push([`.${name}`, index + offset]);
  for (const [pattern, index] of node.patternProperties ?? []) links.push([`/${pattern}`, index + offset]);
  return { own: canonicalJson(own), links: links.sort(([a], [b]) => (a < b ? -1 : 1)) };
}

function digest(text: string): string {
  return createHash("sha256").update(text).digest("base64");
}
