// Compares a payload with the part of it that a test expects.
import { isJsonObject } from "#std";
import type { JsonArray, JsonValue } from "#std";

export interface JsonDifference {
  /** e.g. `$.structuredContent.response.assignee.email`. */
  readonly path: string;
  readonly expected: string;
  readonly actual: string;
}

const MAX_SHOWN = 200;

function shown(value: JsonValue | undefined): string {
  if (value === undefined) return "nothing";
  const text = JSON.stringify(value);
  return text.length <= MAX_SHOWN ? text : `${text.slice(0, MAX_SHOWN)}…`;
}

function isArray(value: JsonValue): value is JsonArray {
  return Array.isArray(value);
}

function step(path: string, key: string): string {
  return /^[A-Za-z_$][\w$]*$/u.test(key) ? `${path}.${key}` : `${path}[${JSON.stringify(key)}]`;
}

/**
 * The places where `actual` is not as expected, in document order. Members that `expected` does not name may be there;
 * arrays must have the same length; every other value must be equal.
 */
export function differences(
  expected: JsonValue,
  actual: JsonValue | undefined,
  path = "$",
): readonly JsonDifference[] {
  if (isJsonObject(expected) && isJsonObject(actual)) {
    return Object.entries(expected).flatMap(([key, value]) =>
      differences(value, Object.hasOwn(actual, key) ? actual[key] : undefined, step(path, key)),
    );
  }
  if (isArray(expected) && actual !== undefined && isArray(actual) && expected.length === actual.length) {
    return expected.flatMap((value, index) => differences(value, actual[index], `${path}[${index}]`));
  }
  const isSame = actual !== undefined && JSON.stringify(expected) === JSON.stringify(actual);
  return isSame && !isJsonObject(expected) && !isArray(expected)
    ? []
    : [{ path, expected: shown(expected), actual: shown(actual) }];
}
