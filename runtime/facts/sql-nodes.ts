// Parse-tree nodes of PostgreSQL that a read or data-modifying statement may consist of, each with its fields. The walk
// of `sql-walk.ts` refuses every node and field that is not listed, so a new construct is denied until it is judged.

/** Field to the type of an inline child; "node" = wrapped node, list of them, or a plain value. */
export type NodeFields = ReadonlyMap<string, string>;

// `name` takes wrapped nodes or plain values; `name:Type` holds a node without its wrapper;
// `name:judged` is judged by its presence.
const grammar: Readonly<Record<string, string>> = {
  SelectStmt: `distinctClause intoClause:judged targetList fromClause whereClause groupClause groupDistinct
    havingClause windowClause valuesLists sortClause limitOffset limitCount limitOption lockingClause:judged
    withClause:WithClause op all larg:SelectStmt rarg:SelectStmt`,
  InsertStmt: `relation:RangeVar cols selectStmt onConflictClause:OnConflictClause returningList
    returningClause:ReturningClause withClause:WithClause override`,
  UpdateStmt: `relation:RangeVar targetList whereClause fromClause returningList returningClause:ReturningClause
    withClause:WithClause`,
  DeleteStmt: `relation:RangeVar usingClause whereClause returningList returningClause:ReturningClause
    withClause:WithClause`,
  MergeStmt: `relation:RangeVar sourceRelation joinCondition mergeWhenClauses returningList
    returningClause:ReturningClause withClause:WithClause`,
  MergeWhenClause: "matchKind commandType override condition targetList values",
  OnConflictClause: "action infer:InferClause targetList whereClause location",
  InferClause: "indexElems whereClause conname location",
  IndexElem: "name expr ordering nulls_ordering location",
  ReturningClause: "options exprs",
  ReturningOption: "option value location",
  MultiAssignRef: "source colno ncolumns",
  SetToDefault: "location",
  WithClause: "ctes recursive location",
  CommonTableExpr: `ctename aliascolnames ctematerialized ctequery search_clause:CTESearchClause
    cycle_clause:CTECycleClause location`,
  CTESearchClause: "search_col_list search_breadth_first search_seq_column location",
  CTECycleClause: `cycle_col_list cycle_mark_column cycle_mark_value cycle_mark_default cycle_path_column location`,
  RangeVar: "catalogname schemaname relname inh relpersistence alias:Alias location",
  RangeSubselect: "lateral subquery alias:Alias",
  RangeFunction: "lateral ordinality is_rowsfrom functions alias:Alias coldeflist",
  RangeTableSample: "relation method args repeatable location",
  ColumnDef: "colname typeName:TypeName is_local location",
  JoinExpr: `jointype isNatural larg rarg usingClause join_using_alias:Alias quals alias:Alias rtindex`,
  Alias: "aliasname colnames",
  ResTarget: "name indirection val location",
  ColumnRef: "fields location",
  A_Star: "",
  A_Const: "ival:Integer fval:Float boolval:Boolean sval:String bsval:BitString isnull location",
  A_Expr: "kind name lexpr rexpr rexpr_list_start rexpr_list_end location",
  A_ArrayExpr: "elements list_start list_end location",
  A_Indices: "is_slice lidx uidx",
  A_Indirection: "arg indirection",
  BoolExpr: "boolop args location",
  NullTest: "arg nulltesttype argisrow location",
  BooleanTest: "arg booltesttype location",
  SubLink: "subLinkType subLinkId testexpr operName subselect location",
  CaseExpr: "arg args defresult location",
  CaseWhen: "expr result location",
  CoalesceExpr: "args location",
  MinMaxExpr: "op args location",
  FuncCall: `funcname args agg_order agg_filter over:WindowDef agg_within_group agg_star agg_distinct func_variadic
    funcformat location`,
  NamedArgExpr: "arg name argnumber location",
  TypeCast: "arg typeName:TypeName location",
  TypeName: "names typeOid setof pct_type typmods typemod arrayBounds location",
  CollateClause: "arg collname location",
  RowExpr: "args row_format colnames location",
  GroupingFunc: "args refs agglevelsup location",
  GroupingSet: "kind content location",
  SortBy: "node sortby_dir sortby_nulls useOp location",
  WindowDef: "name refname partitionClause orderClause frameOptions startOffset endOffset location",
  SQLValueFunction: "op type typmod location",
  ParamRef: "number location",
  List: "items",
  String: "sval",
  Integer: "ival",
  Float: "fval",
  Boolean: "boolval",
  BitString: "bsval",
};

/** Every node the walk understands, with its fields. */
export const SQL_NODES: ReadonlyMap<string, NodeFields> = new Map(
  Object.entries(grammar).map(([type, fields]) => [type, parseFields(fields)]),
);

/** Statements whose whole content the walk judges; the name each adds to `operations`. */
export const JUDGED_STATEMENTS: ReadonlyMap<string, string> = new Map([
  ["SelectStmt", "SELECT"],
  ["InsertStmt", "INSERT"],
  ["UpdateStmt", "UPDATE"],
  ["DeleteStmt", "DELETE"],
  ["MergeStmt", "MERGE"],
]);

function parseFields(text: string): NodeFields {
  const fields = text.split(/\s+/).filter((field) => field !== "");
  return new Map(
    fields.map((field) => {
      const [name = "", type = "node"] = field.split(":");
      return [name, type];
    }),
  );
}
