// Random argument constraints, and what breaks them: judged here on the values, by the table of the language's document.
import { readEmail, readPath, readUrl } from "#facts";
import type { JsonObject, JsonValue } from "#std";
import type { Dice } from "./dice.ts";
import { codePointsOf, found, sqlOf, valueAt } from "./facts.ts";
import type { FactBook } from "./facts.ts";
import { TEXTS } from "./fields.ts";
import type { Field } from "./fields.ts";
import type { Leaf } from "./shape.ts";

/** The arguments, changed so that they keep a rule where that is easy. */
export type Keep = (dice: Dice, args: JsonObject) => JsonObject;

/** One key of a constraint that was written, by what follows the tool's name in the id of its policy. */
export interface Rule {
  readonly pointer: string;
  readonly features: readonly string[];
  /** Cedar text of the reference: true where the call breaks the rule. */
  readonly broken: string;
  readonly keep: Keep;
}

export interface Constraint {
  readonly yaml: JsonObject;
  readonly rules: readonly Rule[];
}

/** What a rule is about: a value, or the elements of an array. */
interface Target {
  readonly written: string;
  readonly path: readonly string[];
  /** Within each element; undefined where the value itself is meant. */
  readonly element: readonly string[] | undefined;
  readonly kind: Field["kind"];
}

type RuleOf<Value> = readonly [key: string, setting: JsonValue, holds: (value: Value) => boolean];

const TEXT_RULES: readonly RuleOf<string>[] = [
  [
    "enum",
    ["alpha", "select 1", "/srv/public/a.txt"],
    (value) => /^(alpha|select 1|\/srv\/public\/a\.txt)$/u.test(value),
  ],
  ["minLength", 5, (value) => codePointsOf(value) >= 5],
  ["maxLength", 12, (value) => codePointsOf(value) <= 12],
  ["pattern", "^[a-z ]+", (value) => found("^[a-z ]+", value)],
  ["pattern", "(?i)example", (value) => /example/iu.test(value)],
  [
    "prefix",
    ["al", "a*", "https://"],
    (value) => ["al", "a*", "https://"].some((start) => value.startsWith(start)),
  ],
  ["host", ["api.example.com"], (value) => readUrl(value).ok && readUrl(value).host === "api.example.com"],
  ["host", ["*.Example.com"], (value) => readUrl(value).ok && readUrl(value).host.endsWith(".example.com")],
  [
    "schemes",
    ["https", "FTP"],
    (value) => readUrl(value).ok && ["https", "ftp"].includes(readUrl(value).scheme),
  ],
  ["within", ["/srv/public/"], (value) => isWithin(value, "/srv/public")],
  ["within", ["/srv", "docs"], (value) => isWithin(value, "/srv") || isWithin(value, "docs")],
  [
    "emailDomain",
    ["example.com"],
    (value) => readEmail(value).ok && readEmail(value).domain === "example.com",
  ],
  [
    "emailDomain",
    ["*.example.com", "example.org"],
    (value) => /(?:\.example\.com|^example\.org)$/u.test(domainOf(value)),
  ],
];
const WHOLE_RULES: readonly RuleOf<number>[] = [
  ["min", 1, (value) => value >= 1],
  ["max", 10, (value) => value <= 10],
  ["enum", [0, 1, 5], (value) => [0, 1, 5].includes(value)],
];
const NUMBER_RULES: readonly RuleOf<number>[] = [
  ["min", -2.25, (value) => value >= -2.25],
  ["max", 99.5, (value) => value <= 99.5],
  ["enum", [1.5, 10], (value) => value === 1.5 || value === 10],
];
const CHOICE_RULES: readonly RuleOf<string>[] = [
  ["enum", ["alpha", "beta"], (value) => value !== "ALPHA"],
  ["maxLength", 4, (value) => codePointsOf(value) <= 4],
  ["pattern", "^[a-z]", (value) => found("^[a-z]", value)],
];
const FLAG_RULES: readonly RuleOf<boolean>[] = [["enum", [true], (value) => value]];
const ITEM_RULES: readonly RuleOf<readonly JsonValue[]>[] = [
  ["minItems", 1, (value) => value.length >= 1],
  ["maxItems", 2, (value) => value.length <= 2],
];

function isWithin(value: string, directory: string): boolean {
  const { ok, normalized } = readPath(value);
  return ok && (normalized === directory || normalized.startsWith(`${directory}/`));
}

function domainOf(value: string): string {
  return readEmail(value).ok ? readEmail(value).domain : "";
}

function rulesOf({ kind, element }: Target): readonly RuleOf<never>[] {
  switch (kind) {
    case "text":
    case "maybe":
      return TEXT_RULES;
    case "choice":
      return CHOICE_RULES;
    case "whole":
      // A member of elements has an enum only where it is text.
      return WHOLE_RULES.filter(([key]) => key !== "enum" || element === undefined || element.length === 0);
    case "number":
      return NUMBER_RULES;
    case "flag":
      return FLAG_RULES;
    case "list":
    case "rows":
    case "wholes":
      return ITEM_RULES;
    default:
      return [];
  }
}

/** Everything that a rule of the tool can be about. */
function targetsOf(fields: readonly Field[], path: readonly string[] = []): readonly Target[] {
  return fields.flatMap(({ name, kind, fields: inner }): readonly Target[] => {
    const at = [...path, name];
    const written = at.join(".");
    const self: Target = { written, path: at, element: undefined, kind };
    const elements = (kind: Field["kind"], element: readonly string[] = []): Target => ({
      written: [`${written}[]`, ...element].join("."),
      ...{ path: at, element, kind },
    });
    if (kind === "record") return targetsOf(inner, at);
    if (kind === "list") return [self, elements("text"), elements("text")];
    if (kind === "wholes") return [self, elements("whole")];
    if (kind === "rows") return [self, elements("text", ["name"]), elements("whole", ["price"])];
    return rulesOf(self).length === 0 ? [] : [self];
  });
}

