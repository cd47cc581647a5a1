// Validates a JSON value against a compiled program, as JSON Schema 2020-12 defines the keywords. Work is bounded:
// nested alternatives can make a small schema exponential.
import { isRawNumber } from "#std";
import type { JsonObject, JsonValue, RawNumber } from "#std";
import { MAX_VALUE_DEPTH, canonicalKey } from "./canonical-key.ts";
import { TYPE_BITS } from "./compile-program.ts";
import type { CompiledNode } from "./compile-program.ts";
import { isIntegralSource, isMultipleOf } from "./numbers.ts";
import type { Pattern } from "./pattern.ts";

/** Node visits allowed for one validation; a 1 MB message under an ordinary schema needs a fifth of it. */
const MAX_STEPS = 1_000_000;
/** Characters that a pattern may read before they count as one step. */
const PATTERN_CHARACTERS_PER_STEP = 16;
/** A value level passes through several nodes (`allOf`, `$ref` with siblings, `if`). */
const MAX_NODE_DEPTH = MAX_VALUE_DEPTH * 4;

/** The first keyword that failed; `path` runs from the value up to the root. */
export interface Violation {
  readonly keyword: string;
  readonly path: string[];
}

/** Thrown where a validation needs more work than is allowed. */
class WorkLimitError extends Error {}

interface Work {
  steps: number;
}

type Outcome = Violation | undefined;

/** The first violation, or undefined where the value is valid. Throws WorkLimitError. */
export function validate(root: CompiledNode, value: JsonValue): Violation | undefined {
  return check(root, value, { steps: 0 }, 0);
}

function spend(work: Work, steps: number): void {
  work.steps += steps;
  if (work.steps > MAX_STEPS) throw new WorkLimitError("the arguments need too much work to validate");
}

function violation(keyword: string): Violation {
  return { keyword, path: [] };
}

function under(name: string, outcome: Violation): Violation {
  outcome.path.push(name);
  return outcome;
}

function typeBitsOf(value: JsonValue): number {
  switch (typeof value) {
    case "string":
      return TYPE_BITS.string;
    case "boolean":
      return TYPE_BITS.boolean;
    case "number":
      return Number.isInteger(value) ? TYPE_BITS.integer | TYPE_BITS.number : TYPE_BITS.number;
    default:
      if (value === null) return TYPE_BITS.null;
      if (Array.isArray(value)) return TYPE_BITS.array;
      if (!isRawNumber(value)) return TYPE_BITS.object;
      return isIntegralSource(value) ? TYPE_BITS.integer | TYPE_BITS.number : TYPE_BITS.number;
  }
}

function check(node: CompiledNode, value: JsonValue, work: Work, depth: number): Outcome {
  spend(work, 1);
  if (depth > MAX_NODE_DEPTH) throw new WorkLimitError("the arguments are nested too deeply");
  const { source } = node;
  if (source.always !== undefined) return source.always ? undefined : violation("false");
  const bits = typeBitsOf(value);
  if ((bits & node.typeMask) === 0) return violation("type");
  if (node.enumKeys !== undefined && !node.enumKeys.has(keyOf(value, work))) return violation("enum");
  return checkKind(node, value, bits, work, depth) ?? checkCombinators(node, value, work, depth);
}

function checkKind(node: CompiledNode, value: JsonValue, bits: number, work: Work, depth: number): Outcome {
  if ((bits & TYPE_BITS.string) !== 0)
    return node.hasStringRules ? checkString(node, value as string, work) : undefined;
  if ((bits & TYPE_BITS.number) !== 0) {
    return node.hasNumberRules ? checkNumber(node, value as number | RawNumber) : undefined;
  }
  if ((bits & TYPE_BITS.object) !== 0) {
    return node.hasObjectRules ? checkObject(node, value as JsonObject, work, depth) : undefined;
  }
  if ((bits & TYPE_BITS.array) !== 0) {
    return node.hasArrayRules ? checkArray(node, value as readonly JsonValue[], work, depth) : undefined;
  }
  return undefined;
}

function keyOf(value: JsonValue, work: Work): string {
  const key = canonicalKey(value);
  spend(work, key.length >>> 4);
  return key;
}

function search(pattern: Pattern, text: string, work: Work): boolean {
  spend(work, 1 + Math.floor(text.length / PATTERN_CHARACTERS_PER_STEP));
  return pattern.test(text);
}

function codePointCount(text: string): number {
  let count = text.length;
  for (let index = 0; index < text.length - 1; index += 1) {
    if ((text.charCodeAt(index) & 0xfc00) !== 0xd800) continue;
    if ((text.charCodeAt(index + 1) & 0xfc00) !== 0xdc00) continue;
    count -= 1;
    index += 1;
  }
  return count;
}

function checkString(node: CompiledNode, value: string, work: Work): Outcome {
  const { minLength, maxLength } = node.source;
  if (minLength !== undefined || maxLength !== undefined) {
    const length = codePointCount(value);
    if (minLength !== undefined && length < minLength) return violation("minLength");
    if (maxLength !== undefined && length > maxLength) return violation("maxLength");
  }
  if (node.pattern !== undefined && !search(node.pattern, value, work)) return violation("pattern");
  return undefined;
}

