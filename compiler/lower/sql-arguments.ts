// Which argument of which tool holds SQL, as the server documents declare it.
import type { LeafAction } from "#bundle";
import type { SqlArgument } from "../cedar/index.ts";
import type { LoweredRegistry, PinnedLeaf } from "./registry.ts";

/** The declaration of one tool; undefined where its server document has none. */
export function sqlArgumentOf({ server, leaf }: PinnedLeaf): SqlArgument | undefined {
  if (leaf.kind !== "tool") return undefined;
  return Object.entries(server.document.shape.sql ?? {}).find(([tool]) => tool === leaf.name)?.[1];
}

/** The declarations of all tools. */
export function sqlArguments(registry: LoweredRegistry): ReadonlyMap<LeafAction, SqlArgument> {
  const declared = [...registry.leaves].map(([action, leaf]) => [action, sqlArgumentOf(leaf)] as const);
  return new Map(declared.flatMap(([action, sql]) => (sql === undefined ? [] : [[action, sql] as const])));
}
