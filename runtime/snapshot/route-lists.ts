// The lists of an endpoint: those of its servers, one after the other in the order in which the endpoint names them,
// each item under the name that clients know it by.
import type { Era } from "#bundle";
import { rewriteDefinition } from "#naming";
import type { NamedRoute } from "#naming";
import type { ListName, RouteItem, RouteLists, RoutedServer } from "./snapshot.ts";

const KIND_OF_LIST = {
  tools: "tool",
  prompts: "prompt",
  resources: "resource",
  resourceTemplates: "resource-template",
} as const;

export function routeLists(route: NamedRoute<RoutedServer>): RouteLists {
  return { legacy: listsOf(route, "legacy"), modern: listsOf(route, "modern") };
}

function listsOf(
  route: NamedRoute<RoutedServer>,
  era: Era,
): Readonly<Record<ListName, readonly RouteItem[]>> {
  const listed = (name: ListName): readonly RouteItem[] =>
    route.servers.flatMap((server) =>
      server.lists[era][name].map(({ leaf, definition }) => ({
        server,
        leaf,
        definition: rewriteDefinition(route, server, KIND_OF_LIST[name], definition),
      })),
    );
  return {
    tools: listed("tools"),
    prompts: listed("prompts"),
    resources: listed("resources"),
    resourceTemplates: listed("resourceTemplates"),
  };
}
