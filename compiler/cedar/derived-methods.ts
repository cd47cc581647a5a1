// The methods that the policy language adds to Cedar: what each is called on, what it takes, and what it becomes.
import { sha256Hex } from "#bundle";
import type { Derivation } from "#bundle";
import { factAttributes } from "./schema.ts";

/** One method of the dialect. */
export interface DerivedMethod {
  readonly name: string;
  /** Type of the receiver; the engine checks it. */
  readonly receiver: "String" | "Set";
  /** `pattern`: one string literal, the pattern. */
  readonly argument: "none" | "pattern";
  /** How it is written, for messages. */
  readonly example: string;
  /** Attributes of the record it yields; undefined where it yields no record. */
  readonly attributes: readonly string[] | undefined;
  /** The fact it stands for. `path` begins below `context`, or with `principal` or `resource`. */
  readonly derive: (path: readonly string[], pattern: string) => Derivation;
}

/** Name of a fact: the same derivation of the same path is computed once. `prefix` tells the kinds apart. */
export function factName(prefix: string, ...identity: readonly unknown[]): string {
  return `${prefix}_${sha256Hex(JSON.stringify(identity)).slice(0, 20)}`;
}

/** Name of the Boolean that `.matches` stands for. */
export function matchesName(path: readonly string[], pattern: string): string {
  return factName("r", path, pattern);
}

/** The fact about the SQL in one argument. */
export function sqlDerivation(
  path: readonly string[],
  dialect: "postgresql",
): Extract<Derivation, { kind: "sql" }> {
  return { kind: "sql", name: factName("s", path, dialect), path, dialect };
}

type PlainKind = "count" | "email" | "length" | "lower" | "path" | "url";

function plain(kind: PlainKind, prefix: string, example: string): DerivedMethod {
  return {
    name: kind,
    receiver: kind === "count" ? "Set" : "String",
    argument: "none",
    example,
    attributes: factAttributes(kind),
    derive: (path) => ({ kind, name: factName(prefix, path), path }),
  };
}

/** Every method of the dialect by its name. */
export const DERIVED_METHODS: ReadonlyMap<string, DerivedMethod> = new Map(
  [
    plain("count", "n", "context.arguments.recipients.count() <= 10"),
    plain("email", "e", 'context.arguments.to.email().domain == "example.com"'),
    plain("length", "l", "context.arguments.text.length() <= 4000"),
    plain("lower", "w", 'context.arguments.name.lower() == "admin"'),
    {
      name: "matches",
      receiver: "String",
      argument: "pattern",
      example: 'context.arguments.key.matches("^OPS-[0-9]+$")',
      attributes: undefined,
      derive: (path, pattern) => ({ kind: "matches", name: matchesName(path, pattern), path, pattern }),
    } satisfies DerivedMethod,
    plain("path", "p", 'context.arguments.file.path().normalized like "/srv/public/*"'),
    {
      name: "sql",
      receiver: "String",
      argument: "none",
      example: 'context.arguments.sql.sql().operations == ["SELECT"]',
      attributes: factAttributes("sql"),
      // PostgreSQL is the one dialect that a server document can declare; the compiler checks that it does.
      derive: (path) => sqlDerivation(path, "postgresql"),
    } satisfies DerivedMethod,
    plain("url", "u", 'context.arguments.link.url().host == "example.com"'),
  ].map((method) => [method.name, method]),
);

/** Methods of Cedar itself. https://docs.cedarpolicy.com/policies/syntax-operators.html */
export const CEDAR_METHODS: readonly string[] = [
  ...["contains", "containsAll", "containsAny", "isEmpty", "getTag", "hasTag"],
  ...["lessThan", "lessThanOrEqual", "greaterThan", "greaterThanOrEqual"],
  ...["isIpv4", "isIpv6", "isLoopback", "isMulticast", "isInRange"],
  ...["offset", "durationSince", "toDate", "toTime"],
  ...["toMilliseconds", "toSeconds", "toMinutes", "toHours", "toDays"],
];
