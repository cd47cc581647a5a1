// Arguments whose derived facts differ: addresses, paths, texts and statements around what the policies compare with.
import type { Derivation, EveryDerivation, RangeDerivation } from "#bundle";
import type { JsonValue } from "#std";
import type { Comparison } from "./policy-literals.ts";
import { matchingSamples, nearMisses } from "./sample-pattern.ts";

/** Longest text and array that are made up to cross a bound. */
const MAX_TEXT_LENGTH = 20_000;
const MAX_ITEMS = 200;

/** One statement of each kind the SQL facts tell apart. */
const SQL_SAMPLES: readonly string[] = [
  "SELECT 1",
  "SELECT * FROM sample",
  "INSERT INTO sample VALUES (1)",
  "UPDATE sample SET a = 1",
  "DELETE FROM sample",
  "MERGE INTO sample s USING other o ON s.id = o.id WHEN MATCHED THEN DELETE",
  "DROP TABLE sample",
  "WITH found AS (SELECT 1) SELECT * FROM found",
  "select 1; drop table sample",
];

/** Values of the argument that a fact is derived from; empty where none is known. `item`: an element of an array. */
export function factSamples(
  derivation: Derivation,
  comparisons: readonly Comparison[],
  item: JsonValue,
): readonly JsonValue[] {
  const named = comparisons.filter(({ path }) => path[1] === "_d" && path[2] === derivation.name);
  switch (derivation.kind) {
    case "matches":
      return around(derivation.pattern);
    case "sql":
      return [...SQL_SAMPLES, ...named.flatMap(sqlFor)];
    case "sqlNames":
      return [...SQL_SAMPLES, ...derivation.patterns.flatMap((name) => statements(derivation.member, name))];
    case "every":
      return everySamples(derivation);
    case "range":
      return rangeSamples(derivation, named);
    case "length":
      return numbers(named)
        .filter(isLength)
        .map((length) => "x".repeat(length));
    case "count":
      return [0, ...numbers(named)].filter(isCount).map((count) => new Array<JsonValue>(count).fill(item));
    case "lower":
      return texts(named).flatMap((text) => [text, text.toUpperCase(), `${text}x`]);
    case "url":
      return ["https://example.com/", "http://127.0.0.1/", "x", ...named.flatMap(urlFor)];
    case "path":
      return ["/", "a/b", "../a", ...named.flatMap(pathFor)];
    case "email":
      return ["a@example.com", "x", ...named.flatMap(emailFor)];
  }
}

function around(pattern: string): readonly string[] {
  return [...matchingSamples(pattern), ...nearMisses(pattern)];
}

function texts(named: readonly Comparison[]): readonly string[] {
  return named.flatMap(({ literal }) => (typeof literal === "string" ? [literal] : []));
}

/** Compared numbers and their neighbours. */
function numbers(named: readonly Comparison[]): readonly number[] {
  return named.flatMap(({ literal }) =>
    typeof literal === "number" ? [literal, literal - 1, literal + 1] : [],
  );
}

function isLength(value: number): boolean {
  return value >= 0 && value <= MAX_TEXT_LENGTH;
}

function isCount(value: number): boolean {
  return value >= 0 && value <= MAX_ITEMS;
}

function urlFor({ path, literal }: Comparison): readonly string[] {
  switch (path[3]) {
    case "host":
      return [`https://${literal}/`, `https://x${literal}/`];
    case "scheme":
      return [`${literal}://example.com/`];
    case "path":
      return [`https://example.com${literal}`, `https://example.com${literal}x`];
    case "port":
      return numbers([{ path, literal, form: "plain" }]).map((port) => `https://example.com:${port}/`);
    default:
      return [];
  }
}

function pathFor({ path, literal }: Comparison): readonly string[] {
  if (typeof literal !== "string") return [];
  if (path[3] === "extension") return [`a.${literal.replace(/^\./u, "")}`, "a"];
  return [literal, `${literal}/a`, `${literal}x`, `${literal}/../a`];
}

function emailFor({ path, literal }: Comparison): readonly string[] {
  if (typeof literal !== "string") return [];
  return path[3] === "local" ? [`${literal}@example.com`] : [`a@${literal}`, `a@x${literal}`];
}

/** Arrays whose one element passes, and whose one element does not. */
function everySamples({ part, element, pattern }: EveryDerivation): readonly JsonValue[] {
  const values = around(pattern).map((text) => wholeOf(part, text));
  return [[], ...values.map((value) => [memberOf(element, value)])];
}

function wholeOf(part: EveryDerivation["part"], text: string): string {
  switch (part) {
    case "text":
    case "path.normalized":
      return text;
    case "url.scheme":
      return `${text}://example.com/`;
    case "url.host":
      return `https://${text}/`;
    case "email.domain":
      return `a@${text}`;
  }
}

function memberOf(element: readonly string[], value: JsonValue): JsonValue {
  return element.reduceRight<JsonValue>((inner, name) => ({ [name]: inner }), value);
}

function rangeSamples({ of, element }: RangeDerivation, named: readonly Comparison[]): readonly JsonValue[] {
  const values =
    of === "value"
      ? numbers(named)
      : numbers(named)
          .filter(isLength)
          .map((n) => "x".repeat(n));
  return [[], ...values.map((value) => [memberOf(element, value)])];
}

/** Statements that touch the tables and functions a policy names. */
function sqlFor({ path, literal }: Comparison): readonly string[] {
  if (typeof literal !== "string") return [];
  return path[3] === "tables" || path[3] === "functions" ? statements(path[3], literal) : [];
}

function statements(member: "functions" | "tables", name: string): readonly string[] {
  const plain = name.replaceAll("*", "x");
  const identifier = /^[a-z_][a-z0-9_]*(?:\.[a-z_][a-z0-9_]*)?$/u.test(plain)
    ? plain
    : `"${plain.replaceAll('"', '""')}"`;
  return member === "tables"
    ? [`SELECT * FROM ${identifier}`, `DELETE FROM ${identifier}`]
    : [`SELECT ${identifier}()`];
}
