// From what a person types to a caller and a call: names of the tests, names of the registry, JSON.
import { DEFAULT_TENANT } from "#bundle";
import type { BundleContent, LeafAction, PrincipalFacts, PrincipalType } from "#bundle";
import type { PrincipalAttribute, TestCall, TestPrincipal, TestSuite } from "#compiler";
import type { Caller } from "#policy-test";
import { closestName, isJsonObject } from "#std";
import type { JsonObject, JsonValue } from "#std";
import type { TestCallShape } from "../documents/shapes.ts";
import { CallResolver } from "../lower/resolve-call.ts";

/** What was asked for does not exist or is not well-formed; `help` says what would be. */
export class AskError extends Error {
  readonly help: string | undefined;
  constructor(message: string, help?: string) {
    super(message);
    this.name = "AskError";
    this.help = help;
  }
}

function suggestion(name: string, known: readonly string[], noun: string): string {
  const near = closestName(name, known);
  if (near !== undefined) return `did you mean ${JSON.stringify(near)}?`;
  if (known.length === 0) return `there is no ${noun}`;
  const shown = known.slice(0, 10).join(", ");
  return `known: ${shown}${known.length > 10 ? ", …" : ""}`;
}

function distinct<T extends { readonly name: string }>(items: readonly T[]): readonly string[] {
  return [...new Set(items.map(({ name }) => name))].sort();
}

function principalsOf(suites: readonly TestSuite[]): readonly TestPrincipal[] {
  return suites.flatMap(({ tests }) =>
    tests.flatMap((test) => (test.kind === "matrix" ? test.principals : [test.principal])),
  );
}

function callsOf(suites: readonly TestSuite[]): readonly TestCall[] {
  return suites.flatMap(({ tests }) =>
    tests.flatMap((test) => (test.kind === "matrix" ? test.calls : [test.call])),
  );
}

/** The one thing of that name. @throws {AskError} where there is none, or suites mean different things by it */
function named<T extends { readonly name: string }>(
  items: readonly T[],
  name: string,
  noun: string,
  meaning: (item: T) => unknown,
): T {
  const found = items.filter((item) => item.name === name);
  const [first] = found;
  if (first === undefined) {
    const message = `no ${noun} of the tests is named ${JSON.stringify(name)}`;
    throw new AskError(message, suggestion(name, distinct(items), `${noun} in the tests`));
  }
  if (new Set(found.map((item) => JSON.stringify(meaning(item)))).size > 1) {
    throw new AskError(`suites mean different things by the ${noun} ${JSON.stringify(name)}`);
  }
  return first;
}

/** A call that the tests name. @throws {AskError} */
export function namedCall(suites: readonly TestSuite[], name: string): TestCall {
  return named(callsOf(suites), name, "call", ({ action, arguments: args }) => [action, args]);
}

/** What a caller may be written with: `{"type":…,"id":…,"tenant":…,"roles":[…],"groups":[…],"attrs":{…}}`. */
const PRINCIPAL_KEYS = ["type", "id", "tenant", "roles", "groups", "attrs"];

/**
 * A caller: the name of a principal of the tests, or a JSON object.
 * @throws {AskError}
 */
export function findCaller(
  text: string,
  suites: readonly TestSuite[],
  attributes: readonly PrincipalAttribute[],
  declaredRoles?: readonly string[],
  knownTenants?: readonly string[],
): Caller {
  if (!text.trimStart().startsWith("{")) {
    return named(principalsOf(suites), text, "principal", ({ facts }) => facts);
  }
  const given = parseObject("--principal", text);
  for (const key of Object.keys(given)) {
    if (PRINCIPAL_KEYS.includes(key)) continue;
    const help = suggestion(key, PRINCIPAL_KEYS, "such member");
    throw new AskError(`--principal has an unknown member ${JSON.stringify(key)}`, help);
  }
  const id = given["id"] ?? "someone";
  if (typeof id !== "string" || id === "") throw new AskError("--principal: id must be a string");
  const tenant = given["tenant"] ?? DEFAULT_TENANT;
  if (typeof tenant !== "string" || tenant === "") throw new AskError("--principal: tenant must be a string");
  if (knownTenants?.includes(tenant) === false) {
    const message = `--principal: no tenant is named ${JSON.stringify(tenant)}`;
    throw new AskError(message, suggestion(tenant, knownTenants, "tenant"));
  }
  const values = readAttributes(given["attrs"] ?? {}, attributes);
  const facts: PrincipalFacts = {
    type: principalType(given["type"] ?? "User"),
    id,
    tenant,
    roles: declared(names("roles", given["roles"] ?? []), tenant, declaredRoles),
    groups: names("groups", given["groups"] ?? []),
    attributes: values,
  };
  const missingAttributes = attributes
    .filter(({ name, required }) => required && !Object.hasOwn(values, name))
    .map(({ name }) => name);
  return { facts, missingAttributes };
}

