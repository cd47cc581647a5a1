// What changed between two JSON Schemas, keyword by keyword, in terms of who may now send what.
import { canonicalJson } from "#bundle";
import { isJsonObject } from "#std";
import type { JsonObject, JsonValue } from "#std";

/**
 * - `breaks`: calls or policies that were right can now fail or miss
 * - `widens`: something is possible that was not
 * - `narrows`: something is impossible that was possible
 * - `text`: only what a model or a person reads
 */
export type PinImpact = "breaks" | "widens" | "narrows" | "text";

export interface SchemaChange {
  readonly impact: PinImpact;
  /** JSON pointer within the schema. */
  readonly pointer: string;
  /** Names from the root to the value, `[]` for elements of a list; undefined in a part that is shared. */
  readonly path: readonly string[] | undefined;
  /** `enum widened by "x"`. */
  readonly message: string;
  readonly before?: JsonValue;
  readonly after?: JsonValue;
}

const MAX_DEPTH = 48;
const MAX_CHANGES = 500;
const LOWER_BOUNDS = ["minimum", "exclusiveMinimum", "minLength", "minItems", "minProperties", "minContains"];
const UPPER_BOUNDS = ["maximum", "exclusiveMaximum", "maxLength", "maxItems", "maxProperties", "maxContains"];
const TEXTS = [
  "title",
  "description",
  "examples",
  "$comment",
  "default",
  "deprecated",
  "markdownDescription",
];
const NAMED = ["properties", "patternProperties", "$defs", "definitions"];
const NESTED = ["items", "additionalProperties", "propertyNames", "contains", "not", "if", "then", "else"];
const HANDLED: ReadonlySet<string> = new Set([
  ...[...LOWER_BOUNDS, ...UPPER_BOUNDS, ...TEXTS, ...NAMED, ...NESTED],
  ...["type", "enum", "const", "required", "pattern"],
]);

function shown(value: JsonValue | undefined): string {
  return value === undefined ? "nothing" : canonicalJson(value);
}

function listOf(value: JsonValue | undefined): readonly string[] {
  if (value === undefined) return [];
  const items: readonly JsonValue[] = Array.isArray(value) ? value : [value];
  return items.map((item) => canonicalJson(item));
}

function escapePointer(name: string): string {
  return name.replaceAll("~", "~0").replaceAll("/", "~1");
}

function without(a: readonly string[], b: readonly string[]): readonly string[] {
  return a.filter((item) => !b.includes(item));
}

class SchemaDiff {
  readonly changes: SchemaChange[] = [];

  compare(
    before: JsonValue,
    after: JsonValue,
    pointer: string,
    path: readonly string[] | undefined,
    depth = 0,
  ): void {
    if (this.changes.length >= MAX_CHANGES || canonicalJson(before) === canonicalJson(after)) return;
    if (!isJsonObject(before) || !isJsonObject(after) || depth >= MAX_DEPTH) {
      const impact = after === true ? "widens" : after === false ? "narrows" : "breaks";
      this.#add(impact, pointer, path, "schema changed", before, after);
      return;
    }
    this.#sets(before, after, pointer, path);
    this.#bounds(before, after, pointer, path);
    this.#required(before, after, pointer, path);
    for (const keyword of NAMED) this.#named(keyword, before, after, pointer, path, depth);
    for (const keyword of NESTED) this.#nested(keyword, before, after, pointer, path, depth);
    for (const keyword of TEXTS)
      this.#other(keyword, before, after, pointer, path, keyword === "default" ? "breaks" : "text");
    for (const keyword of new Set([...Object.keys(before), ...Object.keys(after)]))
      if (!HANDLED.has(keyword)) this.#other(keyword, before, after, pointer, path, "breaks");
  }

