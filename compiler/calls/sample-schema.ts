// Arguments that an approved schema accepts: the smallest object, the fullest one, and the values worth trying at
// each place. Candidates only: each is validated by the gateway's own code before it counts as a call.
import type { SchemaNode, SchemaProgram } from "#bundle";
import { isJsonObject } from "#std";
import type { JsonObject, JsonValue } from "#std";
import { matchingSamples } from "./sample-pattern.ts";

const MAX_DEPTH = 6;

const FORMAT_SAMPLES: Readonly<Record<string, string>> = {
  date: "2026-01-01",
  "date-time": "2026-01-01T00:00:00Z",
  email: "someone@example.com",
  hostname: "host.example.com",
  ipv4: "192.0.2.1",
  ipv6: "2001:db8::1",
  time: "00:00:00Z",
  uri: "https://example.com/",
  "uri-reference": "https://example.com/",
  uuid: "00000000-0000-4000-8000-000000000000",
};

/** Objects that satisfy the schema as far as this reader understands it: required members only, then all members. */
export function argumentSamples(program: SchemaProgram): readonly JsonObject[] {
  return [false, true].flatMap((all) => {
    const value = new SchemaSampler(program, all).sample(program.root, 0);
    return isJsonObject(value) ? [value] : [];
  });
}

/** Values worth trying for each member of the arguments, nested ones by path. */
export function memberSamples(
  program: SchemaProgram,
): readonly { readonly path: readonly string[]; readonly values: readonly JsonValue[] }[] {
  const found: { path: readonly string[]; values: readonly JsonValue[] }[] = [];
  const visit = (index: number, path: readonly string[]): void => {
    const node = program.nodes[index];
    if (node === undefined || path.length > MAX_DEPTH) return;
    if (path.length > 0) found.push({ path, values: edgeValues(node) });
    for (const [name, member] of Object.entries(node.properties ?? {})) visit(member, [...path, name]);
  };
  visit(program.root, []);
  return found;
}

function edgeValues(node: SchemaNode): readonly JsonValue[] {
  if (node.enum !== undefined) return node.enum;
  if (node.types?.includes("boolean") === true) return [true, false];
  const bounds = [node.minimum, node.maximum, node.exclusiveMinimum, node.exclusiveMaximum];
  return bounds.flatMap((bound) => (bound === undefined ? [] : [bound - 1, bound, bound + 1]));
}

class SchemaSampler {
  readonly #program: SchemaProgram;
  readonly #all: boolean;

  constructor(program: SchemaProgram, all: boolean) {
    this.#program = program;
    this.#all = all;
  }

  /** A value for the node; undefined where none is known. */
  sample(index: number, depth: number): JsonValue | undefined {
    const node = this.#program.nodes[index];
    if (node === undefined || depth > MAX_DEPTH || node.always === false) return undefined;
    if (node.enum !== undefined) return node.enum[0];
    const branches = node.anyOf ?? node.oneOf;
    if (branches !== undefined && node.types === undefined) return this.#firstOf(branches, depth);
    if (node.allOf !== undefined && node.types === undefined) return this.#merged(node.allOf, depth);
    return this.#ofType(node, depth);
  }

  #firstOf(branches: readonly number[], depth: number): JsonValue | undefined {
    for (const branch of branches) {
      const value = this.sample(branch, depth + 1);
      if (value !== undefined && value !== null) return value;
    }
    return undefined;
  }

  #merged(parts: readonly number[], depth: number): JsonValue | undefined {
    const values = parts.map((part) => this.sample(part, depth + 1));
    const objects = values.filter(isJsonObject);
    return objects.length > 0 ? Object.assign({}, ...objects) : values[0];
  }

  #ofType(node: SchemaNode, depth: number): JsonValue | undefined {
    const type = node.types?.find((name) => name !== "null") ?? node.types?.[0] ?? guessedType(node);
    switch (type) {
      case "object":
        return this.#object(node, depth);
      case "array":
        return this.#array(node, depth);
      case "string":
        return sampleString(node);
      case "integer":
      case "number":
        return sampleNumber(node);
      case "boolean":
        return false;
      case "null":
        return null;
    }
  }

  #object(node: SchemaNode, depth: number): JsonValue | undefined {
    const required = new Set(node.required ?? []);
    const members: [string, JsonValue][] = [];
    for (const [name, member] of Object.entries(node.properties ?? {})) {
      if (!required.has(name) && !this.#all) continue;
      const value = this.sample(member, depth + 1);
      if (value !== undefined) members.push([name, value]);
      else if (required.has(name)) return undefined;
    }
    for (const name of required) {
      if (node.properties === undefined || !Object.hasOwn(node.properties, name)) members.push([name, "x"]);
    }
    return Object.fromEntries(members);
  }

  #array(node: SchemaNode, depth: number): JsonValue | undefined {
    const prefix = (node.prefixItems ?? []).map((item) => this.sample(item, depth + 1));
    if (prefix.includes(undefined)) return undefined;
    const length = Math.min(node.minItems ?? (this.#all ? 1 : 0), 8);
    const items: JsonValue[] = prefix.filter((item) => item !== undefined);
    while (items.length < length) {
      const item = node.items === undefined ? "x" : this.sample(node.items, depth + 1);
      if (item === undefined) return undefined;
      items.push(item);
    }
    return items;
  }
}

function guessedType(node: SchemaNode): "array" | "object" | "string" {
  if (node.properties !== undefined || node.required !== undefined) return "object";
  return node.items !== undefined || node.prefixItems !== undefined ? "array" : "string";
}

function sampleString(node: SchemaNode): string {
  if (node.pattern !== undefined) {
    const fitting = matchingSamples(node.pattern).find((text) => fits(node, text));
    if (fitting !== undefined) return fitting;
  }
  const text = (node.format === undefined ? undefined : FORMAT_SAMPLES[node.format]) ?? "sample";
  return text
    .padEnd(node.minLength ?? 0, "x")
    .slice(0, node.maxLength ?? text.length + (node.minLength ?? 0));
}

function fits(node: SchemaNode, text: string): boolean {
  return text.length >= (node.minLength ?? 0) && text.length <= (node.maxLength ?? Number.POSITIVE_INFINITY);
}

function sampleNumber(node: SchemaNode): number {
  const step = node.multipleOf ?? 1;
  const least =
    node.minimum ?? (node.exclusiveMinimum === undefined ? undefined : node.exclusiveMinimum + step);
  const most =
    node.maximum ?? (node.exclusiveMaximum === undefined ? undefined : node.exclusiveMaximum - step);
  const value = least ?? Math.min(step, most ?? step);
  return node.multipleOf === undefined ? value : Math.ceil(value / step) * step;
}
