// Reads JSON text and proves that it is the canonical text of the value it gives, in steps short enough to leave the
// event loop free while a large bundle is loaded.
import { isJsonObject, rawNumber } from "#std";
import type { JsonValue } from "#std";
import { canonicalJson, canonicalNumber } from "./canonical-json.ts";

/** Containers above this depth are walked member by member; what lies below is compared as one piece of text. */
const WALK_DEPTH = 4;

interface Cursor {
  readonly text: string;
  offset: number;
}

type Container = Record<string, JsonValue> | JsonValue[];

/**
 * Parses canonical JSON and proves that it was canonical, which rules out duplicate members, other number spellings
 * and white space. Numbers that a double cannot carry become `RawNumber`. Throws SyntaxError or TypeError.
 */
export function parseCanonicalJson(text: string): JsonValue {
  return runToEnd(parseCanonicalSteps(text));
}

/** Runs steps without a pause. */
export function runToEnd<T>(steps: Generator<undefined, T>): T {
  for (;;) {
    const step = steps.next();
    if (step.done === true) return step.value;
  }
}

/** `parseCanonicalJson` in steps: the caller decides after each whether to let other work run. */
export function* parseCanonicalSteps(text: string): Generator<undefined, JsonValue> {
  const holder: [JsonValue] = [JSON.parse(text) as JsonValue];
  yield;
  const cursor: Cursor = { text, offset: 0 };
  yield* reconcile(holder, "0", cursor, 0);
  if (cursor.offset !== text.length) throw notCanonical(cursor.offset);
  return holder[0];
}

function* reconcile(
  holder: Container,
  key: string,
  cursor: Cursor,
  depth: number,
): Generator<undefined, void> {
  const value = (holder as Record<string, JsonValue>)[key];
  if (depth < WALK_DEPTH && Array.isArray(value)) {
    expectText(cursor, "[");
    for (let index = 0; index < value.length; index++) {
      if (index > 0) expectText(cursor, ",");
      yield* reconcile(value as JsonValue[], String(index), cursor, depth + 1);
    }
    expectText(cursor, "]");
  } else if (depth < WALK_DEPTH && isJsonObject(value)) {
    expectText(cursor, "{");
    let separator = "";
    for (const name of Object.keys(value).sort()) {
      expectText(cursor, `${separator}${canonicalJson(name)}:`);
      yield* reconcile(value as Record<string, JsonValue>, name, cursor, depth + 1);
      separator = ",";
    }
    expectText(cursor, "}");
  } else {
    comparePiece(holder, key, value, cursor);
    yield;
  }
}

function comparePiece(holder: Container, key: string, value: JsonValue | undefined, cursor: Cursor): void {
  const { text, offset } = cursor;
  const piece = canonicalOrUndefined(value);
  if (piece !== undefined && text.startsWith(piece, offset)) {
    cursor.offset += piece.length;
    return;
  }
  // Most pieces hold no such number, and a reviver costs several times the parse.
  const source = text.slice(offset, endOfValue(text, offset));
  const lossless = JSON.parse(source, keepLosslessNumber) as JsonValue;
  if (canonicalJson(lossless) !== source) throw notCanonical(offset);
  // Defined, not assigned: a member may be called __proto__.
  Object.defineProperty(holder, key, {
    value: lossless,
    enumerable: true,
    writable: true,
    configurable: true,
  });
  cursor.offset += source.length;
}

function canonicalOrUndefined(value: unknown): string | undefined {
  try {
    return canonicalJson(value);
  } catch {
    return undefined;
  }
}

/** End of the JSON value that starts at `start` of a text that is known to be JSON. */
function endOfValue(text: string, start: number): number {
  let depth = 0;
  for (let index = start; index < text.length; index++) {
    const character = text[index];
    if (character === '"') index = endOfString(text, index);
    else if (character === "[" || character === "{") depth += 1;
    else if (character === "]" || character === "}") depth -= 1;
    else if (character === "," && depth === 0) return index;
    if (depth < 0) return index;
  }
  return text.length;
}

/** Index of the quote that closes the string whose first quote is at `start`. */
function endOfString(text: string, start: number): number {
  let index = start + 1;
  while (index < text.length && text[index] !== '"') index += text[index] === "\\" ? 2 : 1;
  return index;
}

function expectText(cursor: Cursor, expected: string): void {
  if (!cursor.text.startsWith(expected, cursor.offset)) throw notCanonical(cursor.offset);
  cursor.offset += expected.length;
}

function notCanonical(offset: number): TypeError {
  return new TypeError(`the text is not canonical JSON (RFC 8785) at character ${String(offset)}`);
}

function keepLosslessNumber(_name: string, value: unknown, context?: { readonly source?: string }): unknown {
  if (typeof value !== "number" || context?.source === undefined) return value;
  return canonicalNumber(context.source) === JSON.stringify(value) ? value : rawNumber(context.source);
}
