// The repository of the escape attempts with and without the files of an attacker, and what must be equal in both.
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { parse } from "yaml";
import type { BundleContent, PrincipalFacts, TenantId } from "#bundle";
import { compile, directoryWorkspace, memoryWorkspace } from "#compiler";
import type { CompileResult } from "#compiler";
import { createEvaluator, UNKNOWN_REQUEST } from "#pdp";
import type { EvaluatorOptions } from "#pdp";
import type { JsonObject } from "#std";

export const ATTACKER: TenantId = "acme";
const DATA = join(import.meta.dirname, "../../../data/tenants");
const TEMPLATE = join(import.meta.dirname, "../../../../policy-repo-template");

export type Files = Readonly<Record<string, string>>;

export function readData(name: string): unknown {
  return parse(readFileSync(join(DATA, name), "utf8"));
}

const BASE = baseFiles();

function baseFiles(): ReadonlyMap<string, string> {
  const template = directoryWorkspace(TEMPLATE);
  const registry = template.list().filter((path) => path.startsWith("registry/"));
  const files = new Map(registry.map((path) => [path, Buffer.from(template.read(path)).toString("utf8")]));
  for (const [path, text] of Object.entries(readData("base.yaml") as Files)) files.set(path, text);
  return files;
}

/** Compiles the base with the attacker's files laid over it. */
export function compileWith(files: Files): Promise<CompileResult> {
  const workspace = memoryWorkspace(new Map([...BASE, ...Object.entries(files)]));
  return compile({ dir: "memory", workspace });
}

/** Everything in a bundle that a caller outside the attacker's tenant can meet. */
export function seenByOthers(content: BundleContent): JsonObject {
  const isOther = ({ tenant }: { readonly tenant?: TenantId }): boolean => tenant !== ATTACKER;
  const slices = content.policies.slices.filter(isOther);
  const refs = slices.flatMap((slice) => [...slice.call, ...slice.visibility, ...slice.shadow]);
  const only = (table: Readonly<Record<string, JsonObject>>, keys: readonly string[]): JsonObject =>
    Object.fromEntries([...new Set(keys)].sort().map((key) => [key, table[key] ?? null]));
  const environments = Object.entries(content.routes.environments).map(([name, environment]) => ({
    name,
    routes: environment.routes.filter(isOther),
    issuers: environment.issuers.filter(isOther),
  }));
  const { servers } = content.registry;
  const sources = Object.entries(content.sources.policies).filter(([id]) =>
    refs.some((ref) => ref.id === id),
  );
  return {
    slices,
    residuals: only(
      content.policies.residuals,
      refs.map(({ residual }) => residual),
    ),
    schemas: only(
      content.policies.schemas,
      slices.map(({ schema }) => schema),
    ),
    environments,
    servers,
    limits: content.limits.limits.filter(isOther),
    transforms: content.transforms.transforms.filter(isOther),
    sources: Object.fromEntries(sources),
    vectors: content.vectors.vectors.filter(({ principal }) => isOther(principal)),
  } as unknown as JsonObject;
}

const caller = (
  id: string,
  tenant: TenantId,
  roles: readonly string[] = [],
  groups: readonly string[] = [],
): PrincipalFacts => ({ type: "User", id, tenant, roles, groups, attributes: {} });

/** Callers, among them those whose tokens carry names that belong to another tenant. */
export const CALLERS: readonly PrincipalFacts[] = [
  caller("dana", "default", ["Developer"]),
  caller("erin", "default", ["Employee"]),
  caller("root", "default"),
  caller(
    "mallory",
    "default",
    ["globex/Auditor", "globex/Clerk", "acme/Admin"],
    ["globex/audit", "acme/staff"],
  ),
  caller("globex/gwen", "default"),
  caller("carl", "globex", ["Clerk"]),
  caller("anna", "globex", ["Auditor"], ["audit"]),
  caller("root", "globex"),
  caller("eve", "globex", ["acme/Admin", "Developer", "../acme/Admin"], ["acme/staff"]),
];

/** Callers of the attacker, who claim to be all the others. */
export const ATTACKERS: readonly PrincipalFacts[] = [
  caller("alice", ATTACKER, ["Admin", "Developer"], ["staff"]),
  caller("root", ATTACKER, ["Employee"]),
  caller("gwen", ATTACKER, ["globex/Auditor", "globex/Clerk", "../globex/Clerk"], ["globex/audit", "audit"]),
  caller("globex/gwen", ATTACKER, ["Auditor"], ["suspended"]),
];

export interface Call {
  readonly action: string;
  readonly arguments: JsonObject;
}

export const CALLS: Readonly<Record<string, Call>> = {
  select: { action: "tools/call:sql-prod/sql.query", arguments: { sql: "SELECT 1" } },
  drop: { action: "tools/call:sql-prod/sql.query", arguments: { sql: "DROP TABLE customers" } },
  search: { action: "tools/call:jira/jira.search", arguments: { jql: "OPS" } },
  reindex: { action: "tools/call:jira/jira.reindex", arguments: { project: "OPS" } },
  wire: {
    action: "tools/call:finance-restricted/finance.wire_transfer",
    arguments: { to_account: "DE02120300000000202051", amount: 1 },
  },
};

/** `<tenant>:<id> <call>` of every decision that allows. */
export async function allowed(
  content: BundleContent,
  callers: readonly PrincipalFacts[],
  createPdp?: EvaluatorOptions["createPdp"],
): Promise<readonly string[]> {
  const evaluator = await createEvaluator(content, createPdp === undefined ? {} : { createPdp });
  try {
    const found: string[] = [];
    for (const principal of callers) {
      for (const [name, call] of Object.entries(CALLS)) {
        const { tenant } = principal;
        const signal = AbortSignal.timeout(10_000);
        const prepared = await evaluator.prepare({
          ...call,
          tenant,
          principal,
          request: UNKNOWN_REQUEST,
          signal,
        });
        if (!prepared.ok) continue;
        const { effect } = evaluator.decide(prepared.query);
        if (effect === "allow") found.push(`${tenant}:${principal.id} ${name}`);
      }
    }
    return found;
  } finally {
    evaluator.dispose();
  }
}
