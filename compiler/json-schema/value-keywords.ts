// Keywords that constrain a value without subschemas.
import type { JsonTypeName } from "#bundle";
import { canonicalKey, compilePattern } from "#schema";
import { isJsonObject, isRawNumber } from "#std";
import type { JsonValue } from "#std";
import { toRe2 } from "./ecma-pattern.ts";
import type { KeywordHandler, NodeDraft } from "./node-draft.ts";

const MAX_ENUM_VALUES = 10_000;
const MAX_NAMES = 10_000;
const TYPE_NAMES: ReadonlySet<string> = new Set([
  "null",
  "boolean",
  "integer",
  "number",
  "string",
  "array",
  "object",
] satisfies JsonTypeName[]);

function invalid(draft: NodeDraft, keyword: string, expected: string): void {
  draft.report("SCHEMA_INVALID", keyword, `${keyword} must be ${expected}`);
}

export function asNames(value: JsonValue): readonly string[] | undefined {
  if (!Array.isArray(value) || value.length > MAX_NAMES) return undefined;
  const names = value as readonly JsonValue[];
  return names.every((name) => typeof name === "string") ? [...new Set(names)] : undefined;
}

/** The RE2 form of a pattern, or undefined after reporting why there is none. */
export function lowerPattern(draft: NodeDraft, keyword: string, pattern: string): string | undefined {
  try {
    const source = toRe2(pattern);
    compilePattern(source);
    return source;
  } catch (error) {
    const fault = error instanceof Error ? error.message : String(error);
    draft.report(
      "SCHEMA_PATTERN_UNSUPPORTED",
      keyword,
      `the pattern ${JSON.stringify(pattern)} cannot be matched in linear time: ${fault}`,
      "Look-around and back-references have no linear-time form; rewrite the pattern without them.",
    );
    return undefined;
  }
}

const lowerType: KeywordHandler = (draft, value, keyword) => {
  const names = typeof value === "string" ? [value] : asNames(value);
  if (names === undefined || names.length === 0 || !names.every((name) => TYPE_NAMES.has(name))) {
    invalid(draft, keyword, "a JSON type name or a list of them");
    return;
  }
  draft.fields.types = names as readonly JsonTypeName[];
};

function holdsRawNumber(value: JsonValue): boolean {
  if (isRawNumber(value)) return true;
  if (Array.isArray(value)) return (value as readonly JsonValue[]).some(holdsRawNumber);
  return isJsonObject(value) && Object.values(value).some(holdsRawNumber);
}

function restrictTo(draft: NodeDraft, keyword: string, values: readonly JsonValue[]): void {
  if (values.length > MAX_ENUM_VALUES) {
    draft.report("SCHEMA_TOO_LARGE", keyword, `${keyword} lists more than ${MAX_ENUM_VALUES} values`);
    return;
  }
  if (values.some(holdsRawNumber)) {
    draft.report(
      "SCHEMA_KEYWORD_UNSUPPORTED",
      keyword,
      `${keyword} holds a number that a double cannot carry`,
    );
    return;
  }
  const earlier = draft.fields.enum;
  const allowed = earlier && new Set(earlier.map((value) => canonicalKey(value)));
  draft.fields.enum = allowed ? values.filter((value) => allowed.has(canonicalKey(value))) : values;
}

const lowerEnum: KeywordHandler = (draft, value, keyword) => {
  if (Array.isArray(value)) restrictTo(draft, keyword, value as readonly JsonValue[]);
  else invalid(draft, keyword, "a list");
};

const lowerConst: KeywordHandler = (draft, value, keyword) => restrictTo(draft, keyword, [value]);

type NumberKeyword = "minimum" | "maximum" | "exclusiveMinimum" | "exclusiveMaximum" | "multipleOf";

