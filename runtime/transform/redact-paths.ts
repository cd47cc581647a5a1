// Replaces the values at paths. Where a value does not have the shape that a path assumes, more is redacted, not less:
// a scalar on the way is replaced, a name reaches into the elements of a list, JSON in a string is entered.
import type { PathSegment } from "#bundle";
import { isJsonObject, isRawNumber } from "#std";
import type { JsonObject, JsonValue } from "#std";
import { parseJsonContainer } from "./json-text.ts";
import { REDACTED } from "./secrets.ts";
import type { SecretCollector } from "./secrets.ts";
import type { Work } from "./work.ts";

export type Path = readonly PathSegment[];

/** The stand-in of the same JSON type. */
function standIn(value: JsonValue): JsonValue {
  if (value === null) return null;
  if (typeof value === "string") return REDACTED;
  if (typeof value === "boolean") return false;
  if (typeof value === "number" || isRawNumber(value)) return 0;
  return Array.isArray(value) ? [] : (Object.create(null) as JsonObject);
}

class Redaction {
  readonly #collector: SecretCollector;
  readonly #work: Work;

  constructor(collector: SecretCollector, work: Work) {
    this.#collector = collector;
    this.#work = work;
  }

  #replace(value: JsonValue, depth: number): JsonValue {
    if (value === null) return null;
    this.#collector.collect(value, depth);
    this.#collector.applied += 1;
    return standIn(value);
  }

  apply(value: JsonValue, path: Path, position: number, depth: number): JsonValue {
    this.#work.visit(depth);
    const segment = path[position];
    if (segment === undefined) return this.#replace(value, depth);
    if (typeof value === "string") {
      const carried = parseJsonContainer(value);
      if (carried === undefined) return this.#replace(value, depth);
      return JSON.stringify(this.apply(carried, path, position, depth + 1));
    }
    if (Array.isArray(value))
      return this.#applyToList(value as readonly JsonValue[], segment, path, position, depth);
    if (isJsonObject(value)) return this.#applyToObject(value, segment, path, position, depth);
    return this.#replace(value, depth);
  }

  #applyToList(
    list: readonly JsonValue[],
    segment: PathSegment,
    path: Path,
    position: number,
    depth: number,
  ): JsonValue {
    // A name does not consume a list: the same segment applies to each element.
    const next = segment.kind === "name" ? position : position + 1;
    return list.map((item, index) =>
      segment.kind === "index" && segment.index !== index ? item : this.apply(item, path, next, depth + 1),
    );
  }

  #applyToObject(
    object: JsonObject,
    segment: PathSegment,
    path: Path,
    position: number,
    depth: number,
  ): JsonValue {
    if (segment.kind === "index") return this.#replace(object, depth);
    const result = Object.create(null) as Record<string, JsonValue>;
    for (const [key, member] of Object.entries(object)) {
      const selected = segment.kind === "wildcard" || segment.name === key;
      result[key] = selected ? this.apply(member, path, position + 1, depth + 1) : member;
    }
    return result;
  }
}

/** A copy of `value` with the values at every path replaced; the collector learns what they were. */
export function redactPaths(
  value: JsonValue,
  paths: readonly Path[],
  collector: SecretCollector,
  work: Work,
): JsonValue {
  const redaction = new Redaction(collector, work);
  return paths.reduce((current, path) => redaction.apply(current, path, 0, 0), value);
}
