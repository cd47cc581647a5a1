// constraints.<tool> → forbids. A constraint restricts; it never grants.
import { sha256Hex } from "#bundle";
import type { Derivation } from "#bundle";
import { isJsonObject } from "#std";
import { argumentsType } from "../cedar/schema.ts";
import type { SourceSpan } from "../diagnostics/index.ts";
import type { ArgumentConstraintShape } from "../documents/shapes.ts";
import { didYouMean } from "../documents/yaml-source.ts";
import { cedarString, policyText } from "./cedar-text.ts";
import { addPolicy, noteUse, rolesOf } from "./policies.ts";
import type { PolicyWork } from "./policies.ts";
import type { PinnedLeaf } from "./registry.ts";

/** Statement kinds that the SQL facts of a call may name. */
export const SQL_OPERATIONS: readonly string[] = ["SELECT", "INSERT", "UPDATE", "DELETE", "MERGE"];

/** The derived fact about the SQL in one argument. */
export function sqlDerivation(argument: string, dialect: "postgresql"): Derivation {
  const path = ["arguments", argument];
  const name = `s_${sha256Hex(JSON.stringify([path, dialect])).slice(0, 10)}`;
  return { kind: "sql", name, path, dialect };
}

export function lowerConstraints(work: PolicyWork): void {
  const { document, names, sink } = work;
  for (const [name, constraint] of Object.entries(document.shape.constraints ?? {})) {
    const at = document.source.atKey("constraints", name);
    const leaf = names.resolve("tools", name, work.servers, at, sink);
    if (leaf === undefined) continue;
    noteUse(work, leaf, at, "constrain");
    if (constraint.operations !== undefined) lowerOperations(work, name, leaf, constraint.operations);
    for (const [argument, rule] of Object.entries(constraint.arguments ?? {})) {
      lowerArgument(work, name, leaf, argument, rule);
    }
  }
}

function lowerOperations(
  work: PolicyWork,
  name: string,
  leaf: PinnedLeaf,
  operations: readonly string[],
): void {
  const { source } = work.document;
  const at = source.atKey("constraints", name, "operations");
  for (const [index, operation] of operations.entries()) {
    if (SQL_OPERATIONS.includes(operation)) continue;
    const message = `${JSON.stringify(operation)} is not an SQL operation`;
    const help = didYouMean(operation.toUpperCase(), SQL_OPERATIONS) ?? `known: ${SQL_OPERATIONS.join(", ")}`;
    work.sink.report(
      "SQL_OPERATION_UNKNOWN",
      source.at("constraints", name, "operations", index),
      message,
      help,
    );
  }
  const declared = Object.entries(leaf.server.document.shape.sql ?? {}).find(
    ([tool]) => tool === leaf.leaf.name,
  )?.[1];
  if (declared === undefined) {
    const server = leaf.server.entry.id;
    const help = `add to ${leaf.server.document.source.file}: sql: { ${leaf.leaf.name}: { argument: …, dialect: postgresql } }`;
    const message = `the registry does not say which argument of ${server}/${leaf.leaf.name} holds SQL, and in which dialect`;
    work.sink.report("SQL_ARGUMENT_UNDECLARED", at, message, help);
    return;
  }
  const derivation = sqlDerivation(declared.argument, declared.dialect);
  const fact = `context._d.${derivation.name}`;
  const allowed = operations.map(cedarString).join(", ");
  const unless = `${fact}.ok && [${allowed}].containsAll(${fact}.operations)`;
  const text = policyText({ effect: "forbid", roles: rolesOf(work), leaves: [leaf], unless });
  addPolicy(work, ["constraints", name, "operations"], text, at, [derivation]);
}

