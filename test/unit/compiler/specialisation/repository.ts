// A whole random repository as files, and beside it what its policies mean as plain Cedar, written independently of the
// compiler: nothing of the reference is lowered, folded or specialised by the code under test.
import { definitionDigest } from "#bundle";
import type { PolicyId } from "#bundle";
import { formatPins } from "#compiler";
import type { JsonObject } from "#std";
import { Conditions, ROLES, text } from "./conditions.ts";
import type { Search, Written } from "./conditions.ts";
import type { Dice } from "./dice.ts";
import { objectSchema } from "./fields.ts";
import { groupOf, randomShape } from "./shape.ts";
import type { Group, Leaf, ServerShape, Shape } from "./shape.ts";

export interface ReferencePolicy {
  readonly id: PolicyId;
  /** Plain Cedar. */
  readonly text: string;
  readonly shadow: boolean;
}

export interface RandomRepository {
  readonly files: ReadonlyMap<string, string>;
  readonly shape: Shape;
  readonly policies: readonly ReferencePolicy[];
  readonly searches: readonly Search[];
}

const FIXED: readonly (readonly [string, string])[] = [
  [
    "aegis.yaml",
    `apiVersion: aegis.dev/v1\nkind: Project\nmetadata: { name: random }\nenvironments: [prod]\nroles: ${JSON.stringify(ROLES)}\n`,
  ],
  ["environments/prod.yaml", "publicUrl: https://gateway.example.com\n"],
  [
    "identity.yaml",
    `issuers:
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
`,
  ],
];

export function randomRepository(dice: Dice): RandomRepository {
  const shape = randomShape(dice);
  const searches: Search[] = [];
  const policies: ReferencePolicy[] = [];
  const files = new Map(FIXED);
  const endpoints = shape.servers.map(({ id }) => `  - { path: /${id}/mcp, server: ${id} }\n`);
  files.set("routes.yaml", `endpoints:\n${endpoints.join("")}`);
  for (const server of shape.servers) {
    files.set(`registry/servers/${server.id}.yaml`, serverYaml(server));
    const leaves = shape.leaves.filter((leaf) => leaf.server === server.id);
    files.set(`registry/pins/${server.id}.json`, pinsOf(server.id, leaves));
  }
  const conditions = new Conditions(dice, shape, searches);
  for (const index of dice.times(1, 2, (item) => item)) {
    const file = `policies/c${String(index)}.cedar`;
    const written = dice.times(1, 5, () => cedarPolicy(dice, shape, conditions));
    files.set(file, written.map(({ source }) => source).join("\n"));
    written.forEach(({ reference, shadow }, at) => {
      policies.push({ id: `${file}#${String(at)}`, text: reference, shadow });
    });
  }
  for (const index of dice.times(0, 3, (item) => item)) {
    const file = `policies/y${String(index)}.yaml`;
    const document = yamlDocument(dice, shape, file);
    files.set(file, JSON.stringify(document.yaml));
    policies.push(...document.policies);
  }
  return { files, shape, policies, searches };
}

function serverYaml({ id, tier, labels }: ServerShape): string {
  return `apiVersion: aegis.dev/v1
kind: Server
metadata: { name: ${id}, owner: random }
transport: { type: streamable-http, url: "http://127.0.0.1:9/mcp" }
tier: ${tier}
labels: ${JSON.stringify(labels)}
pinMaxAge: 60s
`;
}

function definitionOf(leaf: Leaf): JsonObject {
  const { name, annotations, fields, kind } = leaf;
  switch (kind) {
    case "tool":
      return { name, annotations, inputSchema: objectSchema(fields) };
    case "resource":
      return { name: "r", uri: name };
    case "resource-template":
      return { name: "x", uriTemplate: name };
    case "prompt":
      return { name, arguments: fields.map((field) => ({ name: field.name, required: field.required })) };
  }
}

function pinsOf(server: string, leaves: readonly Leaf[]): string {
  const serverInfo = { name: server, version: "1" };
  const capabilities = { tools: {}, resources: {}, prompts: {} };
  return formatPins({
    server,
    eras: { modern: { protocolVersion: "2026-07-28", capabilities, serverInfo } },
    entries: leaves.map((leaf) => {
      const definition = definitionOf(leaf);
      const { kind, name } = leaf;
      return { kind, name, eras: ["modern"], digest: definitionDigest(definition), definition };
    }),
  });
}

interface WrittenPolicy extends Written {
  readonly shadow: boolean;
}

function cedarPolicy(dice: Dice, shape: Shape, conditions: Conditions): WrittenPolicy {
  const effect = dice.pick(["permit", "permit", "permit", "forbid"]);
  const principal = dice.pick([
    ...["principal", "principal", `principal in Role::${text(dice.pick(ROLES))}`],
    ...['principal == User::"u1"', "principal is Agent", 'principal is User in Group::"ops"'],
  ]);
  const leaf = dice.pick(shape.leaves);
  const method = leaf.action.slice(0, leaf.action.indexOf(":"));
  const [action, plainAction] = dice.pick<readonly [string, string]>([
    ...Array.from({ length: 3 }, () => ["action", "action"] as const),
    [`action == Action::${text(method)}`, `action in Action::${text(method)}`],
    [`action == Action::${text(leaf.action)}`, `action == Action::${text(leaf.action)}`],
    [
      `action in [Action::${text(leaf.action)}, Action::"prompts/get"]`,
      `action in [Action::${text(leaf.action)}, Action::"prompts/get"]`,
    ],
  ]);
  const resource = dice.pick([
    ...["resource", "resource", "resource is Server"],
    ...[`resource == Server::${text(leaf.server)}`, `resource in Server::${text(leaf.server)}`],
  ]);
  const clauses = dice.times(0, 2, () => ({
    kind: dice.pick(["when", "when", "unless"]),
    body: conditions.expression(),
  }));
  const body = (pick: (written: Written) => string): string =>
    clauses.map((clause) => `${clause.kind} { ${pick(clause.body)} }`).join(" ");
  const shadow = dice.chance(0.15);
  const mode = shadow ? '@mode("shadow") ' : "";
  return {
    source: `${mode}${effect} (${principal}, ${action}, ${resource}) ${body(({ source }) => source)};`,
    reference: `${effect} (${principal}, ${plainAction}, ${resource}) ${body(({ reference }) => reference)};`,
    shadow,
  };
}

