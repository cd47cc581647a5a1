// One key of an argument constraint → the Cedar condition that a good value satisfies.
import type { Derivation, EveryDerivation, RangeDerivation } from "#bundle";
import { quotePattern } from "#facts";
import { factName } from "../cedar/index.ts";
import type { ArgumentConstraintShape } from "../documents/shapes.ts";
import type { ProjectedType } from "../json-schema/index.ts";
import type { ArgumentTarget } from "./argument-target.ts";
import { directoryEntry, domainEntry, hostEntry, schemeEntry } from "./argument-values.ts";
import type { Canonical, ListEntry } from "./argument-values.ts";
import { cedarString } from "./cedar-text.ts";

export type RuleKey = keyof ArgumentConstraintShape;

/** Reports a misfit. `index`: the entry of the list that is wrong. */
export interface RuleReports {
  readonly invalid: (message: string, help?: string, index?: number) => undefined;
  readonly lint: (pattern: string) => void;
  readonly weak: (message: string, help: string, index?: number) => void;
}

/** Cedar text that is true of good values, with the facts it reads beside those it asks for itself. */
export interface Condition {
  readonly text: string;
  readonly derivations: readonly Derivation[];
}

type Lowering = (
  target: ArgumentTarget,
  rule: ArgumentConstraintShape,
  reports: RuleReports,
) => Condition | undefined;

/** Entries with a wildcard in one list; each is a term of one condition. */
const MAX_WILDCARDS = 40;
/** Characters of the entries of one list over elements, which become one pattern. */
const MAX_LIST_LENGTH = 1_500;

/** How a type is called in messages. */
export function typeName(type: ProjectedType): string {
  const names = {
    String: "text",
    Long: "integer",
    Bool: "boolean",
    Decimal: "number",
    Set: "array",
    Record: "object",
  };
  return names[type.kind];
}

function plain(text: string): Condition {
  return { text, derivations: [] };
}

function everyElement(
  { path, element = [] }: ArgumentTarget,
  part: EveryDerivation["part"],
  pattern: string,
): Condition {
  const name = factName("v", path, element, part, pattern);
  const derivation: EveryDerivation = { kind: "every", name, path, element, part, pattern };
  return { text: `context._d.${name}`, derivations: [derivation] };
}

function rangeOfElements(
  { path, element = [] }: ArgumentTarget,
  of: RangeDerivation["of"],
  comparison: (fact: string) => string,
): Condition {
  const name = factName("g", path, element, of);
  const fact = `context._d.${name}`;
  return {
    text: `${fact}.ok && ${comparison(fact)}`,
    derivations: [{ kind: "range", name, path, element, of }],
  };
}

function decimalText(value: number): string | undefined {
  const text = Number.isInteger(value) ? `${value}.0` : String(value);
  return /^-?\d{1,14}\.\d{1,4}$/u.test(text) ? `decimal("${text}")` : undefined;
}

function bound(key: "max" | "min"): Lowering {
  const operator = key === "max" ? "<=" : ">=";
  return (target, rule, reports) => {
    const limit = rule[key] ?? 0;
    const { type, value, element } = target;
    if (type.kind === "Long") {
      if (!Number.isSafeInteger(limit))
        return reports.invalid(`${key} of an integer argument must be a whole number`);
      if (element === undefined) return plain(`${value} ${operator} ${String(limit)}`);
      return rangeOfElements(target, "value", (fact) => `${fact}.${key} ${operator} ${String(limit)}`);
    }
    if (type.kind !== "Decimal") return misfit(key, target, reports);
    if (element !== undefined)
      return reports.invalid(`${key} cannot be asked of decimal numbers in an array`);
    const literal = decimalText(limit);
    if (literal === undefined) return reports.invalid(`${key} has at most four decimal places`);
    return plain(`${value}.${key === "max" ? "lessThanOrEqual" : "greaterThanOrEqual"}(${literal})`);
  };
}

function misfit(key: RuleKey, { type, element }: ArgumentTarget, reports: RuleReports): undefined {
  const what =
    element === undefined ? `an argument of type ${typeName(type)}` : `elements of type ${typeName(type)}`;
  const help =
    type.kind === "Set"
      ? "Write [] after the name to constrain the elements of the array."
      : type.kind === "Record"
        ? "Name a member of the object: address.city."
        : undefined;
  return reports.invalid(`${key} does not apply to ${what}`, help);
}

