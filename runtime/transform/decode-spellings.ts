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

const ESCAPE =
  /%([0-9a-fA-F]{2})|&#(\d{1,7});?|&#[xX]([0-9a-fA-F]{1,6});?|&([a-z]{3,6});|\\u([0-9a-fA-F]{4})|\\u\{([0-9a-fA-F]{1,6})\}|\\x([0-9a-fA-F]{2})/y;

interface Step {
  readonly length: number;
  readonly text: string;
}

function fromCode(digits: string, radix: 10 | 16): string {
  const code = Number.parseInt(digits, radix);
  return code > 0x10ffff ? "\ufffd" : String.fromCodePoint(code);
}

function readEscape(text: string, index: number): Step | undefined {
  ESCAPE.lastIndex = index;
  const match = ESCAPE.exec(text);
  if (match === null) return undefined;
  const [whole, percent, decimal, hex, named, unicode, braced, byte] = match;
  const { length } = whole;
  if (decimal !== undefined) return { length, text: plain(fromCode(decimal, 10)) };
  const name = named === undefined ? undefined : NAMED_ENTITIES.get(named);
  if (named !== undefined) return name === undefined ? undefined : { length, text: name };
  const digits = percent ?? hex ?? unicode ?? braced ?? byte;
  return digits === undefined ? undefined : { length, text: plain(fromCode(digits, 16)) };
}

/** A character as ASCII where it is read as that. */
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
  return /^[\x20-\x7e]{1,3}$/.test(folded) ? folded : character;
}

/** The text as it is read. Linear in its length. */
export function decodeSpellings(text: string): DecodedText {
  if (!SUSPECT.test(text)) return { text, origins: undefined };
  const origins: number[] = [];
  const parts: string[] = [];
  let changed = false;
  for (let index = 0; index < text.length;) {
    const code = text.charCodeAt(index);
    const isEscape = code === 0x25 || code === 0x26 || code === 0x5c;
    const escape = isEscape ? readEscape(text, index) : undefined;
    const character = escape === undefined ? String.fromCodePoint(text.codePointAt(index) ?? 0) : "";
    const length = escape?.length ?? character.length;
    const decoded = escape?.text ?? (code < 0x80 ? character : plain(character));
    changed ||= decoded !== text.slice(index, index + length);
    for (let unit = 0; unit < decoded.length; unit += 1) origins.push(index);
    parts.push(decoded);
    index += length;
  }
  if (!changed) return { text, origins: undefined };
  origins.push(text.length);
  return { text: parts.join(""), origins: Uint32Array.from(origins) };
}
