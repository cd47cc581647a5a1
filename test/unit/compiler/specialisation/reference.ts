// The decision as cedar-wasm takes it on the whole, unspecialised policy set: every policy of the repository in one set,
// the facts made here from the request by the documented rules.
import { createRequire } from "node:module";
import type * as CedarModule from "@cedar-policy/cedar-wasm/nodejs";
import type { Context, EntityJson, Schema } from "@cedar-policy/cedar-wasm/nodejs";
import { RE2JS } from "re2js";
import type { PrincipalFacts, RequestFacts } from "#bundle";
import type { JsonObject, JsonValue } from "#std";
import { cedarRecord, projectObject } from "./fields.ts";
import type { RandomRepository } from "./repository.ts";
import type { Leaf, ServerShape } from "./shape.ts";

const cedar = createRequire(import.meta.url)("@cedar-policy/cedar-wasm/nodejs") as typeof CedarModule;

export interface Outline {
  readonly effect: "allow" | "deny";
  readonly reasons: readonly string[];
  /** Policies that erred. */
  readonly errors: readonly string[];
}

export interface Asked {
  readonly leaf: Leaf;
  readonly principal: PrincipalFacts;
  readonly request: RequestFacts;
  readonly arguments: JsonObject;
  readonly isHostile: boolean;
}

const STRING = { type: "String" };
const STRINGS = { type: "Set", element: STRING };
const BOOLEAN = { type: "Boolean" };
const DURATION = { type: "Extension", name: "duration" };

function record(attributes: JsonObject): JsonObject {
  return { type: "Record", attributes };
}

function optional(type: JsonObject): JsonObject {
  return { ...type, required: false };
}

function schemaOf(repository: RandomRepository, leaf: Leaf): Schema {
  const method = leaf.action.slice(0, leaf.action.indexOf(":"));
  const hints = ["readOnlyHint", "destructiveHint", "idempotentHint", "openWorldHint"];
  const context = record({
    ...{ primitive: STRING, target: STRING, server: STRING, extra: STRINGS },
    arguments: cedarRecord(leaf.fields),
    annotations: optional(record(Object.fromEntries(hints.map((name) => [name, BOOLEAN])))),
    now: { type: "Extension", name: "datetime" },
    sourceIp: optional({ type: "Extension", name: "ipaddr" }),
    client: record({ id: optional(STRING), name: optional(STRING), version: optional(STRING) }),
    protocol: record({ era: STRING, version: STRING }),
    auth: record({
      ...{ issuer: STRING, amr: STRINGS, mfa: BOOLEAN, scopes: STRINGS, tokenAge: DURATION },
      ...{ acr: optional(STRING), authAge: optional(DURATION) },
    }),
    _m: record(Object.fromEntries(repository.searches.map((_, index) => [`p${String(index)}`, BOOLEAN]))),
  });
  const shape = record({
    ...{ is_external: BOOLEAN, email: STRING, teams: STRINGS },
    ...{ department: optional(STRING), level: optional({ type: "Long" }) },
  });
  const caller = { memberOfTypes: ["Role", "Group"], shape };
  const appliesTo = { principalTypes: ["User", "Agent"], resourceTypes: ["Server"], context };
  const schema = {
    "": {
      entityTypes: {
        ...{ Role: {}, Group: {}, User: caller, Agent: caller },
        Server: { shape: record({ tier: STRING, labels: STRINGS }) },
      },
      actions: { [method]: {}, [leaf.action]: { memberOf: [{ id: method }], appliesTo } },
    },
  };
  return schema as unknown as Schema;
}

/** Nothing of it comes from the evaluator. */
function contextOf(asked: Asked): JsonObject {
  const { leaf, request, arguments: args } = asked;
  const { auth, client, nowMs, protocol, sourceIp } = request;
  const known = new Set(leaf.fields.map(({ name }) => name));
  const hints = { readOnlyHint: false, destructiveHint: true, idempotentHint: false, openWorldHint: true };
  const ago = (ms: number): JsonObject => ({ __extn: { fn: "duration", arg: `${String(nowMs - ms)}ms` } });
  return {
    primitive: leaf.kind === "resource-template" ? "resource" : leaf.kind,
    ...{ target: leaf.name, server: leaf.server },
    extra: Object.keys(args).filter((name) => !known.has(name)),
    arguments: projectObject(leaf.fields, args),
    ...(leaf.kind === "tool" ? { annotations: { ...hints, ...leaf.annotations } } : {}),
    now: { __extn: { fn: "datetime", arg: new Date(nowMs).toISOString() } },
    ...(sourceIp === undefined ? {} : { sourceIp: { __extn: { fn: "ip", arg: sourceIp } } }),
    client: { ...client },
    protocol: { ...protocol },
    auth: {
      ...{ issuer: auth.issuer, amr: auth.amr, mfa: auth.amr.includes("mfa"), scopes: auth.scopes },
      ...(auth.acr === undefined ? {} : { acr: auth.acr }),
      tokenAge: ago(auth.issuedAtMs),
    },
  };
}

function valueAt(path: readonly string[], roots: JsonObject): JsonValue | undefined {
  return path.reduce<JsonValue | undefined>(
    (value, name) =>
      typeof value === "object" && value !== null && Object.hasOwn(value, name)
        ? (value as JsonObject)[name]
        : undefined,
    roots,
  );
}

function entitiesOf({ principal }: Asked, server: ServerShape): EntityJson[] {
  const roles = principal.roles.map((id) => ({ type: "Role", id }));
  const groups = principal.groups.map((id) => ({ type: "Group", id }));
  return [
    {
      uid: { type: principal.type, id: principal.id },
      attrs: principal.attributes as EntityJson["attrs"],
      parents: [...roles, ...groups],
    },
    {
      uid: { type: "Server", id: server.id },
      attrs: { tier: server.tier, labels: [...server.labels] },
      parents: [],
    },
  ];
}

/** Allow ⇔ Cedar allows, nothing erred and a permit is named. `withShadow`: as if everything were enforced. */
export function referenceDecision(repository: RandomRepository, asked: Asked, withShadow: boolean): Outline {
  const { leaf, principal } = asked;
  const server = repository.shape.servers.find(({ id }) => id === leaf.server);
  if (server === undefined) throw new Error("no such server");
  const context = contextOf(asked);
  const roots = { context, principal: principal.attributes as JsonObject, resource: { tier: server.tier } };
  const found = repository.searches.map(({ path, pattern }, index) => {
    const value = valueAt(path, roots);
    return [`p${String(index)}`, typeof value === "string" && RE2JS.compile(pattern).test(value)] as const;
  });
  const policies = repository.policies.filter(({ shadow }) => withShadow || !shadow);
  const answer = cedar.isAuthorized({
    principal: { type: principal.type, id: principal.id },
    action: { type: "Action", id: leaf.action },
    resource: { type: "Server", id: leaf.server },
    context: { ...context, _m: Object.fromEntries(found) } as unknown as Context,
    policies: { staticPolicies: Object.fromEntries(policies.map(({ id, text }) => [id, text])) },
    entities: entitiesOf(asked, server),
    schema: schemaOf(repository, leaf),
    validateRequest: true,
  });
  if (answer.type === "failure") throw new Error(JSON.stringify(answer.errors));
  const { decision, diagnostics } = answer.response;
  const errors = diagnostics.errors.map(({ policyId }) => policyId).sort();
  const allowed = decision === "allow" && errors.length === 0 && diagnostics.reason.length > 0;
  const reasons = errors.length > 0 && decision === "allow" ? [] : [...diagnostics.reason].sort();
  return { effect: allowed ? "allow" : "deny", reasons, errors };
}