/** The values that the rule judges: none where the argument or member is absent. */
function valuesAt({ path, element }: Target, context: JsonObject): readonly JsonValue[] {
  const value = valueAt(["arguments", ...path], context);
  if (value === undefined) return [];
  if (element === undefined) return [value];
  return (value as readonly JsonValue[])
    .map((item) => (element.length === 0 ? item : valueAt(element, item as JsonObject)))
    .filter((item) => item !== undefined);
}

function plainNumber(value: JsonValue): JsonValue {
  const extension = valueAt(["__extn", "arg"], value as JsonObject);
  return typeof extension === "string" ? Number(extension) : value;
}

const CANDIDATES: Readonly<Partial<Record<Field["kind"], readonly JsonValue[]>>> = {
  ...{ text: TEXTS, maybe: TEXTS, choice: ["alpha", "beta"], flag: [true] },
  ...{ whole: [0, 1, 5], number: [1.5, 10], list: [["alpha"]], wholes: [[1]], rows: [[{ name: "alpha" }]] },
};

function keeping({ path, element, kind }: Target, holds: (value: JsonValue) => boolean): Keep {
  return (dice, args) => {
    const fitting = (CANDIDATES[kind] ?? []).filter(holds);
    if (fitting.length === 0) return args;
    const value = dice.pick(fitting);
    const [member] = element ?? [];
    const item = member === undefined ? value : { name: "alpha", [member]: value };
    return withValue(args, path, element === undefined ? value : [item]);
  };
}

function withValue(
  args: JsonObject,
  [name = "", ...deeper]: readonly string[],
  value: JsonValue,
): JsonObject {
  if (deeper.length === 0) return { ...args, [name]: value };
  const inner = Object.hasOwn(args, name) ? args[name] : undefined;
  return inner === undefined ? args : { ...args, [name]: withValue(inner as JsonObject, deeper, value) };
}

const SQL_RULES: readonly (readonly [
  key: string,
  setting: readonly string[],
  holds: (sql: string) => boolean,
])[] = [
  [
    "operations",
    ["SELECT"],
    (sql) => sqlOf(sql).ok && sqlOf(sql).operations.every((name) => name === "SELECT"),
  ],
  [
    "operations",
    ["SELECT", "DELETE"],
    (sql) => sqlOf(sql).ok && sqlOf(sql).operations.every((name) => name === "SELECT" || name === "DELETE"),
  ],
  [
    "tables",
    ["public.orders", "orders"],
    (sql) => sqlOf(sql).ok && sqlOf(sql).tables.every((name) => /^(public\.)?orders$/u.test(name)),
  ],
  [
    "tables",
    ["reports.*", "o*"],
    (sql) => sqlOf(sql).ok && sqlOf(sql).tables.every((name) => /^(reports\.[^.]*|o[^.]*)$/u.test(name)),
  ],
  ["functions", [], (sql) => sqlOf(sql).ok && sqlOf(sql).functions.length === 0],
  [
    "functions",
    ["count", "l*"],
    (sql) => sqlOf(sql).ok && sqlOf(sql).functions.every((name) => /^(count|l[^.]*)$/u.test(name)),
  ],
];

/** What is listed covers nothing where the text is absent: it cannot be judged. */
function sqlConstraint(dice: Dice, facts: FactBook): Constraint {
  const [key, setting, holds] = dice.pick(SQL_RULES);
  const fact = facts.about(["context", "arguments", "sql"], (sql) => typeof sql === "string" && holds(sql));
  const target: Target = { written: "sql", path: ["sql"], element: undefined, kind: "text" };
  const keep = keeping(target, (value) => holds(value as string));
  return {
    yaml: { [key]: [...setting] },
    rules: [{ pointer: key, features: [key, "sql"], broken: `!${fact}`, keep }],
  };
}

export function randomConstraint(dice: Dice, leaf: Leaf, facts: FactBook): Constraint | undefined {
  const sql = leaf.hasSql && dice.chance(0.7) ? sqlConstraint(dice, facts) : undefined;
  const targets = targetsOf(leaf.fields);
  if (targets.length === 0 || (sql !== undefined && dice.chance(0.5))) return sql;
  const target = dice.pick(targets);
  const drawn = dice.times(1, 2, () => dice.pick(rulesOf(target)));
  const settings = new Map(drawn.map((rule) => [rule[0], rule]));
  const rules = [...settings.values()].map(([key, , holds]): Rule => {
    const fact = facts.add([leaf.action], ({ context }) =>
      valuesAt(target, context).some((value) => !holds(plainNumber(value) as never)),
    );
    const features = [
      key,
      ...(target.path.length > 1 ? ["of a member"] : []),
      ...(target.element === undefined ? [] : ["of elements"]),
    ];
    const keep = keeping(target, (value) => holds(value as never));
    return { pointer: `arguments/${target.written}/${key}`, features, broken: fact, keep };
  });
  const yaml = Object.fromEntries([...settings.values()].map(([key, setting]) => [key, setting]));
  return {
    yaml: { ...sql?.yaml, arguments: { [target.written]: yaml } },
    rules: [...(sql?.rules ?? []), ...rules],
  };
}
