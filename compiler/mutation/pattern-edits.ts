// Wildcards of `like` and anchors of regular expressions, as they are written.
import type { NodeRange } from "./cedar-nodes.ts";

/** One character of a value and the source text that stands for it. */
interface SourceCharacter extends NodeRange {
  readonly value: string;
}

/** The characters of a Cedar string literal; offsets are relative to the literal, quotes included. */
export function charactersOfLiteral(literal: string): readonly SourceCharacter[] {
  const characters: SourceCharacter[] = [];
  for (const match of literal.slice(1, -1).matchAll(/\\u\{[0-9A-Fa-f]+\}|\\x..|\\[^]|[^]/gu)) {
    const [written] = match;
    const start = match.index + 1;
    const value = written.length > 1 && written.startsWith("\\") ? unescaped(written) : written;
    characters.push({ value, start, end: start + written.length });
  }
  return characters;
}

// Only what a regular expression is made of matters here.
function unescaped(written: string): string {
  return written.length === 2 ? written.slice(1) : "x";
}

/** The characters of plain text. */
export function charactersOf(text: string): readonly SourceCharacter[] {
  return [...text.matchAll(/[^]/gu)].map(({ 0: value, index }) => ({
    value,
    start: index,
    end: index + value.length,
  }));
}

export interface PatternEdit extends NodeRange {
  /** What is taken out. */
  readonly written: string;
}

/** `*` of a Cedar `like` pattern; `\*` is the character. Offsets are relative to the literal. */
export function wildcards(literal: string): readonly PatternEdit[] {
  return [...literal.matchAll(/\\u\{[0-9A-Fa-f]+\}|\\[^]|\*/gu)]
    .filter(([written]) => written === "*")
    .map(({ index }) => ({ written: "*", start: index, end: index + 1 }));
}

/** `^`, `$`, `\A` and `\z` outside of classes. */
export function anchors(characters: readonly SourceCharacter[]): readonly PatternEdit[] {
  const found: PatternEdit[] = [];
  let isInClass = false;
  for (let index = 0; index < characters.length; index += 1) {
    const character = characters[index];
    if (character === undefined) break;
    const { value, start, end } = character;
    if (value === "\\") {
      const next = characters[index + 1];
      index += 1;
      if (!isInClass && (next?.value === "A" || next?.value === "z"))
        found.push({ written: `\\${next.value}`, start, end: next.end });
    } else if (value === "[") isInClass = true;
    else if (value === "]") isInClass = false;
    else if (!isInClass && (value === "^" || value === "$")) found.push({ written: value, start, end });
  }
  return found;
}
