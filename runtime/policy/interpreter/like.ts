// Cedar's `like`: literals and wildcards, matched in time linear in the text for each literal.
import { isJsonObject } from "#std";
import type { JsonValue } from "#std";
import { UnsupportedConstruct } from "./unsupported.ts";

/** `pattern` is the EST form: `"Wildcard"` and `{"Literal": "…"}` in order. */
export function compileLike(pattern: JsonValue): (text: string) => boolean {
  if (!Array.isArray(pattern)) throw new UnsupportedConstruct("pattern");
  const pieces: string[] = [""];
  for (const part of pattern as readonly JsonValue[]) {
    if (part === "Wildcard") pieces.push("");
    else if (isJsonObject(part) && typeof part["Literal"] === "string")
      pieces.push((pieces.pop() ?? "") + part["Literal"]);
    else throw new UnsupportedConstruct("pattern");
  }
  const [first = "", ...rest] = pieces;
  const last = rest.pop();
  if (last === undefined) return (text) => text === first;
  return (text) => matchPieces(text, first, rest, last);
}

// Greedy from the left is exact: a wildcard stands for any text, so the earliest place of a literal is never wrong.
function matchPieces(text: string, first: string, middle: readonly string[], last: string): boolean {
  if (!text.startsWith(first)) return false;
  let position = first.length;
  for (const piece of middle) {
    const found = text.indexOf(piece, position);
    if (found === -1) return false;
    position = found + piece.length;
  }
  return text.length - last.length >= position && text.endsWith(last);
}
