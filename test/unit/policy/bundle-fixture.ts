// A small policy section compiled from Cedar text, in the shape the compiler emits.
import type {
  BundleContent,
  Derivation,
  LeafEntry,
  PolicySection,
  PrincipalFacts,
  RegistrySection,
} from "#bundle";
import { createCedarInstance } from "#pdp";
import type { JsonObject } from "#std";

export const ACTION = "tools/call:sql-prod/sql.query";
export const FINANCE_ACTION = "tools/call:finance/finance.wire_transfer";
const cedar = createCedarInstance();

export const CONTEXT_TYPE = `{ primitive: String, target: String, server: String,
  arguments: { sql: String, amount?: Long, ratio?: decimal }, extra: Set<String>,
  _m: { r1: Bool }, _d: { sql: { ok: Bool, operations: Set<String>, tables: Set<String>, functions: Set<String> } } }`;

export function schemaFor(action: string, context = CONTEXT_TYPE): JsonObject {
  const answer = cedar.schemaToJson(`entity Role, Group;
    entity User in [Role, Group] { is_external: Bool, email?: String, clearance?: Long };
    entity Server { tier: String, labels: Set<String> };
    action "tools/call";
    action "${action}" in ["tools/call"] appliesTo { principal: [User], resource: [Server], context: ${context} };`);
  if (answer.type !== "success") throw new Error(JSON.stringify(answer.errors));
  return answer.json as unknown as JsonObject;
}

export function residual(text: string): JsonObject {
  const answer = cedar.policyToJson(text);
  if (answer.type !== "success") throw new Error(JSON.stringify(answer.errors));
  return answer.json as unknown as JsonObject;
}

export interface SliceFixture {
  readonly tenant?: string;
  readonly action?: string;
  readonly call: Readonly<Record<string, string>>;
  readonly visibility?: Readonly<Record<string, string>>;
  readonly shadow?: Readonly<Record<string, string>>;
  readonly derivations?: readonly Derivation[];
}

export const standardDerivations: readonly Derivation[] = [
  { kind: "matches", name: "r1", path: ["arguments", "sql"], pattern: "(?i)^\\s*SELECT\\s" },
  { kind: "sql", name: "sql", path: ["arguments", "sql"], dialect: "postgresql" },
];

export function policySection(slices: readonly SliceFixture[]): PolicySection {
  const residuals: Record<string, JsonObject> = {};
  const schemas: Record<string, JsonObject> = {};
  const refer = (policies: Readonly<Record<string, string>>) =>
    Object.entries(policies).map(([id, text]) => {
      const digest = `digest of ${text}`;
      residuals[digest] = residual(text);
      return { id, residual: digest };
    });
  return {
    residuals,
    schemas,
    slices: slices.map((slice) => {
      const action = slice.action ?? ACTION;
      schemas[`schema of ${action}`] ??= schemaFor(action);
      return {
        tenant: slice.tenant ?? "default",
        action,
        schema: `schema of ${action}`,
        call: refer(slice.call),
        visibility: refer(slice.visibility ?? {}),
        shadow: refer(slice.shadow ?? {}),
        derivations: slice.derivations ?? standardDerivations,
      };
    }),
  };
}

function leaf(action: string, name: string): LeafEntry {
  return {
    action,
    kind: "tool",
    name,
    definitions: [],
    paramHeaders: [],
    argumentsProgram: {
      root: 0,
      nodes: [
        {
          types: ["object"],
          properties: { sql: 1, amount: 2, ratio: 3, note: 4 },
          required: ["sql"],
          projection: "Record",
        },
        { types: ["string"], projection: "String" },
        { types: ["integer"], projection: "Long" },
        { types: ["number"], projection: "Decimal" },
        { always: true },
      ],
    },
  };
}

export const registry: RegistrySection = {
  servers: [
    ["sql-prod", "production", leaf(ACTION, "sql.query")] as const,
    ["finance", "restricted", leaf(FINANCE_ACTION, "finance.wire_transfer")] as const,
  ].map(([id, tier, entry]) => ({
    id,
    tier,
    labels: ["audited"],
    transports: {},
    pinMaxAgeMs: 60_000,
    eras: {},
    leaves: [entry],
  })),
};

export function content(slices: readonly SliceFixture[]): Pick<BundleContent, "registry" | "policies"> {
  return { registry, policies: policySection(slices) };
}

export function user(overrides: Partial<PrincipalFacts> = {}): PrincipalFacts {
  return {
    type: "User",
    id: "ada",
    tenant: "default",
    roles: ["Developer"],
    groups: [],
    attributes: { is_external: false },
    ...overrides,
  };
}
