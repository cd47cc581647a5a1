// Positions: UTF-8 byte offsets of the engine, UTF-16 offsets of the text, lines and columns of the reader.
import type { CedarSpan } from "./finding.ts";

/** A half-open range of UTF-16 offsets. */
export interface TextRange {
  readonly start: number;
  readonly end: number;
}

/** Where a range of UTF-16 offsets lies for the reader. */
export interface SpanFinder {
  readonly span: (range: TextRange) => CedarSpan;
}

/** Finds the line and column of a UTF-16 offset in one file. */
export class LineMap implements SpanFinder {
  readonly #file: string;
  readonly #lineStarts: readonly number[];
  readonly #length: number;

  constructor(file: string, text: string) {
    this.#file = file;
    this.#length = text.length;
    const starts = [0];
    for (let at = text.indexOf("\n"); at >= 0; at = text.indexOf("\n", at + 1)) starts.push(at + 1);
    this.#lineStarts = starts;
  }

  /** Line and column of a range, both from 1; an offset outside the text is moved to its nearest end. */
  span(range: TextRange): CedarSpan {
    const start = this.#locate(range.start);
    const end = this.#locate(Math.max(range.start, range.end));
    return {
      file: this.#file,
      line: start.line,
      column: start.column,
      endLine: end.line,
      endColumn: end.column,
    };
  }

  #locate(offset: number): { readonly line: number; readonly column: number } {
    const at = Math.min(Math.max(offset, 0), this.#length);
    let low = 0;
    let high = this.#lineStarts.length - 1;
    while (low < high) {
      const middle = (low + high + 1) >> 1;
      if ((this.#lineStarts[middle] ?? 0) <= at) low = middle;
      else high = middle - 1;
    }
    return { line: low + 1, column: at - (this.#lineStarts[low] ?? 0) + 1 };
  }
}

/** The UTF-16 offset of a UTF-8 byte offset. An offset inside a character gives the start of that character. */
export function utf16Offset(text: string, byteOffset: number): number {
  let bytes = 0;
  let at = 0;
  while (at < text.length) {
    const code = text.codePointAt(at) ?? 0;
    const size = code < 0x80 ? 1 : code < 0x800 ? 2 : code < 0x10000 ? 3 : 4;
    if (bytes + size > byteOffset) return at;
    bytes += size;
    at += code > 0xffff ? 2 : 1;
  }
  return at;
}

/** One stretch of rewritten text. `copied`: character for character; else the whole stretch stands for the source. */
interface Segment {
  readonly out: TextRange;
  readonly source: TextRange;
  readonly copied: boolean;
}

/** Rewritten text together with the way back to the text it was made from. */
export class MappedText {
  readonly text: string;
  readonly #segments: readonly Segment[];

  constructor(text: string, segments: readonly Segment[]) {
    this.text = text;
    this.#segments = segments;
  }

  /** The source range of a range of UTF-16 offsets in the rewritten text. */
  sourceOf(range: TextRange): TextRange {
    const start = this.#start(range.start);
    return { start, end: Math.max(start, this.#end(range.end)) };
  }

  #start(offset: number): number {
    const segment = this.#segments.find((item) => offset >= item.out.start && offset < item.out.end);
    if (segment === undefined) return this.#segments.at(-1)?.source.end ?? offset;
    return segment.copied ? segment.source.start + (offset - segment.out.start) : segment.source.start;
  }

  #end(offset: number): number {
    const segment = this.#segments.find((item) => offset > item.out.start && offset <= item.out.end);
    if (segment === undefined) return this.#segments[0]?.source.start ?? offset;
    return segment.copied ? segment.source.start + (offset - segment.out.start) : segment.source.end;
  }
}

/** Builds a `MappedText` from left to right. */
export class MappedTextBuilder {
  readonly #source: string;
  readonly #segments: Segment[] = [];
  #text = "";
  #at = 0;

  constructor(source: string) {
    this.#source = source;
  }

  /** Copies the source up to `offset`. */
  copyTo(offset: number): void {
    if (offset <= this.#at) return;
    this.#push(this.#source.slice(this.#at, offset), { start: this.#at, end: offset }, true);
    this.#at = offset;
  }

  /** Writes `text` in the place of the source up to `offset`; with the current offset, inserts it. */
  replaceTo(offset: number, text: string): void {
    this.#push(text, { start: this.#at, end: offset }, false);
    this.#at = offset;
  }

  finish(): MappedText {
    this.copyTo(this.#source.length);
    return new MappedText(this.#text, this.#segments);
  }

  #push(text: string, source: TextRange, copied: boolean): void {
    const start = this.#text.length;
    this.#text += text;
    this.#segments.push({ out: { start, end: this.#text.length }, source, copied });
  }
}
