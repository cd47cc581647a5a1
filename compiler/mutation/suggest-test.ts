// A witness as a TestSuite document: a file of its own, or parts to put into one.
import { stringify } from "yaml";
import { DEFAULT_TENANT } from "#bundle";
import type { LeafAction, PrincipalFacts, RequestFacts } from "#bundle";
import { UNKNOWN_REQUEST } from "#pdp";
import type { JsonObject, JsonValue } from "#std";
import { methodCall } from "./method-call.ts";

export interface TestTarget {
  readonly server: string;
  readonly kind: string;
  /** Empty for a method. */
  readonly name: string;
  readonly action: LeafAction;
}

export interface TestCaller {
  readonly principal: PrincipalFacts;
  readonly request?: RequestFacts;
  readonly arguments: JsonObject;
}

interface MatrixSuggestion {
  readonly target: TestTarget | undefined;
  readonly caller: TestCaller;
  readonly effect: "allow" | "deny";
  readonly shadow?: "allow" | "deny";
  readonly reasons?: readonly string[];
}

const CALLER = "caller";
const CALL = "call";

/** A matrix of one cell; empty where tests have no form for such a call. */
export function matrixTest(suggestion: MatrixSuggestion): string {
  const { target, caller, effect, shadow, reasons } = suggestion;
  const expected = {
    ...(reasons === undefined ? {} : { reasons }),
    ...(shadow === undefined ? {} : { shadow }),
  };
  return suite(target, caller, {
    name: `${effect === "allow" ? "allowed" : "denied"}: ${nameOf(target)}`,
    matrix: { principals: [CALLER], calls: [CALL] },
    ...(effect === "allow" ? { allow: [[CALLER, CALL]] } : {}),
    ...(Object.keys(expected).length === 0 ? {} : { expect: { [CALL]: expected } }),
  });
}

interface TransformSuggestion {
  readonly target: TestTarget | undefined;
  readonly caller: TestCaller;
  /** Members of the test beside its call: `upstream` and `expectResponse`, or `expectRequest`. */
  readonly expected: JsonObject;
}

export function transformTest({ target, caller, expected }: TransformSuggestion): string {
  const name = `transformed: ${nameOf(target)}`;
  return suite(target, caller, { name, as: CALLER, call: CALL, ...expected });
}

function suite(
  target: TestTarget | undefined,
  caller: TestCaller,
  test: Readonly<Record<string, unknown>>,
): string {
  const call = target === undefined ? undefined : callOf(target, caller.arguments);
  if (call === undefined) return "";
  return [
    `principals:\n  ${CALLER}: ${inline(principalOf(caller))}`,
    `calls:\n  ${CALL}: ${inline(call)}`,
    `tests:\n  - ${Object.entries(test)
      .map(([name, value]) => `${name}: ${inline(value)}`)
      .join("\n    ")}\n`,
  ].join("\n");
}

/** On one line. */
function inline(value: unknown): string {
  return stringify(value, {
    ...{ collectionStyle: "flow", flowCollectionPadding: true, lineWidth: 0, indent: 2 },
    ...{ aliasDuplicateObjects: false },
  })
    .trim()
    .replaceAll(/\n\s*/gu, " ");
}

function nameOf(target: TestTarget | undefined): string {
  return target === undefined || target.name === "" ? (target?.action ?? "") : target.name;
}

function callOf({ server, kind, name, action }: TestTarget, args: JsonObject): JsonObject | undefined {
  switch (kind) {
    case "tool":
      return { server, tool: name, arguments: args };
    case "prompt":
      return { server, prompt: name, arguments: args };
    case "resource":
    case "resource-template":
    case "resource-rule":
      return { server, resource: args["uri"] ?? name };
    default: {
      const call = methodCall(kind, server, action, args);
      return call === undefined ? undefined : { server, ...call };
    }
  }
}

function principalOf({ principal, request }: TestCaller): JsonObject {
  const { type, id, tenant, roles, groups, attributes } = principal;
  const asked = request === undefined ? {} : requestOf(request);
  return {
    ...(type === "User" ? {} : { type }),
    id,
    ...(tenant === DEFAULT_TENANT ? {} : { tenant }),
    ...(roles.length === 0 ? {} : { roles }),
    ...(groups.length === 0 ? {} : { groups }),
    ...(Object.keys(attributes).length === 0 ? {} : { attrs: attributes }),
    ...(Object.keys(asked).length === 0 ? {} : { request: asked }),
  } as JsonObject;
}

/** What differs from a request of which nothing is known. */
function requestOf(request: RequestFacts): JsonObject {
  const { nowMs, sourceIp, client, protocol, auth } = request;
  const age = (atMs: number): string => `${Math.round((nowMs - atMs) / 1000)}s`;
  const authentication: Record<string, JsonValue> = {
    ...(auth.issuer === "" ? {} : { issuer: auth.issuer }),
    ...(auth.amr.length === 0 ? {} : { amr: auth.amr }),
    ...(auth.acr === undefined ? {} : { acr: auth.acr }),
    ...(auth.scopes.length === 0 ? {} : { scopes: auth.scopes }),
    ...(auth.issuedAtMs === nowMs ? {} : { tokenAge: age(auth.issuedAtMs) }),
    ...(auth.authenticatedAtMs === undefined ? {} : { authAge: age(auth.authenticatedAtMs) }),
  };
  const isKnown = JSON.stringify(protocol) !== JSON.stringify(UNKNOWN_REQUEST.protocol);
  return {
    ...(nowMs === UNKNOWN_REQUEST.nowMs ? {} : { now: new Date(nowMs).toISOString() }),
    ...(sourceIp === undefined ? {} : { sourceIp }),
    ...(Object.keys(client).length === 0 ? {} : { client }),
    ...(isKnown ? { protocol } : {}),
    ...(Object.keys(authentication).length === 0 ? {} : { auth: authentication }),
  } as JsonObject;
}