function principalType(value: JsonValue): PrincipalType {
  if (value === "User" || value === "Agent") return value;
  throw new AskError("--principal: type must be User or Agent");
}

function names(member: string, value: JsonValue): readonly string[] {
  if (isStrings(value)) return [...new Set(value)].sort();
  throw new AskError(`--principal: ${member} must be an array of strings`);
}

/** A role that no document declares grants nothing: the answer would be about a typing error. A tenant has its own. */
function declared(
  roles: readonly string[],
  tenant: string,
  known: readonly string[] | undefined,
): readonly string[] {
  const unknown =
    tenant === DEFAULT_TENANT ? roles.find((role) => known?.includes(role) === false) : undefined;
  if (unknown === undefined || known === undefined) return roles;
  const message = `--principal: no role is named ${JSON.stringify(unknown)}`;
  throw new AskError(message, suggestion(unknown, known, "role"));
}

function isStrings(value: JsonValue): value is readonly string[] {
  return Array.isArray(value) && value.every((item) => typeof item === "string");
}

function readAttributes(
  value: JsonValue,
  attributes: readonly PrincipalAttribute[],
): PrincipalFacts["attributes"] {
  if (!isJsonObject(value)) throw new AskError("--principal: attrs must be an object");
  const known = attributes.map(({ name }) => name);
  const entries = Object.entries(value).map(([name, given]) => {
    const attribute = attributes.find((candidate) => candidate.name === name);
    if (attribute === undefined) {
      const message = `--principal: no issuer maps a claim to the attribute ${JSON.stringify(name)}`;
      throw new AskError(message, suggestion(name, known, "attribute"));
    }
    const typed = typedValue(given, attribute.type);
    if (typed === undefined) throw new AskError(`--principal: ${name} must be of type ${attribute.type}`);
    return [name, typed] as const;
  });
  return Object.fromEntries(entries);
}

function typedValue(
  value: JsonValue,
  type: PrincipalAttribute["type"],
): string | boolean | number | readonly string[] | undefined {
  switch (type) {
    case "String":
      return typeof value === "string" ? value : undefined;
    case "Bool":
      return typeof value === "boolean" ? value : undefined;
    case "Long":
      return typeof value === "number" && Number.isSafeInteger(value) ? value : undefined;
    case "StringSet":
      return isStrings(value) ? value : undefined;
  }
}

/** A JSON object from the command line. @throws {AskError} with the parser's own words */
export function parseObject(option: string, text: string): JsonObject {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (fault) {
    throw new AskError(
      `${option} is not JSON: ${fault instanceof Error ? fault.message : "no reason given"}`,
    );
  }
  if (!isJsonObject(value)) throw new AskError(`${option} must be a JSON object`);
  return value;
}

/**
 * A call as the tests write it, in the registry of a bundle.
 * @throws {AskError} with the nearest name
 */
export function findCall(content: BundleContent, shape: TestCallShape): FoundCall {
  const leaves = content.registry.servers.map((server) => [server.id, server.leaves] as const);
  const call = new CallResolver(new Map(leaves)).resolve(shape);
  if (!call.ok) throw new AskError(call.message, call.help);
  return { action: call.action, arguments: call.arguments };
}

/** What is asked for: a leaf, and the arguments that its policies see. */
export interface FoundCall {
  readonly action: LeafAction;
  readonly arguments: JsonObject;
}
