// From a client's request to the server it is for, and the request as that server spells it.
import type { MethodTarget } from "#mcp";
import { isJsonObject } from "#std";
import type { JsonObject } from "#std";
import { fromClientName, fromClientUri } from "./names.ts";
import type { NamedRoute, NamedServer } from "./route-names.ts";

export interface Located<S extends NamedServer> {
  readonly server: S;
  /** `params` with the names and URIs of the server itself. */
  readonly params: JsonObject | undefined;
}

/**
 * Undefined where the request names nothing of any server of the endpoint. With one server everything is for that one;
 * whether it has what is named is not asked.
 */
export function locate<S extends NamedServer>(
  route: NamedRoute<S>,
  target: MethodTarget,
  params: JsonObject | undefined,
): Located<S> | undefined {
  const [only, ...others] = route.servers;
  if (only !== undefined && others.length === 0) return { server: only, params };
  if (params === undefined) return undefined;
  switch (target) {
    case "tool":
    case "prompt":
      return byName(route, params);
    case "resource":
      return byUri(route, params);
    case "completion": {
      const ref = params["ref"];
      if (!isJsonObject(ref)) return undefined;
      const own = ref["type"] === "ref/prompt" ? byName(route, ref) : byUri(route, ref);
      return own?.params === undefined
        ? undefined
        : { server: own.server, params: { ...params, ref: own.params } };
    }
    default:
      return undefined;
  }
}

function byName<S extends NamedServer>(route: NamedRoute<S>, params: JsonObject): Located<S> | undefined {
  const { name } = params;
  const own = typeof name === "string" ? fromClientName(route, name) : undefined;
  return own === undefined ? undefined : { server: own.server, params: { ...params, name: own.name } };
}

function byUri<S extends NamedServer>(route: NamedRoute<S>, params: JsonObject): Located<S> | undefined {
  const { uri } = params;
  const own = typeof uri === "string" ? fromClientUri(route, uri) : undefined;
  return own === undefined ? undefined : { server: own.server, params: { ...params, uri: own.uri } };
}
