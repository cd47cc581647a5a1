// Calls that differ from one in having less in it.
import { UNKNOWN_REQUEST } from "#pdp";
import type { RequestFacts } from "#bundle";
import type { JsonObject } from "#std";
import { isJsonObject } from "#std";
import { withMember } from "./build-arguments.ts";
import type { SymbolicCall } from "./replay-sides.ts";

/** Each with one thing less, the largest first. */
export function* simplerCalls(call: SymbolicCall): Generator<SymbolicCall> {
  const { principal, request } = call;
  if (request !== UNKNOWN_REQUEST) yield { ...call, request: UNKNOWN_REQUEST };
  for (const simpler of simplerRequests(request)) yield { ...call, request: simpler };
  for (const name of ["roles", "groups"] as const) {
    for (const item of principal[name])
      yield {
        ...call,
        principal: { ...principal, [name]: principal[name].filter((other) => other !== item) },
      };
  }
  for (const name of Object.keys(principal.attributes)) {
    const attributes = Object.fromEntries(
      Object.entries(principal.attributes).filter(([own]) => own !== name),
    );
    yield { ...call, principal: { ...principal, attributes } };
  }
  if (principal.id !== "plan") yield { ...call, principal: { ...principal, id: "plan" } };
  for (const args of simplerArguments(call.arguments, call.arguments, [])) yield { ...call, arguments: args };
}

function* simplerRequests(request: RequestFacts): Generator<RequestFacts> {
  const { sourceIp, ...without } = request;
  if (sourceIp !== undefined) yield without;
  const own = UNKNOWN_REQUEST;
  if (Object.keys(request.client).length > 0) yield { ...request, client: {} };
  if (JSON.stringify(request.protocol) !== JSON.stringify(own.protocol))
    yield { ...request, protocol: own.protocol };
  for (const name of ["amr", "scopes"] as const) {
    for (const item of request.auth[name]) {
      const rest = request.auth[name].filter((other) => other !== item);
      yield { ...request, auth: { ...request.auth, [name]: rest } };
    }
  }
}

function* simplerArguments(
  whole: JsonObject,
  object: JsonObject,
  path: readonly string[],
): Generator<JsonObject> {
  for (const [name, value] of Object.entries(object)) {
    const place = [...path, name];
    yield withMember(whole, place, undefined);
    if (typeof value === "string" && value.length > 1) yield withMember(whole, place, "x");
    if (Array.isArray(value) && value.length > 0) yield withMember(whole, place, value.slice(0, -1));
    if (value !== null && isJsonObject(value)) yield* simplerArguments(whole, value, place);
  }
}