/** Cedar type of a top-level argument: `String`, `Long` …; undefined where it is opaque. */
function cedarTypeOf(
  leaf: PinnedLeaf,
  argument: string,
): { readonly known: readonly string[]; readonly type?: string } {
  const { nodes, root } = leaf.leaf.argumentsProgram;
  const known = Object.keys(nodes[root]?.properties ?? {});
  const attributes = argumentsType(leaf.leaf.argumentsProgram)["attributes"];
  const attribute =
    isJsonObject(attributes) && Object.hasOwn(attributes, argument) ? attributes[argument] : undefined;
  if (!isJsonObject(attribute)) return { known };
  const { type, name } = attribute;
  const label = type === "EntityOrCommon" || type === "Extension" ? name : type;
  return typeof label === "string" ? { known, type: label === "Boolean" ? "Bool" : label } : { known };
}

function lowerArgument(
  work: PolicyWork,
  tool: string,
  leaf: PinnedLeaf,
  argument: string,
  rule: ArgumentConstraintShape,
): void {
  const at = work.document.source.atKey("constraints", tool, "arguments", argument);
  const { known, type } = cedarTypeOf(leaf, argument);
  if (type === undefined) {
    if (known.includes(argument)) {
      work.sink.report(
        "ARGUMENT_OPAQUE",
        at,
        `the argument ${JSON.stringify(argument)} has no type that a policy can read`,
      );
    } else {
      const message = `${leaf.leaf.name} has no argument ${JSON.stringify(argument)}`;
      work.sink.report("ARGUMENT_UNKNOWN", at, message, didYouMean(argument, known));
    }
    return;
  }
  const value = `context.arguments[${cedarString(argument)}]`;
  const conditions = [
    bound(work, at, type, value, ">=", rule.min),
    bound(work, at, type, value, "<=", rule.max),
    membership(work, at, type, value, rule.enum),
  ].filter((condition) => condition !== undefined);
  if (conditions.length === 0) return;
  // An absent argument has no value to constrain; the pinned schema says whether it may be absent.
  const when = `context.arguments has ${cedarString(argument)} && !(${conditions.join(" && ")})`;
  const text = policyText({ effect: "forbid", roles: rolesOf(work), leaves: [leaf], when });
  addPolicy(work, ["constraints", tool, "arguments", argument], text, at);
}

function misfit(work: PolicyWork, at: SourceSpan, message: string): undefined {
  work.sink.report("ARGUMENT_CONSTRAINT_INVALID", at, message);
  return undefined;
}

function decimalText(value: number): string | undefined {
  const text = Number.isInteger(value) ? `${value}.0` : String(value);
  return /^-?\d{1,14}\.\d{1,4}$/u.test(text) ? `decimal("${text}")` : undefined;
}

function bound(
  work: PolicyWork,
  at: SourceSpan,
  type: string,
  value: string,
  operator: "<=" | ">=",
  limit: number | undefined,
): string | undefined {
  if (limit === undefined) return undefined;
  if (type === "Long") {
    if (!Number.isSafeInteger(limit))
      return misfit(work, at, "min and max of an integer argument must be whole numbers");
    return `${value} ${operator} ${limit}`;
  }
  if (type === "decimal") {
    const literal = decimalText(limit);
    if (literal === undefined) return misfit(work, at, "min and max have at most four decimal places");
    return `${value}.${operator === "<=" ? "lessThanOrEqual" : "greaterThanOrEqual"}(${literal})`;
  }
  return misfit(work, at, `min and max do not apply to an argument of type ${type}`);
}

function membership(
  work: PolicyWork,
  at: SourceSpan,
  type: string,
  value: string,
  choices: ArgumentConstraintShape["enum"],
): string | undefined {
  if (choices === undefined) return undefined;
  const literals = choices.map((choice) => {
    if (type === "String" && typeof choice === "string") return cedarString(choice);
    if (type === "Long" && Number.isSafeInteger(choice)) return String(choice);
    if (type === "Bool" && typeof choice === "boolean") return String(choice);
    return undefined;
  });
  if (literals.includes(undefined)) return misfit(work, at, `enum lists a value that is not of type ${type}`);
  return `[${literals.join(", ")}].contains(${value})`;
}
