// Decoding of untyped JSON into a closed shape: every problem is reported, with its JSON path, and unknown keys are
// refused with a suggestion.
import { closestName, isJsonObject } from "#std";
import type { JsonObject, JsonValue } from "#std";

/** One problem. `path` is a JSON path such as `$.listen.port`. */
export interface ConfigProblem {
  readonly path: string;
  readonly message: string;
}

/** Longest list of a configuration. */
export const MAX_LIST_ITEMS = 256;

/** Every problem of a configuration, in the order of the file's sections. */
export class ConfigError extends Error {
  readonly problems: readonly ConfigProblem[];
  constructor(file: string, problems: readonly ConfigProblem[]) {
    super(
      [`${file} is not usable:`, ...problems.map(({ path, message }) => `  ${path} ${message}`)].join("\n"),
    );
    this.name = "ConfigError";
    this.problems = problems;
  }
}

export interface NumberRange {
  readonly min: number;
  readonly max: number;
}

/** Collects problems while values are read; a value with a problem reads as its fallback. */
export class ConfigReader {
  readonly problems: ConfigProblem[] = [];

  report(path: string, message: string): void {
    this.problems.push({ path, message });
  }

  /** The object at `path`; an unknown key is a problem, an absent optional object reads as empty. */
  object(value: JsonValue | undefined, path: string, keys: readonly string[], required: boolean): JsonObject {
    if (value === undefined) {
      if (required) this.report(path, "is required");
      return {};
    }
    if (!isJsonObject(value)) {
      this.report(path, `must be an object, not ${kindOf(value)}`);
      return {};
    }
    for (const key of Object.keys(value)) {
      if (keys.includes(key)) continue;
      const guess = closestName(key, keys);
      const hint =
        guess === undefined ? `known keys: ${keys.join(", ")}` : `did you mean ${JSON.stringify(guess)}?`;
      this.report(memberPath(path, key), `is not a known key; ${hint}`);
    }
    return value;
  }

  /** A non-empty string; `fallback` undefined makes it required. */
  string(value: JsonValue | undefined, path: string, fallback?: string): string {
    if (value === undefined && fallback !== undefined) return fallback;
    if (typeof value === "string" && value !== "" && !value.includes("\0")) return value;
    this.report(
      path,
      value === undefined ? "is required" : `must be a non-empty string, not ${kindOf(value)}`,
    );
    return fallback ?? "";
  }

  optionalString(value: JsonValue | undefined, path: string): string | undefined {
    return value === undefined ? undefined : this.string(value, path);
  }

  integer(value: JsonValue | undefined, path: string, range: NumberRange, fallback?: number): number {
    if (value === undefined && fallback !== undefined) return fallback;
    if (value === undefined) this.report(path, "is required");
    else if (typeof value !== "number" || !Number.isSafeInteger(value)) {
      this.report(path, `must be an integer, not ${kindOf(value)}`);
    } else if (value < range.min || value > range.max) {
      this.report(path, `must be between ${range.min} and ${range.max}, not ${value}`);
    } else return value;
    return fallback ?? range.min;
  }

  oneOf<const T extends string>(
    value: JsonValue | undefined,
    path: string,
    allowed: readonly T[],
    fallback: T,
  ): T {
    if (value === undefined) return fallback;
    const found = allowed.find((name) => name === value);
    if (found !== undefined) return found;
    const guess = typeof value === "string" ? closestName(value, allowed) : undefined;
    const hint = guess === undefined ? "" : `; did you mean ${JSON.stringify(guess)}?`;
    this.report(path, `must be one of ${allowed.join(", ")}${hint}`);
    return fallback;
  }

  strings(value: JsonValue | undefined, path: string, maxItems: number): readonly string[] | undefined {
    if (value === undefined) return undefined;
    if (!Array.isArray(value)) {
      this.report(path, `must be an array of strings, not ${kindOf(value)}`);
      return undefined;
    }
    const items: readonly JsonValue[] = value;
    if (items.length > maxItems) this.report(path, `must have at most ${maxItems} items`);
    return items.map((item, index) => {
      if (typeof item === "string" && !item.includes("\0")) return item;
      this.report(`${path}[${index}]`, `must be a string, not ${kindOf(item)}`);
      return "";
    });
  }
}

/** JSON path of a member. */
export function memberPath(path: string, key: string): string {
  return /^[A-Za-z_][A-Za-z0-9_]*$/.test(key) ? `${path}.${key}` : `${path}[${JSON.stringify(key)}]`;
}

function kindOf(value: JsonValue): string {
  if (value === null) return "null";
  if (Array.isArray(value)) return "an array";
  if (value === "") return "an empty string";
  return typeof value === "object" ? "an object" : `a ${typeof value}`;
}
