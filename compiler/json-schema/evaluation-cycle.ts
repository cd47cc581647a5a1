// Finds schemas that would be applied to one and the same value without end, e.g. `A: {allOf: [A]}`.
import type { SchemaNode } from "#bundle";

/** Nodes applied to the same value as `node`. */
function sameValueNodes(node: SchemaNode): readonly number[] {
  const single = [node.not, node.if, node.then, node.else].filter((index) => index !== undefined);
  return [...(node.allOf ?? []), ...(node.anyOf ?? []), ...(node.oneOf ?? []), ...single];
}

/** Index of a node on such a cycle, or undefined. */
export function findEvaluationCycle(nodes: readonly SchemaNode[]): number | undefined {
  const state = new Map<number, "open" | "done">();
  for (const start of nodes.keys()) {
    const stack = [start];
    while (stack.length > 0) {
      const index = stack.at(-1) as number;
      if (state.has(index)) {
        stack.pop();
        state.set(index, "done");
        continue;
      }
      state.set(index, "open");
      for (const next of sameValueNodes(nodes[index] as SchemaNode)) {
        const seen = state.get(next);
        if (seen === "open") return next;
        if (seen === undefined) stack.push(next);
      }
    }
  }
  return undefined;
}
