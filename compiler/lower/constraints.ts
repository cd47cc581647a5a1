// constraints.<tool> → forbids. A constraint restricts; it never grants.
import type { Derivation, SqlNamesDerivation } from "#bundle";
import { factName, sqlDerivation } from "../cedar/index.ts";
import type { SqlArgument } from "../cedar/index.ts";
import { finding } from "../cedar/finding.ts";
import { lintPattern } from "../cedar/regex-lints.ts";
import type { SourceSpan } from "../diagnostics/index.ts";
import type { ArgumentConstraintShape, ConstraintShape } from "../documents/shapes.ts";
import { didYouMean } from "../documents/yaml-source.ts";
import { ARGUMENT_RULES } from "./argument-rules.ts";
import type { RuleKey, RuleReports } from "./argument-rules.ts";
import { argumentTarget } from "./argument-target.ts";
import { sqlNameProblem } from "./argument-values.ts";
import { cedarString, policyText } from "./cedar-text.ts";
import { addPolicy, noteUse, rolesOf } from "./policies.ts";
import type { PolicyWork } from "./policies.ts";
import type { PinnedLeaf } from "./registry.ts";
import { sqlArgumentOf } from "./sql-arguments.ts";

/** Statement kinds that the SQL facts of a call may name. */
export const SQL_OPERATIONS: readonly string[] = ["SELECT", "INSERT", "UPDATE", "DELETE", "MERGE"];

type SqlKey = "functions" | "operations" | "tables";

export function lowerConstraints(work: PolicyWork): void {
  const { document, names, sink } = work;
  for (const [name, constraint] of Object.entries(document.shape.constraints ?? {})) {
    const at = document.source.atKey("constraints", name);
    const leaf = names.resolve("tools", name, work.servers, at, sink);
    if (leaf === undefined) continue;
    noteUse(work, leaf, at, "constrain");
    lowerSql(work, name, leaf, constraint);
    for (const [argument, rule] of Object.entries(constraint.arguments ?? {})) {
      lowerArgument(work, name, leaf, argument, rule);
    }
  }
}

function lowerSql(work: PolicyWork, tool: string, leaf: PinnedLeaf, constraint: ConstraintShape): void {
  const { operations, tables, functions } = constraint;
  const keys = (["operations", "tables", "functions"] as const).filter(
    (key) => constraint[key] !== undefined,
  );
  const [first] = keys;
  if (first === undefined) return;
  checkOperations(work, tool, operations ?? []);
  checkNames(work, tool, "tables", tables ?? []);
  checkNames(work, tool, "functions", functions ?? []);
  const { source } = work.document;
  const declared = sqlArgumentOf(leaf);
  if (declared === undefined) {
    const server = leaf.server.entry.id;
    const help = `add to ${leaf.server.document.source.file}: sql: { ${leaf.leaf.name}: { argument: …, dialect: postgresql } }`;
    const message = `the registry does not say which argument of ${server}/${leaf.leaf.name} holds SQL, and in which dialect`;
    work.sink.report("SQL_ARGUMENT_UNDECLARED", source.atKey("constraints", tool, first), message, help);
    return;
  }
  for (const key of keys) {
    const { unless, derivation } = sqlCondition(key, constraint[key] ?? [], declared);
    const text = policyText({ effect: "forbid", roles: rolesOf(work), leaves: [leaf], unless });
    addPolicy(work, ["constraints", tool, key], text, source.atKey("constraints", tool, key), [derivation]);
  }
}

function sqlCondition(
  key: SqlKey,
  allowed: readonly string[],
  { argument, dialect }: SqlArgument,
): { readonly unless: string; readonly derivation: Derivation } {
  const path = ["arguments", argument];
  if (key !== "operations" && allowed.some((name) => name.includes("*"))) {
    const name = factName("q", path, dialect, key, allowed);
    const derivation: SqlNamesDerivation = {
      ...{ kind: "sqlNames", name, path, dialect },
      ...{ member: key, patterns: allowed },
    };
    return { unless: `context._d.${name}`, derivation };
  }
  const derivation = sqlDerivation(path, dialect);
  const fact = `context._d.${derivation.name}`;
  const none = allowed.length === 0;
  const listed = none
    ? `${fact}.${key}.isEmpty()`
    : `[${allowed.map(cedarString).join(", ")}].containsAll(${fact}.${key})`;
  return { unless: `${fact}.ok && ${listed}`, derivation };
}

