// From marked values back to JSON, where nothing is left to be scrubbed.
import { isJsonObject, isRawNumber, setMember } from "#std";
import type { JsonObject, JsonValue } from "#std";
import { CarriedJson, Final, Payload } from "./envelope.ts";
import type { Marked, MarkedObject } from "./envelope.ts";
import type { Work } from "./work.ts";

/** The JSON value that a marked value stands for. `work` bounds it where nothing else has. */
export function settle(value: Marked, depth: number, work?: Work): JsonValue {
  work?.visit(depth);
  if (typeof value !== "object" || value === null) return value;
  if (value instanceof Final) return value.value;
  if (value instanceof CarriedJson) return JSON.stringify(settle(value.value, depth + 1, work));
  if (value instanceof Payload) return settle(value.value, depth + 1, work);
  if (Array.isArray(value)) return settleList(value as readonly Marked[], depth, work);
  return !isJsonObject(value) || isRawNumber(value) ? (value as JsonValue) : settleObject(value, depth, work);
}

/** The same for a list; the list itself where nothing in it is marked. */
function settleList(list: readonly Marked[], depth: number, work: Work | undefined): JsonValue {
  let result: JsonValue[] | undefined;
  for (let index = 0; index < list.length; index += 1) {
    const item = list[index] as Marked;
    const settled = settle(item, depth + 1, work);
    if (settled === item) continue;
    result ??= [...(list as readonly JsonValue[])];
    result[index] = settled;
  }
  return result ?? (list as readonly JsonValue[]);
}

/** The same for an object; the object itself where nothing in it is marked. */
export function settleObject(object: MarkedObject, depth: number, work?: Work): JsonObject {
  let result: Record<string, JsonValue> | undefined;
  for (const key of Object.keys(object)) {
    const member = object[key] as Marked;
    const settled = settle(member, depth + 1, work);
    if (settled === member) continue;
    result ??= { ...(object as JsonObject) };
    setMember(result, key, settled);
  }
  return result ?? (object as JsonObject);
}
