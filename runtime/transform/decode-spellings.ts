// Undoes, in one pass, the spellings of a character that a reader or a browser takes for the character itself.
// Not undone: base64 and other codes, spellings within spellings, markup between characters, words for signs ("at").

export interface DecodedText {
  readonly text: string;
  /** For each unit of `text`, and its end, where it begins in the original; undefined where both are the same. */
  readonly origins: Uint32Array | undefined;
}

/** Anything that could be a spelling: an escape, an entity, or a character beyond ASCII. */
const SUSPECT = /[\u0080-\uffff]|%[0-9a-fA-F]{2}|&[#a-zA-Z]|\\[ux]/;
/** Characters that show nothing: joiners, direction marks, variation selectors, tags. */
const IGNORED = /^[\p{Default_Ignorable_Code_Point}\p{Cf}]$/u;
const SPACES = /^[\u00a0\u1680\u2000-\u200a\u202f\u205f\u3000]$/;
const DASHES = /^[\u2010-\u2015\u2212\ufe58\ufe63\uff0d]$/;
const NAMED_ENTITIES: ReadonlyMap<string, string> = new Map([
  ["amp", "&"],
  ["commat", "@"],
  ["period", "."],
  ["hyphen", "-"],
  ["dash", "-"],
  ["nbsp", " "],
  ["equals", "="],
  ["colon", ":"],
  ["lowbar", "_"],
  ["plus", "+"],
  ["quot", '"'],
  ["zwnj", ""],
  ["zwj", ""],
  ["shy", ""],
]);
/** First digit of decimal digit blocks that NFKC leaves alone. */
const ZEROS = [
  0x660, 0x6f0, 0x7c0, 0x966, 0x9e6, 0xa66, 0xae6, 0xb66, 0xbe6, 0xc66, 0xce6, 0xd66, 0xe50, 0xed0, 0xf20,
];

/** A character as one ASCII character, or as nothing, where it is read as that. */
function plain(character: string): string {
  const code = character.codePointAt(0) ?? 0;
  if (code < 0x80) return character;
  if (IGNORED.test(character)) return "";
  if (SPACES.test(character)) return " ";
  if (DASHES.test(character)) return "-";
  const zero = ZEROS.find((first) => code >= first && code < first + 10);
  if (zero !== undefined) return String(code - zero);
  if (code < 0x2000) return character;
  const folded = character.normalize("NFKC");
  return /^[\x20-\x7e]$/.test(folded) ? folded : character;
}

const SAME = 0xffff;
const NOTHING = 0xfffe;
let unitTable: Uint16Array | undefined;

/** For each UTF-16 unit what `plain` makes of it: a character, NOTHING, or SAME. Made once, when it is first needed. */
function plainUnits(): Uint16Array {
  if (unitTable !== undefined) return unitTable;
  const table = new Uint16Array(0x10000).fill(SAME);
  for (let code = 0x80; code < 0x10000; code += 1) {
    if (code >= 0xd800 && code < 0xe000) continue;
    const character = String.fromCharCode(code);
    const read = plain(character);
    if (read !== character) table[code] = read === "" ? NOTHING : read.charCodeAt(0);
  }
  unitTable = table;
  return table;
}

/** Hexadecimal digits from `start` on, at most `most`; the code they give and where they end. */
function readNumber(
  text: string,
  start: number,
  radix: 10 | 16,
  most: number,
): { readonly code: number; readonly end: number } {
  let code = 0;
  let end = start;
  for (; end < text.length && end - start < most; end += 1) {
    const unit = text.charCodeAt(end) | 0x20;
    const isDigit = unit >= 0x30 && unit <= 0x39;
    const isLetter = radix === 16 && unit >= 0x61 && unit <= 0x66;
    if (!isDigit && !isLetter) break;
    code = code * radix + (isDigit ? unit - 0x30 : unit - 0x57);
  }
  return { code, end };
}

/** A spelling in ASCII: the code point it means, -1 for nothing, and where it ends. */
interface Escape {
  readonly code: number;
  readonly end: number;
}

function readEntity(text: string, index: number): Escape | undefined {
  if (text.charAt(index + 1) === "#") {
    const isHex = (text.charCodeAt(index + 2) | 0x20) === 0x78;
    const start = index + (isHex ? 3 : 2);
    const { code, end } = readNumber(text, start, isHex ? 16 : 10, 7);
    if (end === start || code > 0x10ffff) return undefined;
    return { code, end: text.charAt(end) === ";" ? end + 1 : end };
  }
  const close = text.slice(index + 1, index + 9).indexOf(";");
  if (close < 2) return undefined;
  const named = NAMED_ENTITIES.get(text.slice(index + 1, index + 1 + close));
  if (named === undefined) return undefined;
  return { code: named === "" ? -1 : named.charCodeAt(0), end: index + close + 2 };
}

function readBackslash(text: string, index: number): Escape | undefined {
  const kind = text.charAt(index + 1);
  if (kind === "u" && text.charAt(index + 2) === "{") {
    const { code, end } = readNumber(text, index + 3, 16, 6);
    const isClosed = end > index + 3 && text.charAt(end) === "}" && code <= 0x10ffff;
    return isClosed ? { code, end: end + 1 } : undefined;
  }
  if (kind !== "u" && kind !== "x") return undefined;
  const width = kind === "u" ? 4 : 2;
  const { code, end } = readNumber(text, index + 2, 16, width);
  return end === index + 2 + width ? { code, end } : undefined;
}

function readEscape(text: string, index: number, unit: number): Escape | undefined {
  if (unit === 0x26) return readEntity(text, index);
  if (unit === 0x5c) return readBackslash(text, index);
  const { code, end } = readNumber(text, index + 1, 16, 2);
  return end === index + 3 ? { code, end } : undefined;
}

const decoder = new TextDecoder("utf-16le", { ignoreBOM: true });

/** Writes what is read, and from where it came. No spelling is shorter than what it spells. */
class DecodedWriter {
  readonly #units: Uint16Array;
  readonly #origins: Uint32Array;
  readonly #table = plainUnits();
  #length = 0;
  changed = false;

  constructor(length: number) {
    this.#units = new Uint16Array(length);
    this.#origins = new Uint32Array(length + 1);
  }

  unit(unit: number, origin: number): void {
    const read = unit < 0x80 ? SAME : (this.#table[unit] ?? SAME);
    if (read !== SAME) this.changed = true;
    if (read !== NOTHING) this.#put(read === SAME ? unit : read, origin);
  }

  #put(unit: number, origin: number): void {
    this.#units[this.#length] = unit;
    this.#origins[this.#length] = origin;
    this.#length += 1;
  }

  /** A code point beyond one unit, or one that was spelled out. */
  point(code: number, origin: number): void {
    const read = plain(String.fromCodePoint(code));
    for (let index = 0; index < read.length; index += 1) this.#put(read.charCodeAt(index), origin);
  }

  finish(end: number): DecodedText {
    this.#origins[this.#length] = end;
    const text = decoder.decode(this.#units.subarray(0, this.#length));
    return { text, origins: this.#origins.subarray(0, this.#length + 1) };
  }
}

/** Mathematical letters and digits, enclosed ones, segmented digits, tags: what beyond one unit is read as ASCII. */
function isStyled(code: number): boolean {
  const isLetter = (code >= 0x1d400 && code <= 0x1d7ff) || (code >= 0x1f100 && code <= 0x1f1ff);
  return isLetter || (code >= 0x1fbf0 && code <= 0x1fbf9) || code >= 0xe0000;
}

/** The text as it is read. Linear in its length. */
export function decodeSpellings(text: string): DecodedText {
  if (!SUSPECT.test(text)) return { text, origins: undefined };
  const writer = new DecodedWriter(text.length);
  for (let index = 0; index < text.length;) {
    const unit = text.charCodeAt(index);
    if (unit === 0x25 || unit === 0x26 || unit === 0x5c) {
      const escape = readEscape(text, index, unit);
      if (escape !== undefined) {
        writer.changed = true;
        if (escape.code >= 0) writer.point(escape.code, index);
        index = escape.end;
        continue;
      }
    } else if (unit >= 0xd800 && unit < 0xdc00) {
      const code = text.codePointAt(index) ?? 0;
      if (code > 0xffff && isStyled(code)) {
        writer.changed = true;
        writer.point(code, index);
        index += 2;
        continue;
      }
    }
    writer.unit(unit, index);
    index += 1;
  }
  return writer.changed ? writer.finish(text.length) : { text, origins: undefined };
}
