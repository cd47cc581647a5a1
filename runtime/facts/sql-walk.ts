// From a PostgreSQL parse tree to facts a policy can read. An allow-list walk: a statement, node or field that is not
// known adds an operation that no constraint names, so it denies.
import { JUDGED_STATEMENTS, SQL_NODES } from "./sql-nodes.ts";
import { createAttributeRefs } from "./sql-attributes.ts";
import type { AttributeRefs } from "./sql-attributes.ts";
import { isObject, nameParts } from "./sql-tree.ts";
import type { TreeObject } from "./sql-tree.ts";
import { PURE_SAMPLE_METHODS, PURE_SQL_FUNCTIONS } from "./sql-functions.ts";
import { PURE_SQL_OPERATORS, PURE_SQL_TYPES } from "./sql-names.ts";

/** What a policy learns of a statement, as `context._d.<name>`. Lists are sorted and free of duplicates. */
export interface SqlFacts {
  /** Exactly one statement, parsed. */
  readonly ok: boolean;
  /** `["SELECT"]` for one read-only query and nothing else; `["UNKNOWN"]` where the text could not be judged. */
  readonly operations: readonly string[];
  /** Relations read or written, `schema.name` where qualified; names of common table expressions are left out. */
  readonly tables: readonly string[];
  readonly functions: readonly string[];
}

/** Facts about text that could not be judged. */
export const UNKNOWN_SQL: SqlFacts = { ok: false, operations: ["UNKNOWN"], tables: [], functions: [] };

/** More facts than this about one statement are not kept: the statement counts as not judged. */
const maxFacts = 2_000;

interface Collected {
  readonly operations: Set<string>;
  readonly tables: Set<string>;
  readonly functions: Set<string>;
  readonly attributes: AttributeRefs;
}

/** Names of the common table expressions visible at a place. */
type Scope = ReadonlySet<string>;

/** Judges the output of the parser, `{ stmts: [{ stmt: {…} }] }`. Throws RangeError on a tree too deep to walk. */
export function factsOfParseTree(tree: unknown): SqlFacts {
  const statements =
    isObject(tree) && Array.isArray(tree["stmts"]) ? (tree["stmts"] as readonly unknown[]) : [];
  if (statements.length === 0) return UNKNOWN_SQL;
  const into: Collected = {
    operations: new Set(),
    tables: new Set(),
    functions: new Set(),
    attributes: createAttributeRefs(),
  };
  if (statements.length > 1) into.operations.add("MULTIPLE");
  for (const statement of statements) {
    visitWrapped(isObject(statement) ? statement["stmt"] : undefined, new Set(), into, true);
  }
  for (const name of into.attributes.calls()) judgeFunction([name], PURE_SQL_FUNCTIONS, into);
  if (into.operations.size + into.tables.size + into.functions.size > maxFacts) return UNKNOWN_SQL;
  return {
    ok: statements.length === 1,
    operations: [...into.operations].sort(),
    tables: [...into.tables].sort(),
    functions: [...into.functions].sort(),
  };
}

function visitWrapped(value: unknown, scope: Scope, into: Collected, top = false): void {
  if (Array.isArray(value)) {
    for (const item of value) visitWrapped(item, scope, into);
    return;
  }
  if (typeof value !== "object" || value === null) return;
  const entries = Object.entries(value);
  // `SELECT DISTINCT` without expressions holds one empty node.
  if (entries.length === 0) return;
  for (const [type, node] of entries) visitNode(type, node, scope, into, top);
}

function visitNode(type: string, value: unknown, scope: Scope, into: Collected, top = false): void {
  const fields = SQL_NODES.get(type);
  if (fields === undefined || !isObject(value)) {
    into.operations.add(operationName(type));
    return;
  }
  const operation = JUDGED_STATEMENTS.get(type);
  // VALUES inside another statement, as in INSERT … VALUES, is no query of its own.
  if (operation !== undefined && (top || value["valuesLists"] === undefined)) into.operations.add(operation);
  judgeNode(type, value, scope, into);
  const inner = operation === undefined ? scope : visitWithClause(value, scope, into);
  for (const [field, child] of Object.entries(value)) {
    const childType = fields.get(field);
    if (childType === undefined) into.operations.add(`FIELD:${type}.${field}`);
    else if (childType === "WithClause" || childType === "judged") continue;
    else if (childType === "node") visitWrapped(child, inner, into);
    else visitNode(childType, child, inner, into);
  }
}

