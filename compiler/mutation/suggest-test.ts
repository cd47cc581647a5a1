// A witness as a TestSuite document: a file of its own, or parts to put into one.
import { stringify } from "yaml";
import { DEFAULT_TENANT } from "#bundle";
import type { PrincipalFacts, RequestFacts } from "#bundle";
import { UNKNOWN_REQUEST } from "#pdp";
import type { JsonObject, JsonValue } from "#std";

export interface TestTarget {
  readonly server: string;
  readonly kind: string;
  readonly name: string;
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
    name: `${effect === "allow" ? "allowed" : "denied"}: ${target?.name ?? ""}`,
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
  const name = `transformed: ${target?.name ?? ""}`;
  return suite(target, caller, { name, as: CALLER, call: CALL, ...expected });
}

function suite(target: TestTarget | undefined, caller: TestCaller, test: object): string {
  const call = target === undefined ? undefined : callOf(target, caller.arguments);
  if (call === undefined) return "";
  const document = {
    principals: { [CALLER]: principalOf(caller) },
    calls: { [CALL]: call },
    tests: [test],
  };
  return stringify(document, { lineWidth: 0, collectionStyle: "any" });
}

function callOf({ server, kind, name }: TestTarget, args: JsonObject): JsonObject | undefined {
  switch (kind) {
    case "tool":
      return { server, tool: name, arguments: args };
    case "prompt":
      return { server, prompt: name, arguments: args };
    case "resource":
    case "resource-template":
    case "resource-rule":
      return { server, resource: args["uri"] ?? name };
    case "sampling":
    case "elicitation":
    case "completion":
    default:
      return undefined;
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
