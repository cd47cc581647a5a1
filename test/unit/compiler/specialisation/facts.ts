// What the policy language adds to Cedar, computed for the reference: each question of a policy is one Boolean
// `context._m.p<n>` over the values of the request. URLs, paths, addresses and SQL are read by the gateway's readers.
import { RE2JS } from "re2js";
import { isJudgeable, readEmail, readPath, readSql, readUrl, UNKNOWN_SQL } from "#facts";
import type { SqlFacts } from "#facts";
import type { JsonObject, JsonValue } from "#std";

/** Where a path may begin. */
export interface Roots {
  /** Action of the leaf, and its method. */
  readonly actions: readonly string[];
  readonly context: JsonObject;
  readonly principal: JsonObject;
  readonly resource: JsonObject;
}

export type Fact = (roots: Roots) => boolean;
type Path = readonly string[];

export function valueAt(path: Path, roots: JsonObject): JsonValue | undefined {
  return path.reduce<JsonValue | undefined>(
    (value, name) =>
      typeof value === "object" && value !== null && Object.hasOwn(value, name)
        ? (value as JsonObject)[name]
        : undefined,
    roots,
  );
}

/** The facts of one repository. */
export class FactBook {
  readonly facts: Fact[] = [];

  /** Cedar text of the Boolean. `actions`: those it is about; it is false on any other. */
  add(actions: readonly string[], fact: Fact): string {
    const isAbout = (roots: Roots): boolean => roots.actions.some((action) => actions.includes(action));
    return this.#keep((roots) => isAbout(roots) && fact(roots));
  }

  #keep(fact: Fact): string {
    return `context._m.p${String(this.facts.push(fact) - 1)}`;
  }

  /** About the value at a path; false where there is none. */
  about(path: Path, holds: (value: JsonValue) => boolean): string {
    return this.#keep(({ context, principal, resource }) => {
      const value = valueAt(path, { context, principal, resource });
      return value !== undefined && holds(value);
    });
  }
}

export function codePointsOf(text: string): number {
  return [...text].length;
}

export function found(pattern: string, text: string): boolean {
  return RE2JS.compile(pattern).test(text);
}

const readBefore = new Map<string, SqlFacts>();

export function sqlOf(text: string): SqlFacts {
  const known = readBefore.get(text) ?? (isJudgeable(text) ? readSql(text) : UNKNOWN_SQL);
  readBefore.set(text, known);
  return known;
}

/** One question that a method asks of a text: what follows the receiver, and the answer. */
export type Question = readonly [feature: string, source: string, holds: (text: string) => boolean];

export const TEXT_QUESTIONS: readonly Question[] = [
  ["length", "length() < 9", (text) => codePointsOf(text) < 9],
  ["length", "length() * 2 >= 8", (text) => codePointsOf(text) * 2 >= 8],
  ["lower", 'lower() == "alpha"', (text) => text.toLowerCase() === "alpha"],
  ["lower", 'lower() like "*@mail.*"', (text) => text.toLowerCase().includes("@mail.")],
  ["url", "url().ok", (text) => readUrl(text).ok],
  ["url", 'url().host == "api.example.com"', (text) => readUrl(text).host === "api.example.com"],
  ["url", "url().isPrivate", (text) => readUrl(text).isPrivate],
  ["url", "url().port >= 443", (text) => readUrl(text).port >= 443],
  ["url", 'url().scheme != "https"', (text) => readUrl(text).scheme !== "https"],
  ["path", 'path().normalized like "/srv/*"', (text) => readPath(text).normalized.startsWith("/srv/")],
  ["path", "path().isAbsolute", (text) => readPath(text).isAbsolute],
  ["path", 'path().extension == "txt"', (text) => readPath(text).extension === "txt"],
  ["email", 'email().domain like "*example.com"', (text) => readEmail(text).domain.endsWith("example.com")],
  ["email", 'email().local == "ada"', (text) => readEmail(text).local === "ada"],
  ["email", "email().ok", (text) => readEmail(text).ok],
];

export const SQL_QUESTIONS: readonly Question[] = [
  ["sql", "sql().ok", (text) => sqlOf(text).ok],
  ["sql", 'sql().operations == ["SELECT"]', (text) => sqlOf(text).operations.join() === "SELECT"],
  ["sql", 'sql().tables.contains("public.orders")', (text) => sqlOf(text).tables.includes("public.orders")],
  ["sql", "sql().functions.isEmpty()", (text) => sqlOf(text).functions.length === 0],
];
