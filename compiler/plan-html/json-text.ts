// JSON as text for reading: indented, short values on one line, numbers as they were written.
import { canonicalJson } from "#bundle";
import { isJsonObject, isRawNumber } from "#std";
import type { JsonValue } from "#std";

const MAX_LINE_LENGTH = 80;
const MAX_DEPTH = 200;

/** Lines joined by line breaks. Members keep their order. */
export function jsonText(value: JsonValue, indent = ""): string {
  const short = canonicalOrder(value);
  if (short.length + indent.length <= MAX_LINE_LENGTH || isRawNumber(value)) return short;
  if (indent.length / 2 > MAX_DEPTH) return short;
  const inner = `${indent}  `;
  if (Array.isArray(value)) {
    const items = (value as readonly JsonValue[]).map((item) => `${inner}${jsonText(item, inner)}`);
    return `[\n${items.join(",\n")}\n${indent}]`;
  }
  if (!isJsonObject(value)) return short;
  const members = Object.entries(value).map(
    ([key, member]) => `${inner}${JSON.stringify(key)}: ${jsonText(member, inner)}`,
  );
  return `{\n${members.join(",\n")}\n${indent}}`;
}

function canonicalOrder(value: JsonValue): string {
  if (isRawNumber(value)) return canonicalJson(value);
  if (Array.isArray(value)) return `[${(value as readonly JsonValue[]).map(canonicalOrder).join(", ")}]`;
  if (isJsonObject(value)) {
    const members = Object.entries(value).map(
      ([key, member]) => `${JSON.stringify(key)}: ${canonicalOrder(member)}`,
    );
    return members.length === 0 ? "{}" : `{ ${members.join(", ")} }`;
  }
  return JSON.stringify(value);
}