  #add(
    impact: PinImpact,
    pointer: string,
    path: readonly string[] | undefined,
    message: string,
    before?: JsonValue,
    after?: JsonValue,
  ): void {
    if (this.changes.length >= MAX_CHANGES) return;
    const values = { ...(before === undefined ? {} : { before }), ...(after === undefined ? {} : { after }) };
    this.changes.push({ impact, pointer, path, message, ...values });
  }

  /** `type`, `enum` and `const`: sets of what is allowed, absent = anything. */
  #sets(before: JsonObject, after: JsonObject, pointer: string, path: readonly string[] | undefined): void {
    for (const keyword of ["type", "enum", "const"]) {
      const [old, now] = [before[keyword], after[keyword]];
      if (old === undefined && now === undefined) continue;
      const [was, is] = [listOf(old), listOf(now)];
      const [gone, came] = [without(was, is), without(is, was)];
      if (gone.length === 0 && came.length === 0) continue;
      const at = `${pointer}/${keyword}`;
      if (old === undefined) this.#add("narrows", at, path, `${keyword} added: ${is.join(", ")}`, old, now);
      else if (now === undefined)
        this.#add("widens", at, path, `${keyword} removed: was ${was.join(", ")}`, old, now);
      else if (gone.length === 0)
        this.#add("widens", at, path, `${keyword} widened by ${came.join(", ")}`, old, now);
      else if (came.length === 0)
        this.#add("narrows", at, path, `${keyword} narrowed: without ${gone.join(", ")}`, old, now);
      else
        this.#add(
          "breaks",
          at,
          path,
          `${keyword} changed from ${was.join(", ")} to ${is.join(", ")}`,
          old,
          now,
        );
    }
    const [old, now] = [before["pattern"], after["pattern"]];
    if (shown(old) === shown(now)) return;
    const impact = old === undefined ? "narrows" : now === undefined ? "widens" : "breaks";
    this.#add(
      impact,
      `${pointer}/pattern`,
      path,
      `pattern changed from ${shown(old)} to ${shown(now)}`,
      old,
      now,
    );
  }

  #bounds(before: JsonObject, after: JsonObject, pointer: string, path: readonly string[] | undefined): void {
    for (const keyword of [...LOWER_BOUNDS, ...UPPER_BOUNDS]) {
      const [old, now] = [before[keyword], after[keyword]];
      if (shown(old) === shown(now)) continue;
      const isLower = LOWER_BOUNDS.includes(keyword);
      const open = isLower ? -Infinity : Infinity;
      const [was, is] = [typeof old === "number" ? old : open, typeof now === "number" ? now : open];
      const impact = isLower === is < was ? "widens" : "narrows";
      this.#add(
        impact,
        `${pointer}/${keyword}`,
        path,
        `${keyword} changed from ${shown(old)} to ${shown(now)}`,
        old,
        now,
      );
    }
  }

  #required(
    before: JsonObject,
    after: JsonObject,
    pointer: string,
    path: readonly string[] | undefined,
  ): void {
    const names = (schema: JsonObject): readonly string[] =>
      Array.isArray(schema["required"])
        ? (schema["required"] as readonly JsonValue[]).filter((name) => typeof name === "string")
        : [];
    const exists = (schema: JsonObject, name: string): boolean =>
      isJsonObject(schema["properties"]) && Object.hasOwn(schema["properties"], name);
    const at = `${pointer}/required`;
    for (const name of without(names(after), names(before)))
      if (exists(before, name) || !exists(after, name))
        this.#add("breaks", at, pathTo(path, name), "is required now");
    for (const name of without(names(before), names(after)))
      if (exists(after, name) || !exists(before, name))
        this.#add("widens", at, pathTo(path, name), "is optional now");
  }

  #named(
    keyword: string,
    before: JsonObject,
    after: JsonObject,
    pointer: string,
    path: readonly string[] | undefined,
    depth: number,
  ): void {
    const [old, now] = [before[keyword], after[keyword]];
    const was = isJsonObject(old) ? old : {};
    const is = isJsonObject(now) ? now : {};
    const required = Array.isArray(after["required"]) ? (after["required"] as readonly JsonValue[]) : [];
    for (const name of [...new Set([...Object.keys(was), ...Object.keys(is)])].sort()) {
      const at = `${pointer}/${keyword}/${escapePointer(name)}`;
      const inner = keyword === "properties" ? pathTo(path, name) : undefined;
      const [a, b] = [
        Object.hasOwn(was, name) ? was[name] : undefined,
        Object.hasOwn(is, name) ? is[name] : undefined,
      ];
      const what = keyword === "properties" ? "parameter" : keyword;
      if (a === undefined && b !== undefined) {
        const isRequired = required.includes(name);
        const twin = Object.keys(was).find(
          (other) => !Object.hasOwn(is, other) && shown(was[other]) === shown(b),
        );
        const renamed = twin === undefined ? "" : `; the same as ${twin}, which is gone: renamed?`;
        const message = `${what} added${isRequired ? ", required" : ""}${renamed}`;
        this.#add(isRequired ? "breaks" : "widens", at, inner, message, undefined, b);
      } else if (a !== undefined && b === undefined) this.#add("breaks", at, inner, `${what} removed`, a);
      else if (a !== undefined && b !== undefined) this.compare(a, b, at, inner, depth + 1);
    }
  }

  #nested(
    keyword: string,
    before: JsonObject,
    after: JsonObject,
    pointer: string,
    path: readonly string[] | undefined,
    depth: number,
  ): void {
    const [old, now] = [before[keyword], after[keyword]];
    if (shown(old) === shown(now)) return;
    const at = `${pointer}/${keyword}`;
    const inner = keyword === "items" ? pathTo(path, "[]") : path;
    if (keyword === "additionalProperties" && (typeof old !== "object" || typeof now !== "object")) {
      const impact = now === false ? "narrows" : "widens";
      this.#add(
        impact,
        at,
        path,
        `additionalProperties changed from ${shown(old)} to ${shown(now)}`,
        old,
        now,
      );
    } else if (old !== undefined && now !== undefined) this.compare(old, now, at, inner, depth + 1);
    else
      this.#add(
        now === undefined ? "widens" : "narrows",
        at,
        inner,
        `${keyword} ${now === undefined ? "removed" : "added"}`,
        old,
        now,
      );
  }

  #other(
    keyword: string,
    before: JsonObject,
    after: JsonObject,
    pointer: string,
    path: readonly string[] | undefined,
    impact: PinImpact,
  ): void {
    const [old, now] = [before[keyword], after[keyword]];
    if (shown(old) === shown(now)) return;
    const how = old === undefined ? "added" : now === undefined ? "removed" : "changed";
    this.#add(impact, `${pointer}/${escapePointer(keyword)}`, path, `${keyword} ${how}`, old, now);
  }
}

function pathTo(path: readonly string[] | undefined, name: string): readonly string[] | undefined {
  return path === undefined ? undefined : [...path, name];
}

/** Every difference, in order of keyword groups. At most 500 of one schema. */
export function diffSchema(before: JsonValue, after: JsonValue): readonly SchemaChange[] {
  const diff = new SchemaDiff();
  diff.compare(before, after, "", []);
  return diff.changes;
}