function size(key: "maxItems" | "maxLength" | "minItems" | "minLength"): Lowering {
  const ofText = key.endsWith("Length");
  const isMax = key.startsWith("max");
  return (target, rule, reports) => {
    const limit = String(rule[key] ?? 0);
    const { type, value, element } = target;
    if (type.kind !== (ofText ? "String" : "Set")) return misfit(key, target, reports);
    const operator = isMax ? "<=" : ">=";
    if (element === undefined) return plain(`${value}.${ofText ? "length" : "count"}() ${operator} ${limit}`);
    if (!ofText) return reports.invalid(`${key} cannot be asked of arrays within an array`);
    return rangeOfElements(
      target,
      "length",
      (fact) => `${fact}.${isMax ? "max" : "min"} ${operator} ${limit}`,
    );
  };
}

function literalOf(type: ProjectedType, choice: boolean | number | string): string | undefined {
  if (type.kind === "String" && typeof choice === "string") return cedarString(choice);
  if (type.kind === "Long" && Number.isSafeInteger(choice)) return String(choice);
  if (type.kind === "Bool" && typeof choice === "boolean") return String(choice);
  if (type.kind === "Decimal" && typeof choice === "number") return decimalText(choice);
  return undefined;
}

const choices: Lowering = (target, rule, reports) => {
  const { type, value, element } = target;
  if (type.kind === "Set" || type.kind === "Record") return misfit("enum", target, reports);
  const literals: string[] = [];
  for (const [index, choice] of (rule.enum ?? []).entries()) {
    const literal = literalOf(type, choice);
    if (literal === undefined) {
      const message = `enum lists ${JSON.stringify(choice)}, which is not of type ${typeName(type)}`;
      reports.invalid(message, undefined, index);
    } else literals.push(literal);
  }
  if (literals.length < (rule.enum ?? []).length) return undefined;
  if (element === undefined) return plain(`[${literals.join(", ")}].contains(${value})`);
  if (element.length === 0) return plain(`[${literals.join(", ")}].containsAll(${value})`);
  if (type.kind !== "String") return reports.invalid("enum of a member of array elements must list texts");
  const texts = (rule.enum ?? []).map((choice) => quotePattern(String(choice)));
  return listed(target, "text", `\\A(?:${texts.join("|")})\\z`, reports);
};

const pattern: Lowering = (target, rule, reports) => {
  if (target.type.kind !== "String") return misfit("pattern", target, reports);
  const written = rule.pattern ?? "";
  if (target.element === undefined) return plain(`${target.value}.matches(${cedarString(written)})`);
  reports.lint(written);
  return everyElement(target, "text", written);
};

const prefix: Lowering = (target, rule, reports) => {
  if (target.type.kind !== "String") return misfit("prefix", target, reports);
  const written = rule.prefix ?? [];
  for (const [index, text] of written.entries()) {
    if (text === "")
      return reports.invalid("the empty text is the beginning of every text", undefined, index);
    if (text.includes("://")) {
      reports.weak(
        `${JSON.stringify(text)} is also the beginning of a URL on another host`,
        "Use host and schemes, which read the URL.",
        index,
      );
    } else if (text.startsWith("/")) {
      reports.weak(
        `${JSON.stringify(text)} is also the beginning of a path that leads out with ..`,
        "Use within, which resolves the path.",
        index,
      );
    }
  }
  if (target.element !== undefined) {
    return listed(target, "text", `\\A(?:${written.map((text) => quotePattern(text)).join("|")})`, reports);
  }
  const terms = written.map((text) => likeText(target.value, "", text, "*"));
  return anyOf(terms, reports);
};

function listed(
  target: ArgumentTarget,
  part: EveryDerivation["part"],
  source: string,
  reports: RuleReports,
): Condition | undefined {
  if (source.length <= MAX_LIST_LENGTH) return everyElement(target, part, source);
  return reports.invalid("the list is too long for a rule about the elements of an array");
}

function anyOf(terms: readonly string[], reports: RuleReports): Condition | undefined {
  if (terms.length <= MAX_WILDCARDS) return plain(`(${terms.join(" || ")})`);
  return reports.invalid(`more than ${String(MAX_WILDCARDS)} entries that are no whole values`);
}