function numberKeyword(name: NumberKeyword): KeywordHandler {
  return (draft, value, keyword) => {
    const bound = isRawNumber(value) ? Number(value.rawJSON) : value;
    if (typeof bound !== "number" || !Number.isFinite(bound) || (name === "multipleOf" && bound <= 0)) {
      const help =
        typeof value === "boolean" ? "The Boolean form is draft-04; give the bound itself." : undefined;
      draft.report(
        "SCHEMA_INVALID",
        keyword,
        `${keyword} must be a${name === "multipleOf" ? " positive" : ""} number`,
        help,
      );
      return;
    }
    if (isRawNumber(value)) {
      draft.report(
        "SCHEMA_KEYWORD_IGNORED",
        keyword,
        `${keyword} ${value.rawJSON} is compared as ${bound}, the nearest double`,
      );
    }
    draft.fields[name] = bound;
  };
}

type CountKeyword =
  | "minLength"
  | "maxLength"
  | "minItems"
  | "maxItems"
  | "minContains"
  | "maxContains"
  | "minProperties"
  | "maxProperties";

function countKeyword(name: CountKeyword): KeywordHandler {
  return (draft, value, keyword) => {
    if (typeof value === "number" && Number.isSafeInteger(value) && value >= 0) draft.fields[name] = value;
    // A count above 2^53 admits everything a message can hold, or nothing; both are what the author wrote.
    else if (isRawNumber(value) && /^\d+$/.test(value.rawJSON)) draft.fields[name] = Number.MAX_SAFE_INTEGER;
    else invalid(draft, keyword, "a non-negative integer");
  };
}

const lowerPatternKeyword: KeywordHandler = (draft, value, keyword) => {
  if (typeof value !== "string") return invalid(draft, keyword, "a string");
  const source = lowerPattern(draft, keyword, value);
  if (source !== undefined) draft.fields.pattern = source;
};

// An annotation in MCP (JSON Schema 2020-12 §7.2.1): kept for readers, never asserted.
const lowerFormat: KeywordHandler = (draft, value, keyword) => {
  if (typeof value === "string") draft.fields.format = value;
  else invalid(draft, keyword, "a string");
};

const lowerUniqueItems: KeywordHandler = (draft, value, keyword) => {
  if (typeof value !== "boolean") return invalid(draft, keyword, "a Boolean");
  if (value) draft.fields.uniqueItems = true;
};

const lowerRequired: KeywordHandler = (draft, value, keyword) => {
  const names = asNames(value);
  if (names === undefined) {
    const help =
      typeof value === "boolean" ? "The Boolean form is draft-03; list the names on the object." : undefined;
    draft.report("SCHEMA_INVALID", keyword, "required must be a list of names", help);
  } else if (names.length > 0) draft.fields.required = names;
};

const lowerDependentRequired: KeywordHandler = (draft, value, keyword) => {
  if (!isJsonObject(value)) return invalid(draft, keyword, "an object");
  const result = Object.create(null) as Record<string, readonly string[]>;
  for (const [name, list] of Object.entries(value)) {
    const names = asNames(list);
    if (names === undefined) return invalid(draft, keyword, "an object of name lists");
    result[name] = names;
  }
  draft.fields.dependentRequired = result;
};

export const VALUE_KEYWORDS: ReadonlyMap<string, KeywordHandler> = new Map([
  ["type", lowerType],
  ["enum", lowerEnum],
  ["const", lowerConst],
  ["minimum", numberKeyword("minimum")],
  ["maximum", numberKeyword("maximum")],
  ["exclusiveMinimum", numberKeyword("exclusiveMinimum")],
  ["exclusiveMaximum", numberKeyword("exclusiveMaximum")],
  ["multipleOf", numberKeyword("multipleOf")],
  ["minLength", countKeyword("minLength")],
  ["maxLength", countKeyword("maxLength")],
  ["minItems", countKeyword("minItems")],
  ["maxItems", countKeyword("maxItems")],
  ["minContains", countKeyword("minContains")],
  ["maxContains", countKeyword("maxContains")],
  ["minProperties", countKeyword("minProperties")],
  ["maxProperties", countKeyword("maxProperties")],
  ["pattern", lowerPatternKeyword],
  ["format", lowerFormat],
  ["uniqueItems", lowerUniqueItems],
  ["required", lowerRequired],
  ["dependentRequired", lowerDependentRequired],
]);
