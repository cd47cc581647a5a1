// Reading the parser's JSON tree, whose shape is not trusted.

export type TreeObject = Readonly<Record<string, unknown>>;

export function isObject(value: unknown): value is TreeObject {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** The text of a `String` node; undefined for any other. */
export function stringOf(node: unknown): string | undefined {
  const text = isObject(node) ? node["String"] : undefined;
  const part = isObject(text) ? text["sval"] : undefined;
  return typeof part === "string" ? part : undefined;
}

/** A list of `String` nodes; any other node counts as the empty name. */
export function nameParts(value: unknown): readonly string[] {
  return listOf(value).map((item) => stringOf(item) ?? "");
}

export function listOf(value: unknown): readonly unknown[] {
  return Array.isArray(value) ? (value as readonly unknown[]) : [];
}
