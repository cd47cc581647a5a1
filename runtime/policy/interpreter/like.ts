// Cedar's `like`: literals and wildcards, matched in time linear in the text for each literal.
import { isJsonObject } from "#std";
import type { JsonValue } from "#std";
import { UnsupportedConstruct } from "./unsupported.ts";

/** The literals between the wildcards, in order: one for a pattern without a wildcard. */
export type Pattern = readonly string[];

/** `pattern` is the EST form: `"Wildcard"` and `{"Literal": "…"}` in order. @throws {UnsupportedConstruct} */
export function readPattern(pattern: JsonValue): Pattern {
  if (!Array.isArray(pattern)) throw new UnsupportedConstruct("form", "pattern");
  const pieces: string[] = [""];
  for (const part of pattern as readonly JsonValue[]) {
    if (part === "Wildcard") pieces.push("");
    else if (isJsonObject(part) && typeof part["Literal"] === "string")
      pieces.push((pieces.pop() ?? "") + part["Literal"]);
    else throw new UnsupportedConstruct("form", "pattern");
  }
  return pieces;
}

// Greedy from the left is exact: a wildcard stands for any text, so the earliest place of a literal is never wrong.
export function matchesPattern(text: string, pieces: Pattern): boolean {
  const first = pieces[0] ?? "";
  const lastIndex = pieces.length - 1;
  if (lastIndex === 0) return text === first;
  if (!text.startsWith(first)) return false;
  let position = first.length;
  for (let index = 1; index < lastIndex; index += 1) {
    const piece = pieces[index] ?? "";
    const found = text.indexOf(piece, position);
    if (found === -1) return false;
    position = found + piece.length;
  }
  const last = pieces[lastIndex] ?? "";
  return text.length - last.length >= position && text.endsWith(last);
}
