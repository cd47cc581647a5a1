// Door #naming: what the tools, prompts, loggers and resources of an endpoint's servers are called by its clients.
export { readNames, writeNames } from "./carried-names.ts";
export { locate } from "./locate.ts";
export type { Located } from "./locate.ts";
export { fromClientName, fromClientUri, namespaced, toClientName, toClientUri } from "./names.ts";
export type { OwnName, OwnUri } from "./names.ts";
export {
  rewriteAnswer,
  rewriteAsk,
  rewriteDefinition,
  rewriteErrorData,
  rewriteNotification,
} from "./rewrite.ts";
export { createRouteNames } from "./route-names.ts";
export type { NamedRoute, NamedServer, RouteNames } from "./route-names.ts";
