// What a caller sees of an endpoint's lists, in one digest for each change notification. Two releases that differ only in
// what somebody else sees have equal digests for this caller.
import { createHash } from "node:crypto";
import type { Era, RequestFacts } from "#bundle";
import { isListed } from "#pdp";
import type { ListCaller } from "#pdp";
import type { Turn } from "#std";
import type { ListName, Route, RoutedServer, Snapshot } from "../snapshot/snapshot.ts";

/** What a change notification is about. Templates are announced as resources (MCP server features, resources). */
export type ListKind = "tools" | "prompts" | "resources";

export const LIST_KINDS: readonly ListKind[] = ["tools", "prompts", "resources"];

/** The members of a listen's filter (MCP 2026-07-28, subscriptions). */
export const FLAG_OF_KIND: Readonly<Record<ListKind, string>> = {
  tools: "toolsListChanged",
  prompts: "promptsListChanged",
  resources: "resourcesListChanged",
};

const LISTS_OF_KIND: Readonly<Record<ListKind, readonly ListName[]>> = {
  tools: ["tools"],
  prompts: ["prompts"],
  resources: ["resources", "resourceTemplates"],
};

export interface SeenViews {
  /** Digest of the release under which they were made. */
  readonly release: string;
  readonly digests: Readonly<Record<ListKind, string>>;
}

export interface Viewer {
  readonly era: Era;
  readonly caller: ListCaller;
  readonly request: RequestFacts;
}

export function viewsOf(snapshot: Snapshot, route: Route, viewer: Viewer): SeenViews {
  const steps = viewSteps(snapshot, route, viewer);
  for (;;) {
    const step = steps.next();
    if (step.done === true) return step.value;
  }
}

/** The same, with a turn for others wherever the budget of `turn` is used: hundreds of tools take tens of milliseconds. */
export async function viewsInSlices(
  snapshot: Snapshot,
  route: Route,
  viewer: Viewer,
  turn: Turn,
): Promise<SeenViews> {
  const steps = viewSteps(snapshot, route, viewer);
  for (;;) {
    const step = steps.next();
    if (step.done === true) return step.value;
    if (turn.isOver()) await turn.pause();
  }
}

/** A step for each definition. */
function* viewSteps(
  snapshot: Snapshot,
  route: Route,
  viewer: Viewer,
): Generator<undefined, SeenViews, undefined> {
  const steps = (kind: ListKind): Generator<undefined, string, undefined> =>
    viewDigest(snapshot, route, viewer, LISTS_OF_KIND[kind]);
  const tools = yield* steps("tools");
  const prompts = yield* steps("prompts");
  const resources = yield* steps("resources");
  return { release: snapshot.digest, digests: { tools, prompts, resources } };
}

/** The kinds of which the caller sees something else than before. */
export function changedKinds(before: SeenViews, after: SeenViews): readonly ListKind[] {
  return LIST_KINDS.filter((kind) => before.digests[kind] !== after.digests[kind]);
}

/** Whether the caller sees anything of a list of one server. */
export function seesAny(
  { evaluator }: Snapshot,
  { entry }: Route,
  { lists }: RoutedServer,
  { era, caller, request }: Viewer,
  kind: ListKind,
): boolean {
  return LISTS_OF_KIND[kind].some((list) =>
    lists[era][list].some(({ leaf }) => isListed(evaluator, entry.tenant, caller, request, leaf.action)),
  );
}

function* viewDigest(
  { evaluator }: Snapshot,
  route: Route,
  { era, caller, request }: Viewer,
  lists: readonly ListName[],
): Generator<undefined, string, undefined> {
  const hash = createHash("sha256");
  for (const { entry, lists: ofServer } of route.servers) {
    for (const list of lists) {
      for (const { leaf } of ofServer[era][list]) {
        yield;
        if (!isListed(evaluator, route.entry.tenant, caller, request, leaf.action)) continue;
        const digests = leaf.definitions.filter(({ eras }) => eras.includes(era)).map(({ digest }) => digest);
        hash.update(JSON.stringify([entry.id, list, leaf.action, digests]));
      }
    }
  }
  return hash.digest("base64url");
}
