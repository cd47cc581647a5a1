// The decision as cedar-wasm takes it on the whole, unspecialised policy set: every policy of the repository in one set,
// the facts made here from the request by the documented rules.
import { createRequire } from "node:module";
import type * as CedarModule from "@cedar-policy/cedar-wasm/nodejs";
import type { Context, EntityJson, Schema } from "@cedar-policy/cedar-wasm/nodejs";
import { DEFAULT_TENANT, primitiveOf } from "#bundle";
import type { PrincipalFacts, RequestFacts } from "#bundle";
import type { JsonObject } from "#std";
import { reaches } from "./documents.ts";
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
    _m: record(Object.fromEntries(repository.facts.map((_, index) => [`p${String(index)}`, BOOLEAN]))),
  });
  const shape = record({
    ...{ is_external: BOOLEAN, email: STRING, teams: STRINGS },
    ...{ department: optional(STRING), level: optional({ type: "Long" }) },
  });
  const caller = { memberOfTypes: ["Role", "Group", "Tenant"], shape };
  const appliesTo = { principalTypes: ["User", "Agent"], resourceTypes: ["Server"], context };
  const schema = {
    "": {
      entityTypes: {
        ...{ Role: {}, Group: {}, Tenant: {}, User: caller, Agent: caller },
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
    primitive: primitiveOf(leaf.kind),
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
      ...(auth.authenticatedAtMs === undefined ? {} : { authAge: ago(auth.authenticatedAtMs) }),
    },
  };
}

/** Ids of a tenant's callers, roles and groups are its own, whatever a token calls them. */
function idOf({ tenant }: PrincipalFacts, name: string): string {
  return tenant === DEFAULT_TENANT ? name : `${tenant}/${name}`;
}

/** A name that a caller of the platform has and that reads as one of a tenant. */
function isForged({ world }: RandomRepository, { tenant }: PrincipalFacts, name: string): boolean {
  return tenant === DEFAULT_TENANT && world.tenants.some(({ id }) => name.startsWith(`${id}/`));
}

function entitiesOf(repository: RandomRepository, { principal }: Asked, server: ServerShape): EntityJson[] {
  const own = (names: readonly string[], type: string): readonly { type: string; id: string }[] =>
    names
      .filter((name) => !isForged(repository, principal, name))
      .map((name) => ({ type, id: idOf(principal, name) }));
  return [
    {
      uid: { type: principal.type, id: idOf(principal, principal.id) },
      attrs: principal.attributes as EntityJson["attrs"],
      parents: [
        ...own(principal.roles, "Role"),
        ...own(principal.groups, "Group"),
        { type: "Tenant", id: principal.tenant },
      ],
    },
    {
      uid: { type: "Server", id: server.id },
      attrs: { tier: server.tier, labels: [...server.labels] },
      parents: [],
    },
  ];
}

/** True for a call that is denied whatever the policies say. */
export function isRefused(repository: RandomRepository, { leaf, principal }: Asked): boolean {
  const tenant = repository.world.tenants.find(({ id }) => id === principal.tenant);
  const isForeign = tenant?.servers.every(({ id }) => id !== leaf.server) === true;
  return isForeign || isForged(repository, principal, principal.id);
}

/** The policies that stand for the caller's tenant: the platform's and its own. */
function policiesOf(
  repository: RandomRepository,
  { principal }: Asked,
  withShadow: boolean,
): RandomRepository["policies"] {
  const tenants = [DEFAULT_TENANT, principal.tenant];
  return repository.policies.filter(
    ({ shadow, tenant }) => tenants.includes(tenant) && (withShadow || !shadow),
  );
}

/** Parts of the language that the decision has to do with. */
export function featuresOf(repository: RandomRepository, asked: Asked): ReadonlySet<string> {
  const { leaf, principal } = asked;
  const policies = policiesOf(repository, asked, true).filter(({ reach }) => reaches(reach, leaf));
  const used = policies.flatMap(({ features }) =>
    features.filter(({ action }) => action === undefined || action === leaf.action).map(({ name }) => name),
  );
  const isSplit = repository.world.tenants.length > 0;
  return new Set([
    ...[...used, leaf.kind],
    ...(principal.tenant === DEFAULT_TENANT ? [] : ["tenant's caller"]),
    ...(policies.some(({ tenant }) => tenant !== DEFAULT_TENANT) ? ["tenant's policies"] : []),
    ...(isSplit && principal.roles.some((role) => role.includes("/")) ? ["forged role"] : []),
  ]);
}

/** The decisions about one repository. There is one at a time: the engine keeps what is parsed by its name. */
export class Reference {
  readonly #repository: RandomRepository;
  readonly #parsed = new Set<string>();

  constructor(repository: RandomRepository) {
    this.#repository = repository;
  }

  /** Allow ⇔ Cedar allows, nothing erred and a permit is named. `withShadow`: as if everything were enforced. */
  decide(asked: Asked, withShadow: boolean): Outline {
    const { leaf, principal } = asked;
    const server = this.#repository.world.servers.find(({ id }) => id === leaf.server);
    if (server === undefined) throw new Error("no such server");
    const answer = cedar.statefulIsAuthorized({
      principal: { type: principal.type, id: idOf(principal, principal.id) },
      action: { type: "Action", id: leaf.action },
      resource: { type: "Server", id: leaf.server },
      context: { ...contextOf(asked), _m: this.#facts(asked, server) } as unknown as Context,
      preparsedPolicySetId: this.#policies(asked, withShadow),
      preparsedSchemaName: this.#schema(leaf),
      entities: entitiesOf(this.#repository, asked, server),
      validateRequest: true,
    });
    if (answer.type === "failure") throw new Error(JSON.stringify(answer.errors));
    const { decision, diagnostics } = answer.response;
    const errors = diagnostics.errors.map(({ policyId }) => policyId).sort();
    const allowed = decision === "allow" && errors.length === 0 && diagnostics.reason.length > 0;
    const reasons = errors.length > 0 && decision === "allow" ? [] : [...diagnostics.reason].sort();
    return { effect: allowed ? "allow" : "deny", reasons, errors };
  }

  #facts(asked: Asked, { tier, labels }: ServerShape): JsonObject {
    const { leaf, principal } = asked;
    const actions = [leaf.action, leaf.action.slice(0, leaf.action.indexOf(":"))];
    const attributes = principal.attributes as JsonObject;
    const roots = { actions, context: contextOf(asked), principal: attributes, resource: { tier, labels } };
    return Object.fromEntries(
      this.#repository.facts.map((fact, index) => [`p${String(index)}`, fact(roots)]),
    );
  }

  #policies(asked: Asked, withShadow: boolean): string {
    const name = `${asked.principal.tenant} ${String(withShadow)}`;
    return this.#once(name, () => {
      const texts = policiesOf(this.#repository, asked, withShadow).map(({ id, text }) => [id, text]);
      const staticPolicies = Object.fromEntries(texts) as Record<string, string>;
      return cedar.preparsePolicySet(name, { staticPolicies });
    });
  }

  #schema(leaf: Leaf): string {
    return this.#once(leaf.action, () => cedar.preparseSchema(leaf.action, schemaOf(this.#repository, leaf)));
  }

  #once(name: string, parse: () => CedarModule.CheckParseAnswer): string {
    if (this.#parsed.has(name)) return name;
    const answer = parse();
    if (answer.type === "failure") throw new Error(JSON.stringify(answer.errors));
    this.#parsed.add(name);
    return name;
  }
}
