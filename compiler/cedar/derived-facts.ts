// Derived facts on one leaf: which a residual reads, which the leaf already decides, and what there is to say of them.
import { assert } from "#std";
import type { JsonValue } from "#std";
import type { Derivation, LeafAction, LeafEntry, ServerEntry } from "#bundle";
import { textFact } from "#facts";
import { pathOf, visitExprs } from "./est.ts";
import type { PolicyEst } from "./est.ts";
import { finding } from "./finding.ts";
import type { CedarFinding } from "./finding.ts";
import { pathKey } from "./fold.ts";
import type { LeafFacts } from "./fold.ts";
import type { ParsedPolicy } from "./parse.ts";
import { searchPattern } from "./regex-lints.ts";

/** The argument of a tool that holds SQL, as its server document declares it. */
export interface SqlArgument {
  readonly argument: string;
  readonly dialect: "postgresql";
}

/** Every derivation that a policy may read, by its name. */
export function derivationsOf(policies: readonly ParsedPolicy[]): ReadonlyMap<string, Derivation> {
  const derivations = new Map<string, Derivation>();
  for (const derivation of policies.flatMap((policy) => policy.derivations)) {
    const known = derivations.get(derivation.name);
    const same = known === undefined || JSON.stringify(known) === JSON.stringify(derivation);
    assert(same, `derivation ${derivation.name} has one meaning`);
    derivations.set(derivation.name, derivation);
  }
  return derivations;
}

/** Names under `context._m` and `context._d` that a residual reads. */
export function derivedNames(residual: PolicyEst): ReadonlySet<string> {
  const names = new Set<string>();
  visitExprs(residual, (expr) => {
    const path = pathOf(expr);
    if (path?.length === 3 && path[0] === "context" && (path[1] === "_m" || path[1] === "_d"))
      names.add(path[2] ?? "");
  });
  return names;
}

/** True for a fact of what a leaf may fix, which is then decided here: the gateway derives nothing for it. */
export function isOnFixedPath({ path }: Derivation): boolean {
  const [root, name] = path;
  return root === "resource" || path.length === 1 || (root === "arguments" && name === "uri");
}

/** The facts of a leaf with those derivations whose input it fixes. */
export function withDerivedConstants(facts: LeafFacts, derivations: readonly Derivation[]): LeafFacts {
  if (derivations.length === 0) return facts;
  const derived = new Map<string, JsonValue>();
  for (const derivation of derivations) {
    const value = fixedValue(facts, derivation.path);
    const fact = value === undefined ? undefined : factOf(derivation, value);
    if (fact !== undefined) derived.set(derivation.name, fact);
  }
  return { ...facts, derived };
}

function fixedValue(facts: LeafFacts, path: readonly string[]): JsonValue | undefined {
  if (path.join(".") === "resource.labels") return facts.server.labels;
  return facts.constants.get(pathKey(path[0] === "resource" ? path : ["context", ...path]));
}

function factOf(derivation: Derivation, value: JsonValue): JsonValue | undefined {
  switch (derivation.kind) {
    case "matches":
      return typeof value === "string" ? searchPattern(derivation.pattern, value) : undefined;
    case "every":
    case "range":
    case "sql":
    case "sqlNames":
      return undefined;
    default: {
      const answer = textFact(derivation.kind, value);
      return answer.ok ? answer.fact : undefined;
    }
  }
}

/** A policy on a leaf, with the facts it reads there. */
export interface ReadingPolicy {
  readonly policy: ParsedPolicy;
  readonly names: ReadonlySet<string>;
}

/** Findings about derived facts that depend on the leaf they are read on. */
export class DerivationFindings {
  readonly #sql: ReadonlyMap<LeafAction, SqlArgument>;
  readonly #found: CedarFinding[] = [];

  /** `sql`: the declared SQL arguments. */
  constructor(sql: ReadonlyMap<LeafAction, SqlArgument>) {
    this.#sql = sql;
  }

  /** Notes what the policies of one leaf read. */
  note(server: ServerEntry, leaf: LeafEntry, policies: readonly ReadingPolicy[]): void {
    for (const { policy, names } of policies) {
      for (const derivation of policy.derivations) {
        if (!names.has(derivation.name)) continue;
        const advice = policy.advice.get(derivation.name);
        if (advice !== undefined && !isSqlJudged(derivation.path, policy, policies)) this.#found.push(advice);
        if (derivation.kind === "sql" && policy.authored)
          this.#checkDeclared(server, leaf, policy, derivation);
      }
    }
  }

  /** May repeat. */
  findings(): readonly CedarFinding[] {
    return this.#found;
  }

  #checkDeclared(
    server: ServerEntry,
    leaf: LeafEntry,
    policy: ParsedPolicy,
    { name, path }: Extract<Derivation, { kind: "sql" }>,
  ): void {
    const declared = this.#sql.get(leaf.action);
    if (declared !== undefined && path.join("\0") === `arguments\0${declared.argument}`) return;
    const message = `the registry does not say that \`context.${path.join(".")}\` of ${leaf.name} on ${server.id} holds SQL`;
    const argument = path.at(-1) ?? "";
    const help = `Add to registry/servers/${server.id}.yaml: sql: { ${leaf.name}: { argument: ${argument}, dialect: postgresql } }.`;
    const at = policy.calls.get(name) ?? { start: 0, end: 0 };
    this.#found.push(finding("CEDAR_SQL_UNDECLARED", policy.spanOf(at), message, help));
  }
}

/** True where the text is judged by an SQL parser as well: in the policy itself or in any forbid of the leaf. */
function isSqlJudged(
  path: readonly string[],
  policy: ParsedPolicy,
  policies: readonly ReadingPolicy[],
): boolean {
  return policies.some(
    (other) =>
      (other.policy === policy || (other.policy.est.effect === "forbid" && !other.policy.shadow)) &&
      other.policy.derivations.some(
        (derivation) =>
          derivation.kind === "sql" &&
          other.names.has(derivation.name) &&
          pathKey(derivation.path) === pathKey(path),
      ),
  );
}
