// From marked values back to JSON, where nothing is left to be scrubbed.
import { isJsonObject, isRawNumber } from "#std";
import type { JsonValue } from "#std";
import { CarriedJson, Final, Payload } from "./envelope.ts";
import type { Marked } from "./envelope.ts";

/** The JSON value that a marked value stands for. */
export function settle(value: Marked, depth: number): JsonValue {
  if (value instanceof Final) return value.value;
  if (value instanceof CarriedJson) return JSON.stringify(settle(value.value, depth + 1));
  if (value instanceof Payload) return settle(value.value, depth + 1);
  if (Array.isArray(value)) return (value as readonly Marked[]).map((item) => settle(item, depth + 1));
  if (!isJsonObject(value) || isRawNumber(value)) return value as JsonValue;
  const result = Object.create(null) as Record<string, JsonValue>;
  for (const [key, member] of Object.entries(value)) result[key] = settle(member as Marked, depth + 1);
  return result;
}
