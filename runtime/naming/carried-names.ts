// The names of an endpoint as text, for a thread that shares no objects: what is read from it names everything alike.
import type { LeafEntry } from "#bundle";
import { createResourceIndex } from "#resources";
import { createRouteNames } from "./route-names.ts";
import type { NamedRoute } from "./route-names.ts";

/** Kinds of leaves that stand for URIs. */
const URI_KINDS: ReadonlySet<LeafEntry["kind"]> = new Set(["resource", "resource-rule", "resource-template"]);

interface CarriedServer {
  readonly id: string;
  readonly leaves: readonly Pick<LeafEntry, "kind" | "name">[];
}

export function writeNames({ servers }: NamedRoute): string {
  const carried = servers.map(({ entry }): CarriedServer => {
    const leaves = entry.leaves.filter(({ kind }) => URI_KINDS.has(kind));
    return { id: entry.id, leaves: leaves.map(({ kind, name }) => ({ kind, name })) };
  });
  return JSON.stringify(carried);
}

/** @param text as `writeNames` made it in this process. */
export function readNames(text: string): NamedRoute {
  const servers = (JSON.parse(text) as readonly CarriedServer[]).map(({ id, leaves }) => {
    // Of a leaf that stands for URIs nothing else is looked at.
    const own = leaves as readonly LeafEntry[];
    return { entry: { id, leaves: own }, resources: createResourceIndex(own) };
  });
  return { servers, names: createRouteNames(servers) };
}
