// Door #facts: facts computed from a call before the policy decision.
export { createFactProgram } from "./fact-program.ts";
export type { DerivedFacts, DerivedOutcome, FactProgram, FactResources } from "./fact-program.ts";
export { MAX_MATCH_INPUT, compileMatcher } from "./matcher.ts";
export type { Matcher } from "./matcher.ts";
export { MAX_SQL_BYTES, isJudgeable, loadSqlParser, readSql } from "./sql-parse.ts";
export { createSqlReader } from "./sql-reader.ts";
export type { SqlReader, SqlReaderOptions } from "./sql-reader.ts";
export { PURE_SQL_FUNCTIONS } from "./sql-functions.ts";
export { PURE_SQL_OPERATORS, PURE_SQL_TYPES } from "./sql-names.ts";
export { UNKNOWN_SQL } from "./sql-walk.ts";
export type { SqlFacts } from "./sql-walk.ts";