/** `value like "<before>text<after>"` with the stars of `text` taken literally. */
function likeText(value: string, before: string, text: string, after: string): string {
  const literal = cedarString(text).slice(1, -1).replaceAll("*", "\\*");
  return `${value} like "${before}${literal}${after}"`;
}

/** A rule that lists values of one part of a derived fact. */
interface PartRule {
  readonly key: "emailDomain" | "host" | "schemes" | "within";
  readonly method: "email" | "path" | "url";
  readonly member: "domain" | "host" | "normalized" | "scheme";
  readonly part: EveryDerivation["part"];
  readonly entry: (written: string) => Canonical;
  /** Terms over the member, for one entry that is no exact value. */
  readonly term: (member: string, entry: ListEntry) => string;
  /** RE2 source for one entry, without anchors. */
  readonly source: (entry: ListEntry) => string;
}

function partRule(rule: PartRule): Lowering {
  return (target, shape, reports) => {
    if (target.type.kind !== "String") return misfit(rule.key, target, reports);
    const entries: ListEntry[] = [];
    for (const [index, written] of (shape[rule.key] ?? []).entries()) {
      const canonical = rule.entry(written);
      if (canonical.ok) entries.push(canonical.entry);
      else reports.invalid(canonical.message, canonical.help, index);
    }
    if (entries.length < (shape[rule.key] ?? []).length) return undefined;
    if (target.element !== undefined) {
      return listed(target, rule.part, `\\A(?:${entries.map(rule.source).join("|")})\\z`, reports);
    }
    const fact = `${target.value}.${rule.method}()`;
    const member = `${fact}.${rule.member}`;
    const exact = entries.filter((entry) => entry.kind === "exact").map((entry) => cedarString(entry.text));
    const terms = [
      ...(exact.length === 0 ? [] : [`[${exact.join(", ")}].contains(${member})`]),
      ...entries.filter((entry) => entry.kind === "below").map((entry) => rule.term(member, entry)),
    ];
    const any = anyOf(terms, reports);
    return any === undefined ? undefined : plain(`${fact}.ok && ${any.text}`);
  };
}

const ANY_TEXT = "(?s:.)";

function belowName(member: string, { text }: ListEntry): string {
  return likeText(member, "*.", text, "");
}

function nameSource({ text, kind }: ListEntry): string {
  return kind === "exact" ? quotePattern(text) : `${ANY_TEXT}+\\.${quotePattern(text)}`;
}

function belowDirectory(member: string, { text }: ListEntry): string {
  if (text === "/") return `${member} like "/*"`;
  if (text === ".") return `!(${member} like "/*")`;
  return `(${member} == ${cedarString(text)} || ${likeText(member, "", `${text}/`, "*")})`;
}

function directorySource({ text }: ListEntry): string {
  if (text === "/") return `/${ANY_TEXT}*`;
  return text === "." ? `[^/]${ANY_TEXT}*` : `${quotePattern(text)}(?:/${ANY_TEXT}*)?`;
}

const names = { term: belowName, source: nameSource };

/** How each key is lowered, in the order of the documentation. */
export const ARGUMENT_RULES: Readonly<Record<RuleKey, Lowering>> = {
  min: bound("min"),
  max: bound("max"),
  enum: choices,
  minLength: size("minLength"),
  maxLength: size("maxLength"),
  minItems: size("minItems"),
  maxItems: size("maxItems"),
  pattern,
  prefix,
  host: partRule({
    key: "host",
    method: "url",
    member: "host",
    part: "url.host",
    entry: hostEntry,
    ...names,
  }),
  schemes: partRule({
    ...{ key: "schemes", method: "url", member: "scheme", part: "url.scheme", entry: schemeEntry },
    ...names,
  }),
  within: partRule({
    ...{
      key: "within",
      method: "path",
      member: "normalized",
      part: "path.normalized",
      entry: directoryEntry,
    },
    ...{ term: belowDirectory, source: directorySource },
  }),
  emailDomain: partRule({
    ...{ key: "emailDomain", method: "email", member: "domain", part: "email.domain", entry: domainEntry },
    ...names,
  }),
};
