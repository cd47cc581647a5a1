// Reads JSON text and proves that it is the canonical text of the value it gives, in steps short enough to leave the
// event loop free while a large bundle is loaded.
import { rawNumber } from "#std";
import type { JsonValue } from "#std";
import { MAX_JSON_DEPTH, canonicalJson, canonicalNumber } from "./canonical-json.ts";

/** Longest text that is parsed and compared at once: under a millisecond. */
const PIECE_LENGTH = 32_768;
/** A longer value is taken apart, but not below this depth: the rest is one piece whatever its length. */
const WALK_DEPTH = 8;

interface Cursor {
  readonly text: string;
  offset: number;
}

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
  const cursor: Cursor = { text, offset: 0 };
  const value = yield* readValue(cursor, 0);
  if (cursor.offset !== text.length) throw notCanonical(cursor.offset);
  return value;
}

function* readValue(cursor: Cursor, depth: number): Generator<undefined, JsonValue> {
  const { text, offset } = cursor;
  const first = text[offset];
  const end = endOfValue(text, offset, depth < WALK_DEPTH ? PIECE_LENGTH : text.length);
  if (end === undefined && first === "[") return yield* readArray(cursor, depth);
  if (end === undefined && first === "{") return yield* readObject(cursor, depth);
  // A long string or number is one piece as well.
  const stop = end ?? endOfValue(text, offset, text.length);
  const value = readPiece(text.slice(offset, stop), offset);
  cursor.offset = stop ?? text.length;
  yield;
  return value;
}

function* readArray(cursor: Cursor, depth: number): Generator<undefined, JsonValue> {
  const items: JsonValue[] = [];
  expectText(cursor, "[");
  // It is longer than a piece, hence not empty.
  for (;;) {
    items.push(yield* readValue(cursor, depth + 1));
    if (cursor.text[cursor.offset] !== ",") break;
    cursor.offset += 1;
  }
  expectText(cursor, "]");
  return items;
}

function* readObject(cursor: Cursor, depth: number): Generator<undefined, JsonValue> {
  const members: Record<string, JsonValue> = {};
  let previous: string | undefined;
  expectText(cursor, "{");
  for (;;) {
    const name = readName(cursor);
    if (previous !== undefined && name <= previous) throw notCanonical(cursor.offset);
    previous = name;
    expectText(cursor, ":");
    const value = yield* readValue(cursor, depth + 1);
    // Defined, not assigned: a member may be called __proto__.
    Object.defineProperty(members, name, { value, enumerable: true, writable: true, configurable: true });
    if (cursor.text[cursor.offset] !== ",") break;
    cursor.offset += 1;
  }
  expectText(cursor, "}");
  return members;
}

function readName(cursor: Cursor): string {
  const { text, offset } = cursor;
  if (text[offset] !== '"') throw notCanonical(offset);
  const end = endOfString(text, offset) + 1;
  const name = readPiece(text.slice(offset, end), offset);
  if (typeof name !== "string") throw notCanonical(offset);
  cursor.offset = end;
  return name;
}

/** The value of a text, which must be the canonical text of it. */
function readPiece(source: string, offset: number): JsonValue {
  const value = JSON.parse(source) as JsonValue;
  if (isCanonical(value, source)) return value;
  // A number that a double cannot carry, or no canonical text: most pieces are neither, and a reviver costs several times
  // the parse.
  const lossless = JSON.parse(source, keepLosslessNumber) as JsonValue;
  if (canonicalJson(lossless) !== source) throw notCanonical(offset);
  return lossless;
}

/**
 * True only where `source` is what `canonicalJson` gives for the value parsed from it. The engine writes numbers and strings
 * as RFC 8785 does and members in the order they were read: what is left to prove is that order, the depth, and that no
 * escape stands for a lone surrogate. It takes a third of the time of writing the text anew.
 */
function isCanonical(value: JsonValue, source: string): boolean {
  return !source.includes("\\ud") && isSorted(value, 0) && JSON.stringify(value) === source;
}

function isSorted(value: JsonValue, depth: number): boolean {
  if (depth > MAX_JSON_DEPTH) return false;
  if (typeof value !== "object" || value === null) return true;
  if (Array.isArray(value)) {
    for (const item of value as readonly JsonValue[]) if (!isSorted(item, depth + 1)) return false;
    return true;
  }
  const members = value as Readonly<Record<string, JsonValue>>;
  let previous: string | undefined;
  for (const name of Object.keys(members)) {
    if (previous !== undefined && name <= previous) return false;
    previous = name;
    const member = members[name];
    if (member === undefined || !isSorted(member, depth + 1)) return false;
  }
  return true;
}

/** End of the JSON value that starts at `start`; undefined where it is longer than `maxLength`. */
function endOfValue(text: string, start: number, maxLength: number): number | undefined {
  const limit = start + maxLength;
  let depth = 0;
  for (let index = start; index < text.length; index++) {
    if (index > limit) return undefined;
    switch (text.charCodeAt(index)) {
      case 0x22:
        index = endOfString(text, index);
        break;
      case 0x5b:
      case 0x7b:
        depth += 1;
        break;
      case 0x5d:
      case 0x7d:
        depth -= 1;
        if (depth < 0) return index;
        break;
      case 0x2c:
        if (depth === 0) return index;
    }
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
