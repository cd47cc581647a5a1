// Reads the paths of `transforms`: a strict subset of RFC 9535 that always names a fixed shape.
import type { PathSegment } from "#bundle";

export type ParsedPath =
  | { readonly ok: true; readonly segments: readonly PathSegment[] }
  /** `offset` counts UTF-16 units from the start of the path. */
  | { readonly ok: false; readonly offset: number; readonly message: string };

const MAX_PATH_LENGTH = 1_000;
const MAX_SEGMENTS = 64;
// RFC 9535 §2.5.1.1 member-name-shorthand, as far as it is ASCII or a letter beyond it.
const SHORTHAND =
  /[A-Za-z_\u0080-\ud7ff\ue000-\uffff\u{10000}-\u{10ffff}][\w\u0080-\ud7ff\ue000-\uffff\u{10000}-\u{10ffff}]*/uy;
const INDEX = /(?:0|[1-9][0-9]*)(?=[\],])/y;
const ESCAPES: ReadonlyMap<string, string> = new Map([
  ["b", "\b"],
  ["f", "\f"],
  ["n", "\n"],
  ["r", "\r"],
  ["t", "\t"],
  ["/", "/"],
  ["\\", "\\"],
]);

class PathFault extends Error {
  readonly offset: number;
  constructor(offset: number, message: string) {
    super(message);
    this.offset = offset;
  }
}

class PathReader {
  readonly #text: string;
  #offset = 0;

  constructor(text: string) {
    this.#text = text;
  }

  read(): readonly PathSegment[] {
    if (this.#text.length > MAX_PATH_LENGTH) {
      throw new PathFault(MAX_PATH_LENGTH, `a path has at most ${MAX_PATH_LENGTH} characters`);
    }
    if (!this.#take("$")) throw new PathFault(0, "a path begins with $");
    const segments: PathSegment[] = [];
    while (this.#offset < this.#text.length) {
      if (segments.length === MAX_SEGMENTS) this.#fail(`a path has at most ${MAX_SEGMENTS} segments`);
      segments.push(this.#segment());
    }
    return segments;
  }

  #fail(message: string): never {
    throw new PathFault(this.#offset, message);
  }

  #take(text: string): boolean {
    if (!this.#text.startsWith(text, this.#offset)) return false;
    this.#offset += text.length;
    return true;
  }

  #match(pattern: RegExp): string | undefined {
    pattern.lastIndex = this.#offset;
    const found = pattern.exec(this.#text)?.[0];
    if (found !== undefined) this.#offset += found.length;
    return found;
  }

  #segment(): PathSegment {
    if (this.#text.startsWith("..", this.#offset)) this.#fail("the descendant segment .. is not supported");
    if (this.#take(".")) {
      if (this.#take("*")) return { kind: "wildcard" };
      const name = this.#match(SHORTHAND);
      return name === undefined
        ? this.#fail("a member name is expected after the dot")
        : { kind: "name", name };
    }
    if (this.#take("[")) return this.#selector();
    return this.#fail("a segment begins with . or [");
  }

  #selector(): PathSegment {
    const segment = this.#bracketed();
    if (this.#take("]")) return segment;
    if (this.#text.startsWith(",", this.#offset))
      this.#fail("several selectors in one bracket are not supported");
    return this.#fail("a closing ] is expected");
  }

  #bracketed(): PathSegment {
    if (this.#take("*")) return { kind: "wildcard" };
    const quote = this.#text.charAt(this.#offset);
    if (quote === "'" || quote === '"') return { kind: "name", name: this.#quoted(quote) };
    if (quote === "?") this.#fail("filter selectors are not supported");
    const digits = this.#match(INDEX);
    if (digits !== undefined) {
      const index = Number(digits);
      return Number.isSafeInteger(index) ? { kind: "index", index } : this.#fail("the index is too large");
    }
    if (/^-?\d*:/.test(this.#text.slice(this.#offset))) this.#fail("slices are not supported");
    if (quote === "-") this.#fail("indexes from the end are not supported");
    return this.#fail("a quoted name, an index or * is expected");
  }

  #quoted(quote: string): string {
    this.#offset += 1;
    let name = "";
    for (;;) {
      const unit = this.#text.charAt(this.#offset);
      if (unit === "") this.#fail("the quoted name is not closed");
      if (unit < " ") this.#fail("control characters must be escaped");
      this.#offset += 1;
      if (unit === quote) return name.isWellFormed() ? name : this.#fail("the name is not valid Unicode");
      name += unit === "\\" ? this.#escape(quote) : unit;
    }
  }

  #escape(quote: string): string {
    const unit = this.#text.charAt(this.#offset);
    if (unit === "u") {
      const digits = this.#text.slice(this.#offset + 1, this.#offset + 5);
      if (!/^[0-9a-fA-F]{4}$/.test(digits)) this.#fail("\\u needs four hexadecimal digits");
      this.#offset += 5;
      return String.fromCharCode(Number.parseInt(digits, 16));
    }
    const character = unit === quote ? quote : ESCAPES.get(unit);
    if (character === undefined) return this.#fail("unknown escape");
    this.#offset += 1;
    return character;
  }
}

/** Accepts `$`, `.name`, `['name']`, `["name"]`, `[0]`, `.*` and `[*]`; anything else of RFC 9535 is refused by name. */
export function parsePath(text: string): ParsedPath {
  try {
    return { ok: true, segments: new PathReader(text).read() };
  } catch (fault) {
    if (fault instanceof PathFault) return { ok: false, offset: fault.offset, message: fault.message };
    throw fault;
  }
}

/** The path in its shortest spelling; `parsePath` reads it back to the same segments. */
export function formatPath(segments: readonly PathSegment[]): string {
  return segments.reduce<string>((text, segment) => {
    if (segment.kind === "wildcard") return `${text}[*]`;
    if (segment.kind === "index") return `${text}[${segment.index}]`;
    if (/^[A-Za-z_]\w*$/.test(segment.name)) return `${text}.${segment.name}`;
    return `${text}[${JSON.stringify(segment.name)}]`;
  }, "$");
}
