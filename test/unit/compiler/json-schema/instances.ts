// Values that a schema describes, more or less: most are valid, and each has a neighbour with one thing changed.
import type { JsonObject, JsonValue } from "#std";
import { isJsonObject } from "#std";

type Random = () => number;

const STRINGS = [
  "",
  "a",
  "open",
  "abc123",
  "2026-01-01",
  "a@b.example",
  "https://example.com/x",
  "A-1",
  "é",
  "12:30",
];

function pick<T>(items: readonly T[], random: Random): T | undefined {
  return items[Math.floor(random() * items.length)];
}

function pointed(root: JsonValue, reference: string): JsonValue | undefined {
  let current: JsonValue | undefined = root;
  for (const raw of decodeURIComponent(reference).slice(1).split("/").slice(1)) {
    const name = raw.replaceAll("~1", "/").replaceAll("~0", "~");
    if (!isJsonObject(current) || !Object.hasOwn(current, name)) return undefined;
    current = current[name];
  }
  return current;
}

class Generator {
  readonly #root: JsonValue;
  readonly #random: Random;

  constructor(root: JsonValue, random: Random) {
    this.#root = root;
    this.#random = random;
  }

  value(schema: JsonValue, depth: number): JsonValue {
    if (!isJsonObject(schema) || depth <= 0)
      return pick<JsonValue>(["a", 1, true, null, [], {}], this.#random) ?? null;
    const reference = schema["$ref"];
    if (typeof reference === "string") {
      const target = pointed(this.#root, reference);
      return target === undefined ? null : this.value(target, depth - 1);
    }
    if (Object.hasOwn(schema, "const")) return schema["const"] ?? null;
    const choices = schema["enum"];
    if (Array.isArray(choices)) return pick(choices as readonly JsonValue[], this.#random) ?? null;
    const alternatives = schema["anyOf"] ?? schema["oneOf"];
    const isPart = isJsonObject(schema["properties"]);
    if (Array.isArray(alternatives) && !isPart)
      return this.value(pick(alternatives as readonly JsonValue[], this.#random) ?? true, depth - 1);
    return this.#typed(schema, depth);
  }

  #typed(schema: JsonObject, depth: number): JsonValue {
    const types = schema["type"];
    const type = Array.isArray(types) ? pick(types as readonly JsonValue[], this.#random) : types;
    const minimum = typeof schema["minimum"] === "number" ? schema["minimum"] : 0;
    switch (type) {
      case "string":
        return `${pick(STRINGS, this.#random) ?? ""}${"a".repeat(this.#random() < 0.1 ? 40 : 0)}`;
      case "integer":
        return minimum + Math.floor(this.#random() * 12);
      case "number":
        return minimum + Math.floor(this.#random() * 400) / 4;
      case "boolean":
        return this.#random() < 0.5;
      case "null":
        return null;
      case "array":
        return this.#list(schema, depth);
      default:
        return this.#record(schema, depth);
    }
  }

  #list(schema: JsonObject, depth: number): JsonValue {
    const tuple = schema["prefixItems"];
    if (Array.isArray(tuple))
      return (tuple as readonly JsonValue[]).map((item) => this.value(item, depth - 1));
    const length = Math.floor(this.#random() * 4);
    return Array.from({ length }, () => this.value(schema["items"] ?? true, depth - 1));
  }

  #record(schema: JsonObject, depth: number): JsonObject {
    const members: [string, JsonValue][] = [];
    const required = new Set(
      Array.isArray(schema["required"]) ? (schema["required"] as readonly JsonValue[]) : [],
    );
    const properties = isJsonObject(schema["properties"]) ? schema["properties"] : {};
    for (const [name, sub] of Object.entries(properties)) {
      if (required.has(name) || this.#random() < 0.5) members.push([name, this.value(sub, depth - 1)]);
    }
    if (isJsonObject(schema["additionalProperties"]) && this.#random() < 0.6)
      members.push(["extra", this.value(schema["additionalProperties"], depth - 1)]);
    return Object.fromEntries(members);
  }
}

/** Sets one member, removes one, or adds one that the schema does not name. */
function neighbour(value: JsonObject, random: Random): JsonObject {
  const names = Object.keys(value);
  const name = pick(names, random);
  const without = Object.entries(value).filter(([key]) => key !== name);
  const choice = random();
  if (choice < 0.3) return Object.fromEntries(without);
  const other = pick<JsonValue>([null, 0, -1, 1.5, 1e21, "x", true, [], {}, ["x", 1]], random) ?? null;
  if (choice < 0.8 && name !== undefined) return Object.fromEntries([...without, [name, other]]);
  return Object.fromEntries([...Object.entries(value), ["unexpected", other]]);
}

/** `count` values, every second the neighbour of the one before. */
export function instancesOf(schema: JsonValue, count: number, random: Random): readonly JsonObject[] {
  const generator = new Generator(schema, random);
  const values: JsonObject[] = [];
  while (values.length < count) {
    const made = generator.value(schema, 8);
    const value = isJsonObject(made) ? made : {};
    values.push(value, neighbour(value, random));
  }
  return values;
}
