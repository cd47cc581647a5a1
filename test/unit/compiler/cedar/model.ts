// A small registry for the Cedar tests: three servers as a pinned repository would have them.
import type { AttributeMapping, LeafEntry, LeafKind, SchemaNode, ServerEntry } from "#bundle";
import type { CedarModel } from "../../../../compiler/cedar/index.ts";

export const ATTRIBUTES: readonly AttributeMapping[] = [
  { attribute: "is_external", claim: "ext", type: "Bool", required: true },
  { attribute: "email", claim: "email", type: "String", required: true },
  { attribute: "department", claim: "dept", type: "String", required: false },
  { attribute: "level", claim: "level", type: "Long", required: false },
  { attribute: "teams", claim: "teams", type: "StringSet", required: true },
];

/** Arguments: `[name, node, required]`. */
export type Argument = readonly [name: string, node: SchemaNode, required: boolean];

export function leaf(server: string, kind: LeafKind, name: string, members: readonly Argument[]): LeafEntry {
  const method = kind === "tool" ? "tools/call" : kind === "prompt" ? "prompts/get" : "resources/read";
  const root: SchemaNode = {
    types: ["object"],
    projection: "Record",
    properties: Object.fromEntries(members.map(([member], index) => [member, index + 1])),
    required: members.filter(([, , required]) => required).map(([member]) => member),
  };
  return {
    action: `${method}:${server}/${name}`,
    kind,
    name,
    definitions: [],
    argumentsProgram: { nodes: [root, ...members.map(([, node]) => node)], root: 0 },
    paramHeaders: [],
  };
}

export const text: SchemaNode = { types: ["string"], projection: "String" };
export const whole: SchemaNode = { types: ["integer"], projection: "Long" };
export const flag: SchemaNode = { types: ["boolean"], projection: "Bool" };
export const decimal: SchemaNode = { types: ["number"], projection: "Decimal" };
export const opaque: SchemaNode = {};

export function server(
  id: string,
  tier: string,
  labels: readonly string[],
  leaves: readonly LeafEntry[],
): ServerEntry {
  return { id, tier, labels, transports: {}, pinMaxAgeMs: 60_000, eras: {}, leaves };
}

export const SERVERS: readonly ServerEntry[] = [
  server(
    "sql-prod",
    "production",
    ["data"],
    [
      leaf("sql-prod", "tool", "sql.query", [
        ["sql", text, true],
        ["limit", whole, false],
        ["blob", opaque, false],
      ]),
    ],
  ),
  server(
    "jira",
    "internal",
    ["saas", "data"],
    [
      leaf("jira", "tool", "jira.search", [
        ["jql", text, true],
        ["archived", flag, true],
      ]),
      leaf("jira", "prompt", "triage", [["topic", text, false]]),
      leaf("jira", "resource", "jira://boards", []),
      leaf("jira", "resource-template", "jira://issue/{id}", [["id", text, true]]),
    ],
  ),
  server(
    "finance-restricted",
    "restricted",
    [],
    [
      leaf("finance-restricted", "tool", "finance.wire_transfer", [
        ["amount", decimal, true],
        ["to", text, true],
      ]),
    ],
  ),
];

export const MODEL: CedarModel = {
  attributes: ATTRIBUTES,
  servers: SERVERS,
  knownRoles: ["Developer", "Employee"],
  tenant: "default",
};

export const SEED = `permit (principal in Role::"Developer", action == Action::"tools/call", resource == Server::"sql-prod")
when { context.primitive == "tool" && context.target == "sql.query" && context.arguments.sql.matches("(?i)^\\\\s*SELECT\\\\s") };

forbid (principal, action, resource == Server::"finance-restricted") when { principal.is_external == true };
`;