interface YamlDocument {
  readonly yaml: JsonObject;
  readonly policies: readonly ReferencePolicy[];
}

const GROUPS: readonly Group[] = ["tools", "resources", "prompts"];

function yamlDocument(dice: Dice, shape: Shape, file: string): YamlDocument {
  const shadow = dice.chance(0.2);
  const principals = dice.pick<"any" | readonly string[] | undefined>([
    ...(["any", undefined] as const),
    [dice.pick(ROLES)],
    ["Developer", "Auditor"],
  ]);
  const policies: ReferencePolicy[] = [];
  const add = (
    pointer: string,
    effect: string,
    leaves: readonly Leaf[],
    who: typeof principals,
    rest = "",
  ): void => {
    const actions = leaves.map(({ action }) => `Action::${text(action)}`).join(", ");
    const condition =
      who === undefined || who === "any"
        ? ""
        : `when { principal in [${who.map((role) => `Role::${text(role)}`).join(", ")}] }`;
    const reference = `${effect} (principal, action in [${actions}], resource) ${condition} ${rest};`;
    policies.push({ id: `${file}#${pointer}`, text: reference, shadow });
  };
  const section = (verb: "allow" | "deny"): JsonObject =>
    Object.fromEntries(
      GROUPS.flatMap((group) => {
        const named = dice.some(
          shape.leaves.filter((leaf) => groupOf(leaf) === group),
          verb === "deny" ? 0.15 : 0.5,
        );
        named.forEach((leaf, index) => {
          const pointer = `/${verb}/${group}/${String(index)}`;
          if (verb === "deny") add(pointer, "forbid", [leaf], principals);
          else if (principals !== undefined) add(pointer, "permit", [leaf], principals);
        });
        if (verb === "allow" && principals === undefined) closeOthers(shape, group, named, add);
        return named.length === 0 ? [] : [[group, named.map(({ name }) => name)]];
      }),
    );
  const deny = section("deny");
  const allow = section("allow");
  const constraints = Object.fromEntries(
    dice.some(shape.leaves.filter(({ kind }) => kind === "tool")).flatMap((leaf) => {
      const found = constraintOf(dice, leaf);
      if (found === undefined) return [];
      const { argument, rules, broken } = found;
      for (const [rule, condition] of broken) {
        const pointer = `/constraints/${leaf.name}/arguments/${argument}/${rule}`;
        add(pointer, "forbid", [leaf], principals, `when { ${condition} }`);
      }
      return [[leaf.name, { arguments: { [argument]: rules } }]];
    }),
  );
  const yaml = {
    ...(shadow ? { policy: { mode: "shadow" } } : {}),
    ...(principals === undefined
      ? {}
      : { scope: { principals: principals === "any" ? "any" : { in: principals } } }),
    ...(Object.keys(deny).length === 0 ? {} : { deny }),
    ...(Object.keys(allow).length === 0 ? {} : { allow }),
    ...(Object.keys(constraints).length === 0 ? {} : { constraints }),
  };
  return { yaml, policies };
}

type Add = (pointer: string, effect: string, leaves: readonly Leaf[], who: undefined) => void;

/** `allow` without principals forbids what else the named servers have of that group. */
function closeOthers(shape: Shape, group: Group, named: readonly Leaf[], add: Add): void {
  for (const server of new Set(named.map((leaf) => leaf.server))) {
    const others = shape.leaves.filter(
      (leaf) => leaf.server === server && groupOf(leaf) === group && !named.includes(leaf),
    );
    if (others.length > 0) add(`/allow/${group}/others@${server}`, "forbid", others, undefined);
  }
}

interface Constraint {
  readonly argument: string;
  readonly rules: JsonObject;
  /** For each rule, when it is broken. */
  readonly broken: readonly (readonly [rule: string, condition: string])[];
}

function constraintOf(dice: Dice, leaf: Leaf): Constraint | undefined {
  const fitting = leaf.fields.filter(({ kind }) => ["choice", "text", "whole", "number"].includes(kind));
  if (fitting.length === 0) return undefined;
  const { name, kind } = dice.pick(fitting);
  const value = `context.arguments[${text(name)}]`;
  const broken = (rule: string, holds: string): readonly [string, string] => [
    rule,
    `context.arguments has ${text(name)} && !(${holds})`,
  ];
  switch (kind) {
    case "whole":
      return {
        argument: name,
        rules: { min: 0, max: 10 },
        broken: [broken("min", `${value} >= 0`), broken("max", `${value} <= 10`)],
      };
    case "number": {
      const holds = `${value}.lessThanOrEqual(decimal("99.5"))`;
      return { argument: name, rules: { max: 99.5 }, broken: [broken("max", holds)] };
    }
    default: {
      const listed = broken("enum", `["alpha", "select 1"].contains(${value})`);
      return { argument: name, rules: { enum: ["alpha", "select 1"] }, broken: [listed] };
    }
  }
}
