// A whole random repository as files, and beside it what its policies mean as plain Cedar, written independently of the
// compiler: nothing of the reference is lowered, folded or specialised by the code under test.
import { DEFAULT_TENANT, definitionDigest } from "#bundle";
import type { PinnedKind } from "#bundle";
import { formatPins } from "#compiler";
import type { JsonObject } from "#std";
import { Conditions, ROLES, text } from "./conditions.ts";
import type { Layer, Written } from "./conditions.ts";
import type { Dice } from "./dice.ts";
import { impliedPolicy, randomDocument } from "./documents.ts";
import type { Reach, ReferencePolicy, ResourceRule } from "./documents.ts";
import { FactBook } from "./facts.ts";
import type { Fact } from "./facts.ts";
import { objectSchema } from "./fields.ts";
import { isMethod, pickLeaf, randomWorld } from "./shape.ts";
import type { Leaf, ServerShape, World } from "./shape.ts";

export interface RandomRepository {
  readonly files: ReadonlyMap<string, string>;
  readonly world: World;
  readonly policies: readonly ReferencePolicy[];
  readonly rules: readonly ResourceRule[];
  readonly facts: readonly Fact[];
}

const IDENTITY = `issuers:
  - issuer: https://login.example.com/
    jwksUrl: https://login.example.com/jwks.json
    roles: { claim: roles }
    groups: { claim: groups }
    attributes:
      is_external: { type: Bool, required: true }
      email: { type: String, required: true }
      teams: { type: StringSet, required: true }
      department: { type: String }
      level: { type: Long }
`;

/** The tenants' callers come from the platform's issuer as well, told apart by a claim. */
function identityOf({ tenants }: World): string {
  if (tenants.length === 0) return IDENTITY;
  const map = tenants.map(({ id }) => `org_${id}: ${id}`).join(", ");
  return `${IDENTITY}${IDENTITY.slice(IDENTITY.indexOf("\n") + 1)
    .replaceAll("login", "shared")
    .replace("    roles:", `    tenants: { claim: org_id, map: { ${map} } }\n    roles:`)}`;
}

function projectOf({ tenants }: World): string {
  const declared = tenants.map(({ id, servers }) => [id, { servers: servers.map((server) => server.id) }]);
  return JSON.stringify({
    ...{ apiVersion: "aegis.dev/v1", kind: "Project", metadata: { name: "random" }, environments: ["prod"] },
    roles: ROLES,
    ...(tenants.length === 0 ? {} : { tenants: Object.fromEntries(declared) as JsonObject }),
  });
}

export function randomRepository(dice: Dice): RandomRepository {
  const world = randomWorld(dice);
  const facts = new FactBook();
  const policies: ReferencePolicy[] = [impliedPolicy(DEFAULT_TENANT)];
  const rules: ResourceRule[] = [];
  const endpoints = world.servers.map(({ id }) => `  - { path: /${id}/mcp, server: ${id} }\n`);
  const files = new Map([
    ["aegis.yaml", projectOf(world)],
    ["environments/prod.yaml", "publicUrl: https://gateway.example.com\n"],
    ["identity.yaml", identityOf(world)],
    ["routes.yaml", `endpoints:\n${endpoints.join("")}`],
  ]);
  for (const server of world.servers) {
    const leaves = world.leaves.filter((leaf) => leaf.server === server.id);
    files.set(`registry/servers/${server.id}.yaml`, serverYaml(server, leaves));
    files.set(`registry/pins/${server.id}.json`, pinsOf(server.id, leaves));
  }
  const tenants = world.tenants.map(({ id }) => id);
  const layers: readonly Layer[] = [
    { tenant: DEFAULT_TENANT, shape: world, tenants },
    ...world.tenants.map((shape) => ({ tenant: shape.id, shape, tenants: [shape.id] })),
  ];
  for (const layer of layers) {
    const at = layer.tenant === DEFAULT_TENANT ? "" : `tenants/${layer.tenant}/`;
    const conditions = new Conditions(dice, layer, facts);
    for (const index of dice.times(1, 2, (item) => item)) {
      const file = `${at}policies/c${String(index)}.cedar`;
      const written = dice.times(1, 4, (position) =>
        cedarPolicy(dice, layer, conditions, `${file}#${String(position)}`),
      );
      files.set(file, written.map(({ source }) => source).join("\n"));
      policies.push(...written.map(({ policy }) => policy));
    }
    for (const index of dice.times(0, 3, (item) => item)) {
      const file = `${at}policies/y${String(index)}.yaml`;
      const document = randomDocument(dice, layer, facts, file);
      files.set(file, JSON.stringify(document.yaml));
      policies.push(...document.policies);
      rules.push(...document.rules);
    }
  }
  return { files, world, policies, rules, facts: facts.facts };
}