function checkNumber(node: CompiledNode, value: number | RawNumber): Outcome {
  const { minimum, maximum, exclusiveMinimum, exclusiveMaximum, multipleOf } = node.source;
  const exact = typeof value === "number";
  const n = exact ? value : Number(value.rawJSON);
  // A lossless number whose nearest double equals the bound may lie on either side of it: refused.
  if (minimum !== undefined && !(exact ? n >= minimum : n > minimum)) return violation("minimum");
  if (maximum !== undefined && !(exact ? n <= maximum : n < maximum)) return violation("maximum");
  if (exclusiveMinimum !== undefined && !(n > exclusiveMinimum)) return violation("exclusiveMinimum");
  if (exclusiveMaximum !== undefined && !(n < exclusiveMaximum)) return violation("exclusiveMaximum");
  if (multipleOf === undefined) return undefined;
  const multiple = exact ? isMultipleOf(value, multipleOf) : multipleOf === 1 && isIntegralSource(value);
  return multiple ? undefined : violation("multipleOf");
}

function checkObject(node: CompiledNode, value: JsonObject, work: Work, depth: number): Outcome {
  const { required, minProperties, maxProperties } = node.source;
  const keys = Object.keys(value);
  if (minProperties !== undefined && keys.length < minProperties) return violation("minProperties");
  if (maxProperties !== undefined && keys.length > maxProperties) return violation("maxProperties");
  for (const name of required ?? []) {
    if (!Object.hasOwn(value, name)) return under(name, violation("required"));
  }
  for (const [trigger, names] of node.dependentRequired) {
    if (!Object.hasOwn(value, trigger)) continue;
    for (const name of names)
      if (!Object.hasOwn(value, name)) return under(name, violation("dependentRequired"));
  }
  for (const key of keys) {
    const failed = checkMember(node, key, value[key] as JsonValue, work, depth);
    if (failed !== undefined) return under(key, failed);
  }
  return undefined;
}

function checkMember(node: CompiledNode, key: string, value: JsonValue, work: Work, depth: number): Outcome {
  if (node.propertyNames !== undefined && check(node.propertyNames, key, work, depth + 1) !== undefined) {
    return violation("propertyNames");
  }
  const property = node.properties.get(key);
  let described = property !== undefined;
  if (property !== undefined) {
    const failed = check(property, value, work, depth + 1);
    if (failed !== undefined) return failed;
  }
  for (const rule of node.patternProperties) {
    if (!search(rule.pattern, key, work)) continue;
    described = true;
    const failed = check(rule.node, value, work, depth + 1);
    if (failed !== undefined) return failed;
  }
  if (described || node.additionalProperties === undefined) return undefined;
  if (node.additionalProperties.source.always === false) return violation("additionalProperties");
  return check(node.additionalProperties, value, work, depth + 1);
}

function checkArray(node: CompiledNode, value: readonly JsonValue[], work: Work, depth: number): Outcome {
  const { minItems, maxItems, uniqueItems } = node.source;
  if (minItems !== undefined && value.length < minItems) return violation("minItems");
  if (maxItems !== undefined && value.length > maxItems) return violation("maxItems");
  if (uniqueItems === true && new Set(value.map((item) => keyOf(item, work))).size !== value.length) {
    return violation("uniqueItems");
  }
  for (const [index, item] of value.entries()) {
    const rule = node.prefixItems[index] ?? node.items;
    const failed = rule && check(rule, item, work, depth + 1);
    if (failed !== undefined) return under(String(index), failed);
  }
  return node.contains === undefined ? undefined : checkContains(node, node.contains, value, work, depth);
}

function checkContains(
  node: CompiledNode,
  contains: CompiledNode,
  value: readonly JsonValue[],
  work: Work,
  depth: number,
): Outcome {
  const { minContains = 1, maxContains } = node.source;
  const count = value.filter((item) => check(contains, item, work, depth + 1) === undefined).length;
  if (count < minContains) return violation("contains");
  return maxContains !== undefined && count > maxContains ? violation("maxContains") : undefined;
}

function checkCombinators(node: CompiledNode, value: JsonValue, work: Work, depth: number): Outcome {
  const passes = (branch: CompiledNode): boolean => check(branch, value, work, depth + 1) === undefined;
  for (const branch of node.allOf) {
    const failed = check(branch, value, work, depth + 1);
    if (failed !== undefined) return failed;
  }
  if (node.anyOf !== undefined && !node.anyOf.some(passes)) return violation("anyOf");
  if (node.oneOf !== undefined && node.oneOf.filter(passes).length !== 1) return violation("oneOf");
  if (node.not !== undefined && passes(node.not)) return violation("not");
  if (node.if === undefined) return undefined;
  const branch = passes(node.if) ? node.then : node.else;
  return branch && check(branch, value, work, depth + 1);
}
