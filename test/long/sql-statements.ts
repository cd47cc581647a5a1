// Every statement of the SQL corpus and many made from them: which pass `operations: [SELECT]`, and whether one of those
// changes a real PostgreSQL. Prints a table. Run as a script: `node test/long/sql-statements.ts [mutants] [seed]`.
import { pathToFileURL } from "node:url";
import { createSqlReader } from "#facts";
import { benignStatements, hostileGroups, passesSelect } from "../attack/sql/corpus.ts";
import { mutantsOf } from "../attack/sql/mutants.ts";
import { startPostgres } from "../attack/sql/postgres.ts";
import { effectsOfAllowed } from "../attack/sql/prove-allowed.ts";

export interface SqlStatementsOptions {
  readonly mutants: number;
  readonly seed: number;
  readonly onProgress?: (done: number) => void;
}

interface Row {
  readonly group: string;
  readonly statements: number;
  readonly denied: number;
  readonly allowed: number;
  /** Allowed ones that PostgreSQL carried out in at least one way of sending them; the others end in its error. */
  readonly ran: number;
}

export interface SqlStatementsReport {
  readonly rows: readonly Row[];
  /** Statements that passed and changed something. Must be empty. */
  readonly harmful: readonly string[];
  /** Statements that passed and were cut off. */
  readonly timeouts: number;
}

/** Runs the proof. */
export async function run(options: SqlStatementsOptions): Promise<SqlStatementsReport> {
  const reader = await createSqlReader({ parseLimitMs: 20_000 });
  const postgres = await startPostgres();
  const groups = hostileGroups();
  const benign = benignStatements();
  const hostile = groups.map(({ name, refused, allowed }) => ({
    group: name,
    statements: [...refused, ...allowed],
  }));
  const seeds = [...benign, ...hostile.flatMap(({ statements }) => statements)];
  const mutants = [...mutantsOf(seeds, options.mutants, options.seed)];
  const harmful: string[] = [];
  const rows: Row[] = [];
  let timeouts = 0;
  let done = 0;
  try {
    for (const { group, statements } of [
      ...hostile,
      { group: "benign", statements: benign },
      { group: "made from these", statements: mutants },
    ]) {
      let [allowed, ran] = [0, 0];
      for (const sql of statements) {
        if (statements === mutants) options.onProgress?.((done += 1));
        if (!(await passesSelect(reader, sql))) continue;
        allowed += 1;
        const { effects, outcomes } = await effectsOfAllowed(postgres, sql);
        if (outcomes.includes("ran")) ran += 1;
        if (outcomes.includes("timeout")) timeouts += 1;
        if (effects.length > 0) harmful.push(`${effects.join()}: ${sql}`);
      }
      rows.push({ group, statements: statements.length, denied: statements.length - allowed, allowed, ran });
    }
    return { rows, harmful, timeouts };
  } finally {
    reader.dispose();
    await postgres.close();
  }
}

/** The counts as text. */
export function tableOf({ rows }: SqlStatementsReport): string {
  const head = ["group", "statements", "denied", "allowed", "ran"];
  const lines = [head, ...rows.map((row) => Object.values(row).map(String))];
  const widths = head.map((_, column) => Math.max(...lines.map((line) => line[column]?.length ?? 0)));
  return lines
    .map((line) => line.map((cell, column) => cell.padEnd(widths[column] ?? 0)).join("  "))
    .join("\n");
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? "").href) {
  const report = await run({
    mutants: Number(process.argv[2] ?? "20000"),
    seed: Number(process.argv[3] ?? "1"),
  });
  process.stdout.write(`${tableOf(report)}\n${report.harmful.join("\n")}\n`);
  process.exitCode = report.harmful.length === 0 ? 0 : 1;
}
