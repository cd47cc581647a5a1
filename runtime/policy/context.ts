// The Cedar context of a decision. Arguments stand in it only as projected through the approved schema.
import { primitiveOf } from "#bundle";
import type { LeafEntry, Primitive, RequestFacts, ServerId } from "#bundle";
import type { DerivedFacts } from "#facts";
import type { JsonObject } from "#std";
import { REQUEST_MEMBERS, requestContext } from "./request-context.ts";
import type { RequestMember } from "./request-context.ts";

/** A context whose derived facts are still to be computed. */
export interface BareContext extends JsonObject {
  readonly primitive: Primitive;
  /** Tool or prompt name, resource URI, URI template or pattern; empty for a method. */
  readonly target: string;
  readonly server: ServerId;
  readonly arguments: JsonObject;
  /** Argument names that the approved schema does not describe. */
  readonly extra: readonly string[];
}

/** What the schema program made of the arguments. */
export interface ProjectedArguments {
  readonly projected: JsonObject;
  readonly extra: readonly string[];
}

export function bareContext(leaf: LeafEntry, server: ServerId, projection: ProjectedArguments): BareContext {
  return {
    primitive: primitiveOf(leaf.kind),
    target: leaf.name,
    server,
    arguments: projection.projected,
    extra: projection.extra,
  };
}

/** The complete context; `_m` and `_d` are always present. */
export function buildContext(bare: BareContext, request: JsonObject, facts: DerivedFacts): JsonObject {
  return { ...bare, ...request, _m: facts._m, _d: facts._d };
}

/**
 * The context of a visibility decision: the real target with a witness for everything a call would supply, because the
 * strict validator wants a complete request. Visibility policies do not read the witness; where they read the request,
 * `requestVisibility` puts it in.
 */
export function visibilityContext(leaf: LeafEntry, server: ServerId, witness: JsonObject): JsonObject {
  return { ...witness, primitive: primitiveOf(leaf.kind), target: leaf.name, server };
}

/** The context of a visibility decision that reads the request; `members`: those that the schema has. */
export function requestVisibility(
  witness: JsonObject,
  members: readonly RequestMember[],
  request: RequestFacts,
): JsonObject {
  // A member that this request lacks must not be that of the witness.
  const rest = Object.entries(witness).filter(([name]) => !REQUEST_MEMBERS.some((member) => member === name));
  return { ...Object.fromEntries(rest), ...requestContext(members, request) };
}
