// The statements of test/data/sql/hostile and benign.yaml.
import { readFileSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { parse } from "yaml";
import type { SqlReader } from "#facts";

const DATA = join(import.meta.dirname, "../../data/sql");

type Part = string | readonly [string, number];

export interface HostileGroup {
  readonly name: string;
  readonly refused: readonly string[];
  /** Statements that look hostile, and pass because they only read. */
  readonly allowed: readonly string[];
}

interface HostileFile {
  readonly refused: readonly (string | readonly Part[])[];
  readonly allowed?: readonly string[];
}

function textOf(statement: string | readonly Part[]): string {
  if (typeof statement === "string") return statement;
  return statement.map((part) => (typeof part === "string" ? part : part[0].repeat(part[1]))).join("");
}

export function hostileGroups(): readonly HostileGroup[] {
  const directory = join(DATA, "hostile");
  return readdirSync(directory)
    .sort()
    .map((file) => {
      const { refused, allowed } = parse(readFileSync(join(directory, file), "utf8")) as HostileFile;
      return { name: file.replace(".yaml", ""), refused: refused.map(textOf), allowed: allowed ?? [] };
    });
}

export function benignStatements(): readonly string[] {
  return parse(readFileSync(join(DATA, "benign.yaml"), "utf8")) as string[];
}

const signal = new AbortController().signal;

/** As a policy with `operations: [SELECT]` sees it. */
export async function passesSelect(reader: SqlReader, sql: string): Promise<boolean> {
  const facts = await reader.read(sql, signal);
  return facts.ok && facts.operations.every((operation) => operation === "SELECT");
}
