// The PostgreSQL parser on this thread. It is defence in depth: a read-only database role stays the boundary.
import { createRequire } from "node:module";
import type * as PgQueryModule from "libpg-query";
import { locateInstalled } from "#std";
import { UNKNOWN_SQL, factsOfParseTree } from "./sql-walk.ts";
import type { SqlFacts } from "./sql-walk.ts";

type PgQuery = Pick<typeof PgQueryModule, "loadModule" | "parseSync">;

/** UTF-8 bytes of one statement. */
const MAX_SQL_BYTES = 16_384;

// Space-like and invisible characters outside ASCII: parsers disagree on whether they separate words.
const foreignSpace =
  /[\u0085\u00a0\u00ad\u115f\u1160\u1680\u180e\u2000-\u200f\u2028-\u202f\u205f-\u206f\u3000\u3164\ufeff\uffa0]/;

const requireHere = createRequire(import.meta.url);
let parser: PgQuery | undefined;

/** Loads the parser's wasm (some 30 ms, once). */
export async function loadSqlParser(): Promise<void> {
  if (parser !== undefined) return;
  const loaded = requireHere(locateInstalled("libpg-query", "./libpg-query/index.cjs")) as PgQuery;
  await loaded.loadModule();
  parser = loaded;
}

/**
 * True for text that is worth parsing. Of an empty text the parser says what a broken one would; it stops at NUL; `\'` ends a string or not, depending on a setting of
 * the database.
 */
export function isJudgeable(sql: string): boolean {
  return (
    sql !== "" &&
    Buffer.byteLength(sql) <= MAX_SQL_BYTES &&
    sql.isWellFormed() &&
    !sql.includes("\0") &&
    !sql.includes("\\'") &&
    !foreignSpace.test(sql)
  );
}

/** Facts about one statement of `isJudgeable` text. Never throws; unknown where the parser is not loaded. */
export function readSql(sql: string): SqlFacts {
  const loaded = parser;
  if (loaded === undefined) return UNKNOWN_SQL;
  let tree: unknown;
  try {
    tree = loaded.parseSync(sql);
  } catch (cause) {
    if (!(cause instanceof Error && cause.name === "SqlError")) discardParser();
    return UNKNOWN_SQL;
  }
  try {
    return factsOfParseTree(tree);
  } catch {
    return UNKNOWN_SQL;
  }
}

// A stack overflow or abort inside the wasm leaves its state in doubt: the next statement gets a fresh instance.
// Until that is loaded every statement is unknown.
function discardParser(): void {
  parser = undefined;
  for (const file of Object.keys(requireHere.cache)) {
    if (/[\\/]libpg-query[\\/]/.test(file)) Reflect.deleteProperty(requireHere.cache, file);
  }
  loadSqlParser().catch(() => undefined);
}