function serverYaml({ id, tier, labels }: ServerShape, leaves: readonly Leaf[]): string {
  const sql = leaves
    .filter(({ hasSql }) => hasSql)
    .map(({ name }) => [name, { argument: "sql", dialect: "postgresql" }]);
  return JSON.stringify({
    ...{ apiVersion: "aegis.dev/v1", kind: "Server", metadata: { name: id, owner: "random" } },
    transport: { type: "streamable-http", url: "http://127.0.0.1:9/mcp" },
    ...{ tier, labels, pinMaxAge: "60s" },
    ...(sql.length === 0 ? {} : { sql: Object.fromEntries(sql) as JsonObject }),
  });
}

function definitionOf({ name, annotations, fields, kind }: Leaf): JsonObject {
  switch (kind) {
    case "resource":
      return { name: "r", uri: name };
    case "resource-template":
      return { name: "x", uriTemplate: name };
    case "prompt":
      return { name, arguments: fields.map((field) => ({ name: field.name, required: field.required })) };
    default:
      return { name, annotations, inputSchema: objectSchema(fields) };
  }
}

function pinsOf(server: string, leaves: readonly Leaf[]): string {
  const serverInfo = { name: server, version: "1" };
  const capabilities = { tools: {}, resources: {}, prompts: {} };
  const pinned = leaves.filter((leaf) => !isMethod(leaf));
  return formatPins({
    server,
    eras: { modern: { protocolVersion: "2026-07-28", capabilities, serverInfo } },
    entries: pinned.map((leaf) => {
      const definition = definitionOf(leaf);
      const { name } = leaf;
      const kind = leaf.kind as PinnedKind;
      return { kind, name, eras: ["modern"], digest: definitionDigest(definition), definition };
    }),
  });
}

interface ActionScope {
  readonly source: string;
  readonly reference: string;
  readonly actions?: readonly string[];
}

function randomActions(dice: Dice, leaf: Leaf): ActionScope {
  const method = leaf.action.slice(0, leaf.action.indexOf(":"));
  const one = `Action::${text(leaf.action)}`;
  const both = `action in [${one}, Action::"prompts/get"]`;
  return dice.pick<ActionScope>([
    ...Array.from({ length: 4 }, () => ({ source: "action", reference: "action" })),
    {
      source: `action == Action::${text(method)}`,
      reference: `action in Action::${text(method)}`,
      actions: [method],
    },
    { source: `action == ${one}`, reference: `action == ${one}`, actions: [leaf.action] },
    { source: both, reference: both, actions: [leaf.action, "prompts/get"] },
  ]);
}

/** What the shape of a policy says of the leaves that it can be about. */
function randomResource(dice: Dice, { server }: Leaf): readonly [scope: string, reach: Reach] {
  const named = `Server::${text(server)}`;
  return dice.pick<readonly [string, Reach]>([
    ...Array.from({ length: 3 }, (): readonly [string, Reach] => ["resource", {}]),
    ["resource is Server", {}],
    [`resource == ${named}`, { servers: [server] }],
    [`resource in ${named}`, { servers: [server] }],
  ]);
}

function cedarPolicy(
  dice: Dice,
  { shape, tenant }: Layer,
  conditions: Conditions,
  id: string,
): { readonly source: string; readonly policy: ReferencePolicy } {
  const effect = dice.pick(["permit", "permit", "permit", "forbid"]);
  const plain = (scope: string): Written => ({ source: scope, reference: scope, features: [] });
  const about = (entity: Written, write: (entity: string) => string): Written => ({
    ...{ source: write(entity.source), reference: write(entity.reference), features: entity.features },
  });
  const principal = dice.pick<() => Written>([
    ...Array.from({ length: 3 }, () => () => plain("principal")),
    () => about(conditions.entity("Role", dice.pick(ROLES)), (role) => `principal in ${role}`),
    () => about(conditions.entity("User", "u1"), (user) => `principal == ${user}`),
    () => about(conditions.entity("Group", "ops"), (group) => `principal is User in ${group}`),
    () => plain("principal is Agent"),
  ])();
  const leaf = pickLeaf(dice, shape);
  const action = randomActions(dice, leaf);
  const [resource, servers] = randomResource(dice, leaf);
  const bodies = dice.chance(0.08)
    ? conditions.lateDecision()
    : dice.times(0, 2, () => conditions.expression());
  const clauses = bodies.map((body) => ({ kind: dice.pick(["when", "when", "unless"]), body }));
  const body = (pick: (written: Written) => string): string =>
    clauses.map((clause) => `${clause.kind} { ${pick(clause.body)} }`).join(" ");
  const shadow = dice.chance(0.12);
  const mode = shadow ? '@mode("shadow") ' : "";
  const parts = [principal, ...clauses.map((clause) => clause.body)];
  return {
    source: `${mode}${effect} (${principal.source}, ${action.source}, ${resource}) ${body(({ source }) => source)};`,
    policy: {
      ...{ id, shadow, tenant },
      text: `${effect} (${principal.reference}, ${action.reference}, ${resource}) ${body(({ reference }) => reference)};`,
      reach: { ...servers, ...(action.actions === undefined ? {} : { actions: action.actions }) },
      features: [
        ...parts.flatMap(({ features }) => features),
        ...(shadow ? [{ name: "shadow policy" }] : []),
      ],
    },
  };
}