// A common table expression sees those before it, and with RECURSIVE all of them.
function visitWithClause(statement: TreeObject, scope: Scope, into: Collected): Scope {
  const clause = statement["withClause"];
  if (!isObject(clause)) return scope;
  const expressions = Array.isArray(clause["ctes"]) ? (clause["ctes"] as readonly unknown[]) : [];
  const names = expressions.map(cteName);
  const visible = new Set(scope);
  if (clause["recursive"] === true) for (const name of names) visible.add(name);
  for (const [index, expression] of expressions.entries()) {
    visitWrapped(expression, new Set(visible), into);
    visible.add(names[index] ?? "");
  }
  const known = SQL_NODES.get("WithClause");
  for (const field of Object.keys(clause)) {
    if (known?.has(field) !== true) into.operations.add(`FIELD:WithClause.${field}`);
  }
  return visible;
}

function cteName(expression: unknown): string {
  const node = isObject(expression) ? expression["CommonTableExpr"] : undefined;
  const name = isObject(node) ? node["ctename"] : undefined;
  return typeof name === "string" ? name : "";
}

function judgeNode(type: string, node: TreeObject, scope: Scope, into: Collected): void {
  switch (type) {
    case "SelectStmt":
      if (node["intoClause"] !== undefined) into.operations.add("INTO");
      if (node["lockingClause"] !== undefined) into.operations.add("LOCK");
      return;
    case "RangeVar":
      judgeRelation(node, scope, into);
      return;
    case "FuncCall":
      judgeFunction(nameParts(node["funcname"]), PURE_SQL_FUNCTIONS, into);
      return;
    case "ColumnRef":
      into.attributes.column(node);
      return;
    case "A_Indirection":
      into.attributes.indirection(node);
      return;
    case "RangeFunction":
      if (!into.attributes.source(node)) into.operations.add("NODE:RangeFunction");
      return;
    case "RangeTableSample":
      judgeFunction(nameParts(node["method"]), PURE_SAMPLE_METHODS, into);
      return;
    case "A_Expr":
      judgeOperator(nameParts(node["name"]), into);
      return;
    case "SubLink":
      judgeOperator(nameParts(node["operName"]), into);
      return;
    case "SortBy":
      judgeOperator(nameParts(node["useOp"]), into);
      return;
    case "TypeName":
      judgeType(nameParts(node["names"]), into);
      return;
    default:
      return;
  }
}

function judgeRelation(node: TreeObject, scope: Scope, into: Collected): void {
  const parts = [node["catalogname"], node["schemaname"], node["relname"]].filter(
    (part) => typeof part === "string",
  );
  const [only] = parts;
  if (parts.length === 1 && only !== undefined && scope.has(only)) return;
  into.tables.add(qualifiedName(parts));
}

function judgeFunction(parts: readonly string[], pure: ReadonlySet<string>, into: Collected): void {
  const bare = withoutCatalog(parts);
  const name = qualifiedName(bare);
  into.functions.add(name);
  if (bare.length !== 1 || !pure.has(bare[0] ?? "")) into.operations.add(`FUNCTION:${name}`);
}

// Absent where the node has no operator of its own.
function judgeOperator(parts: readonly string[], into: Collected): void {
  const bare = withoutCatalog(parts);
  const [name] = bare;
  if (name === undefined || (bare.length === 1 && PURE_SQL_OPERATORS.has(name))) return;
  into.operations.add(`OPERATOR:${parts.join(".")}`);
}

// The check of a domain, and a composite type that has one among its columns, call what they like.
function judgeType(parts: readonly string[], into: Collected): void {
  const bare = withoutCatalog(parts);
  if (bare.length !== 1 || !PURE_SQL_TYPES.has(bare[0] ?? "")) {
    into.operations.add(`TYPE:${qualifiedName(bare)}`);
  }
}

function withoutCatalog(parts: readonly string[]): readonly string[] {
  return parts[0] === "pg_catalog" && parts.length === 2 ? parts.slice(1) : parts;
}

/** `a.b`, with quotes around a part that is not a plain lower-case identifier, so that two names never look alike. */
function qualifiedName(parts: readonly string[]): string {
  return parts
    .map((part) => (/^[a-z_][a-z0-9_$]*$/.test(part) ? part : `"${part.replaceAll('"', '""')}"`))
    .join(".");
}

function operationName(type: string): string {
  if (!type.endsWith("Stmt")) return `NODE:${type}`;
  return type
    .slice(0, -"Stmt".length)
    .replaceAll(/(?<=[a-z])(?=[A-Z])/g, "_")
    .toUpperCase();
}
