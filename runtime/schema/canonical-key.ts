// Equality of JSON values as JSON Schema defines it, through one string for each equivalence class.
import { isRawNumber } from "#std";
import type { JsonObject, JsonValue } from "#std";

/** Values nested deeper than this are refused. */
export const MAX_VALUE_DEPTH = 128;

/** A string that two values share exactly where JSON Schema calls them equal (member order is irrelevant). */
export function canonicalKey(value: JsonValue, depth = 0): string {
  if (depth > MAX_VALUE_DEPTH) throw new RangeError("value is nested too deeply");
  if (value === null || typeof value !== "object") return JSON.stringify(value);
  if (isRawNumber(value)) return `#${value.rawJSON}`;
  if (Array.isArray(value))
    return `[${value.map((item: JsonValue) => canonicalKey(item, depth + 1)).join(",")}]`;
  const object = value as JsonObject;
  const members = Object.keys(object)
    .sort()
    .map((key) => `${JSON.stringify(key)}:${canonicalKey(object[key] as JsonValue, depth + 1)}`);
  return `{${members.join(",")}}`;
}
