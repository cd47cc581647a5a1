// Attribute notation: PostgreSQL takes `(x).f`, and `x.f` where `x` is a function in FROM that has no such column, for the
// call `f(x)` (documentation, "Using Composite Types in Queries"; the parser does so for scalars as well). So both
// are function calls unless a column of that name is certain.
import { isObject, listOf, nameParts, stringOf } from "./sql-tree.ts";
import type { TreeObject } from "./sql-tree.ts";

export interface AttributeRefs {
  /** Takes a `ColumnRef`. */
  readonly column: (node: TreeObject) => void;
  /** Takes an `A_Indirection`. */
  readonly indirection: (node: TreeObject) => void;
  /** Takes a `RangeFunction`; false where its name in the query cannot be told. */
  readonly source: (node: TreeObject) => boolean;
  /** Names that may be called; ask when the whole statement was taken. */
  readonly calls: () => ReadonlySet<string>;
}

const ELEMENT = ["value"];
const PAIR = ["key", "value"];
/** Output columns of the pure functions that name them: an alias renames the row, not these. */
const OUTPUT_COLUMNS: ReadonlyMap<string, readonly string[]> = new Map([
  ["json_array_elements", ELEMENT],
  ["json_array_elements_text", ELEMENT],
  ["jsonb_array_elements", ELEMENT],
  ["jsonb_array_elements_text", ELEMENT],
  ["json_each", PAIR],
  ["json_each_text", PAIR],
  ["jsonb_each", PAIR],
  ["jsonb_each_text", PAIR],
]);

interface FunctionSource {
  readonly name: string;
  readonly columns: ReadonlySet<string>;
}

export function createAttributeRefs(): AttributeRefs {
  const called = new Set<string>();
  const qualified: { readonly row: string; readonly name: string }[] = [];
  // One name may stand for several functions in different places: a column must be certain in all of them.
  const sources = new Map<string, ReadonlySet<string>[]>();
  return {
    column: (node) => {
      const fields = listOf(node["fields"]);
      const [row, name] = [stringOf(fields.at(-2)), stringOf(fields.at(-1))];
      if (row !== undefined && name !== undefined) qualified.push({ row, name });
    },
    indirection: (node) => {
      for (const item of listOf(node["indirection"])) {
        const name = stringOf(item);
        if (name !== undefined) called.add(name);
      }
    },
    source: (node) => {
      const found = functionSource(node);
      if (found === undefined) return false;
      const known = sources.get(found.name);
      if (known === undefined) sources.set(found.name, [found.columns]);
      else known.push(found.columns);
      return true;
    },
    calls: () => {
      for (const { row, name } of qualified) {
        if (sources.get(row)?.some((columns) => !columns.has(name)) === true) called.add(name);
      }
      return called;
    },
  };
}

function functionSource(node: TreeObject): FunctionSource | undefined {
  const calls = listOf(node["functions"]).map((entry) => {
    const list = isObject(entry) ? entry["List"] : undefined;
    return isObject(list) ? listOf(list["items"]) : [];
  });
  const alias = isObject(node["alias"]) ? node["alias"] : undefined;
  const given = alias?.["aliasname"];
  const name = typeof given === "string" ? given : functionName(calls[0]?.[0]);
  if (name === undefined) return undefined;
  const renamed = nameParts(alias?.["colnames"]);
  const columns = new Set([...renamed, ...definedColumns(node["coldeflist"])]);
  if (node["ordinality"] === true) columns.add("ordinality");
  for (const [call, definitions] of calls) {
    for (const column of definedColumns(definitions)) columns.add(column);
    const own = OUTPUT_COLUMNS.get(functionName(call) ?? "");
    // Of one column the new name is the only one; of several the rest keep theirs.
    if (own !== undefined && (renamed.length === 0 || own.length > 1))
      for (const column of own) columns.add(column);
    if (own === undefined && renamed.length === 0) columns.add(name);
  }
  return { name, columns };
}

function functionName(node: unknown): string | undefined {
  const call = isObject(node) ? node["FuncCall"] : undefined;
  return isObject(call) ? nameParts(call["funcname"]).at(-1) : undefined;
}

function definedColumns(value: unknown): readonly string[] {
  const list = isObject(value) && isObject(value["List"]) ? value["List"]["items"] : value;
  return listOf(list).flatMap((item) => {
    const column = isObject(item) && isObject(item["ColumnDef"]) ? item["ColumnDef"]["colname"] : undefined;
    return typeof column === "string" ? [column] : [];
  });
}