function checkOperations(work: PolicyWork, tool: string, operations: readonly string[]): void {
  for (const [index, operation] of operations.entries()) {
    if (SQL_OPERATIONS.includes(operation)) continue;
    const message = `${JSON.stringify(operation)} is not an SQL operation`;
    const help = didYouMean(operation.toUpperCase(), SQL_OPERATIONS) ?? `known: ${SQL_OPERATIONS.join(", ")}`;
    const at = work.document.source.at("constraints", tool, "operations", index);
    work.sink.report("SQL_OPERATION_UNKNOWN", at, message, help);
  }
}

function checkNames(
  work: PolicyWork,
  tool: string,
  key: "functions" | "tables",
  names: readonly string[],
): void {
  for (const [index, name] of names.entries()) {
    const problem = sqlNameProblem(name, key === "tables" ? 3 : 2);
    if (problem === undefined) continue;
    const at = work.document.source.at("constraints", tool, key, index);
    const help =
      'Write public.orders, orders, reports.*, or public."Orders" for a name that is not lower case.';
    work.sink.report("ARGUMENT_CONSTRAINT_INVALID", at, problem, help);
  }
}

function lowerArgument(
  work: PolicyWork,
  tool: string,
  leaf: PinnedLeaf,
  argument: string,
  rule: ArgumentConstraintShape,
): void {
  const { source } = work.document;
  const target = argumentTarget(
    work,
    leaf,
    argument,
    source.atKey("constraints", tool, "arguments", argument),
  );
  if (target === undefined) return;
  checkRanges(work, tool, argument, rule);
  for (const key of Object.keys(ARGUMENT_RULES) as RuleKey[]) {
    if (rule[key] === undefined) continue;
    const path = ["constraints", tool, "arguments", argument, key];
    const condition = ARGUMENT_RULES[key](target, rule, reportsAt(work, path));
    if (condition === undefined) continue;
    // An absent argument has no value to constrain; the pinned schema says whether it may be absent.
    const when = `${target.guard} && !(${condition.text})`;
    const text = policyText({ effect: "forbid", roles: rolesOf(work), leaves: [leaf], when });
    addPolicy(work, path, text, source.atKey(...path), condition.derivations);
  }
}

function reportsAt({ document, sink }: PolicyWork, path: readonly string[]): RuleReports {
  const spanOf = (index: number | undefined): SourceSpan =>
    index === undefined ? document.source.atKey(...path) : document.source.at(...path, index);
  return {
    invalid: (message, help, index) => {
      sink.report("ARGUMENT_CONSTRAINT_INVALID", spanOf(index), message, help);
      return undefined;
    },
    weak: (message, help, index) => {
      sink.report("ARGUMENT_CONSTRAINT_WEAK", spanOf(index), message, help);
    },
    lint: (pattern) => {
      for (const { code, message, help } of lintPattern(pattern)) {
        sink.add(finding(code, spanOf(undefined), message, help));
      }
    },
  };
}

const RANGES = [
  ["min", "max"],
  ["minLength", "maxLength"],
  ["minItems", "maxItems"],
] as const;

function checkRanges(work: PolicyWork, tool: string, argument: string, rule: ArgumentConstraintShape): void {
  for (const [low, high] of RANGES) {
    const least = rule[low];
    const most = rule[high];
    if (least === undefined || most === undefined || least <= most) continue;
    const at = work.document.source.atKey("constraints", tool, "arguments", argument, low);
    const message = `${low} is greater than ${high}: no value passes`;
    work.sink.report("ARGUMENT_CONSTRAINT_INVALID", at, message, "Swap them, or deny the tool.");
  }
}
